"""nnU-Net v2 result folders in medviewer, those of TotalSegmentator and nnInteractive among them."""
