"""MONAI networks by name."""
