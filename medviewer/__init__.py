"""medviewer: open a study, segment it, see why, correct the mask, and teach the model. Research use only."""

__version__ = "0.1.0"
