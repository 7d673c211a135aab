"""The only surface that plugins import, with `medviewer.domain`."""

from medviewer.plugin_api.context import RunContext
from medviewer.plugin_api.manifest import API_VERSION, Manifest
from medviewer.plugin_api.protocols import Classifier, Explainable, Plugin, Segmenter, Trainable, WeightsFetcher

__all__ = [
    "API_VERSION",
    "Classifier",
    "Explainable",
    "Manifest",
    "Plugin",
    "RunContext",
    "Segmenter",
    "Trainable",
    "WeightsFetcher",
]
