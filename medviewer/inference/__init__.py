"""Running plugins: an image goes to a child process, and its result comes back on the source grid."""

from medviewer.inference.acquiring.fetch import submit_fetch
from medviewer.inference.check import submit_check
from medviewer.inference.client import base_weights, submit_prediction
from medviewer.inference.suitability import check_suitable

__all__ = ["base_weights", "check_suitable", "submit_check", "submit_fetch", "submit_prediction"]
