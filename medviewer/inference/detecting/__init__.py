"""Finding boxes: windows go through the network, and of boxes that mean the same thing the surest stays."""
