"""The sliding window: a volume goes through a network piece by piece, and comes back slab by slab."""

from medviewer.inference.windows.plan import Network, Plan, Slab, Values
from medviewer.inference.windows.slabs import Slabs, predict_slabs

__all__ = ["Network", "Plan", "Slab", "Slabs", "Values", "predict_slabs"]
