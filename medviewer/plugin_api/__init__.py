"""The only surface that plugins import, with `medviewer.domain`."""

from medviewer.plugin_api.context import RunContext
from medviewer.plugin_api.interactive import Interactive, Prompt, Prompts
from medviewer.plugin_api.manifest import API_VERSION, Manifest
from medviewer.plugin_api.protocols import (
    Classifier,
    Configurable,
    Detector,
    Embedder,
    Explainable,
    NetworkLoader,
    Normaliser,
    PackageReader,
    Plugin,
    Segmenter,
    Trainable,
    Uncertain,
    WeightsConverter,
    WeightsFetcher,
)

__all__ = [
    "API_VERSION",
    "Classifier",
    "Configurable",
    "Detector",
    "Embedder",
    "Explainable",
    "Interactive",
    "Manifest",
    "NetworkLoader",
    "Normaliser",
    "PackageReader",
    "Plugin",
    "Prompt",
    "Prompts",
    "RunContext",
    "Segmenter",
    "Trainable",
    "Uncertain",
    "WeightsConverter",
    "WeightsFetcher",
]
