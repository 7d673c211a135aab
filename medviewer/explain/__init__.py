"""Why a model answered as it did: attribution methods of captum, by name, as heat maps on the source grid."""

from medviewer.explain.client import submit_explanation
from medviewer.explain.methods import METHODS

__all__ = ["METHODS", "submit_explanation"]
