"""The report in a window of its own, beside the images."""
