"""MONAI bundles: configuration read as data, code run on the user's word only."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medviewer.errors import PluginError, UntrustedError
from medviewer.plugin_api import Manifest, Plugin, RunContext
from medviewer.plugin_api.adapting.catalogue import ARCHITECTURES, architecture, build, check_plain
from medviewer.plugin_api.adapting.checkpoints import fitted, read_state, write_state
from medviewer.plugin_api.adapting.describe import write_plugin
from medviewer.plugin_api.adapting.model import NetworkModel, check_channels
from medviewer.plugin_api.adapting.parse import read_mapping
from medviewer.plugin_api.unpack import DAMAGE, Member, archive_members, folder_members, take, within
from monai_bundle.config import Component, Config, expressions, last_name
from monai_bundle.metadata import identity, image_format, labels, patch_size
from monai_bundle.transforms import Preparation, read_answers, read_preparation
from monai_bundle.trusted import CodeModel

_METADATA = "configs/metadata.json"
_CONFIGS = ("configs/inference.json", "configs/inference.yaml", "configs/inference.yml")
_NETWORKS = ("network_def", "network", "net", "model")
_WEIGHTS = "weights.safetensors"
_SCRIPT = "model.ts"
_CODE = "bundle"
_WANTED = ("configs/", "scripts/", "docs/", "models/model.pt", "models/model.ts", "LICEN", "COPYING")
_SETTINGS = frozenset({"network", "arguments", "code"})


class MonaiBundle:
    """The adapter of bundles as the MONAI Model Zoo has them."""

    def recognises(self, source: Path) -> bool:
        """A folder or ZIP archive with configs/metadata.json."""
        if source.is_dir():
            return (source / _METADATA).is_file()
        return source.suffix.lower() == ".zip" and _prefix(source) is not None

    def install(self, source: Path, folder: Path, context: RunContext) -> None:
        """Read the configuration, and write what it comes to; nothing of it is evaluated.

        A network of MONAI with plain arguments and transforms that the host does itself needs no trust. Otherwise the
        bundle's configuration and scripts come along, and run once the user trusts them.

        Raises
        ------
        PluginError
            If the bundle is broken or made to do harm, is not for volumes, or holds no weights.
        """
        with _opened(source, folder.parent, context) as root:
            context.progress(0.4, "Reading the configuration")
            metadata = read_mapping(root / _METADATA)
            config = Config(read_mapping(_config_file(root)))
            made = _Reading(config, metadata, root, source.stem)
            context.progress(0.5, "Reading the weights")
            made.write(folder)
        context.progress(1.0, "Done")

    def open(self, folder: Path, manifest: Manifest, *, trusted: bool) -> Plugin:
        """The model; one that needs the bundle's own code only when it is trusted."""
        settings = manifest.settings
        check_plain(settings, "The settings")
        if set(settings) - _SETTINGS:
            raise PluginError(f"settings should have {', '.join(sorted(_SETTINGS))} only; install the bundle again.")
        code = settings.get("code")
        if not code:
            return NetworkModel(manifest, str(settings.get("network", "")), settings.get("arguments", {}))
        if not isinstance(code, dict):
            raise PluginError("settings.code should be a mapping of fields; install the bundle again.")
        if not trusted:
            raise UntrustedError(
                f"{manifest.name} cannot do without code of its bundle ({str(code.get('why', ''))[:80]}), which nobody "
                f"has trusted yet; read it, and trust it in Plugins or with: medviewer plugin trust {manifest.id}"
            )
        return CodeModel(manifest, folder / _CODE, code, settings.get("arguments"), settings.get("network"))


class _Reading:
    """One bundle, read."""

    def __init__(self, config: Config, metadata: Mapping[str, Any], root: Path, name: str) -> None:
        self.config, self.metadata, self.root = config, metadata, root
        self.preparation = self._preparation()
        self.place = next((one for one in _NETWORKS if config.has(one)), "")
        self.network, self.arguments, self.code = self._network()
        self.data = identity(metadata, root, name)

    def write(self, folder: Path) -> None:
        """Write plugin.yaml and the weights."""
        data, left = self._described(), [one.place for one in self.preparation.left]
        script = self.root / "models" / _SCRIPT
        state = self.root / "models" / "model.pt"
        self._copy_papers(folder)
        if not state.is_file() and script.is_file() and not left:
            shutil.copyfile(script, folder / _SCRIPT)
            data |= {"kinds": [self._task()], "settings": {"answers": "logits"}}
            write_plugin(folder, data, adapter="torchscript", weights=_SCRIPT, defaults={})
            return
        if not state.is_file():
            raise PluginError("The bundle should hold its weights as models/model.pt, but there are none; fetch them.")
        tensors = read_state(state)
        if not self.code:
            tensors = fitted(tensors, build(self.network, self.arguments), "models/model.pt")
        write_state(tensors, folder / _WEIGHTS, {"source": data["weights"]["source"]})
        data["settings"] = {"network": self.network, "arguments": self.arguments} if not self.code else {}
        if self.code or left:
            why = self.code or last_name(self.preparation.left[0].target) or self.preparation.left[0].place
            data["settings"]["code"] = {"why": why[:80], "transforms": left}
            data["settings"]["code"] |= {"network": self.place} if self.code else {}
            data["settings"]["code"]["config"] = _config_file(self.root).name
            data["settings"]["code"]["image"] = next(iter(self.preparation.images), "image")
            for part in ("configs", "scripts"):
                if (self.root / part).is_dir():
                    shutil.copytree(self.root / part, folder / _CODE / part)
        explained = [] if self.code else ["explain"]
        learns = ["train"] if self._task() == "segment" else []
        data["kinds"] = [self._task(), *explained, *learns]
        manifest = write_plugin(folder, data, adapter="monai-bundle", weights=_WEIGHTS, defaults={})
        check_channels(manifest, self.arguments)

    def _preparation(self) -> Preparation:
        for place in ("preprocessing", "preprocess", "pre_transforms", "inference_transforms"):
            if self.config.has(place):
                return read_preparation(self.config.components(place))
        raise PluginError(
            "The bundle's configuration should hold a list preprocessing, but it does not; describe it anew."
        )

    def _network(self) -> tuple[str, dict[str, Any], str]:
        """Name and arguments of a network of the catalogue, or what stands in the way of one."""
        if not self.place:
            return "", {}, "no network_def"
        found = self.config.at(self.place)
        while isinstance(found, list) and len(found) == 1:
            found = found[0]
        if not isinstance(found, Component):
            return "", {}, next(expressions(found), self.place)
        package, _, name = found.target.rpartition(".")
        known = name in ARCHITECTURES or name in {one.attribute for one in ARCHITECTURES.values()} or name == "Unet"
        if found.odd or not known or not (package == "" or package.startswith("monai.networks.nets")):
            return "", {}, found.target
        for text in expressions(found.arguments, strict=True):
            return "", {}, text
        return ("UNet" if name == "Unet" else name), dict(found.arguments), ""

    def _described(self) -> dict[str, Any]:
        """The manifest's fields."""
        outputs: dict[str, Any] = {}
        notes: list[str] = []
        if self.config.has("postprocessing"):
            outputs, notes = read_answers(self.config.components("postprocessing"))
        channels = self.arguments.get("out_channels", self.arguments.get("num_classes", 0))
        channels = channels if isinstance(channels, int) else 0
        outputs.setdefault("activation", "sigmoid" if channels == 1 else "softmax")
        background = outputs["activation"] == "softmax" and self._task() == "segment"
        outputs["labels"] = labels(self.metadata, background, channels)
        inputs = {**image_format(self.metadata), **self.preparation.inputs}
        inputs |= self._windows(inputs)
        if self.preparation.intensity:
            inputs["intensity"] = self.preparation.intensity
        if "orientation" not in inputs:
            inputs["orientation"] = "RAS"
            notes.append("The bundle does not say how images have to lie; they are turned to RAS.")
        return {**self.data, "inputs": inputs, "outputs": outputs, "notes": [*self.preparation.notes, *notes]}

    def _windows(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The sliding window, unless the image is resized to the network's size."""
        if "size" in inputs:
            return {}
        found = self.config.components("inferer") if self.config.has("inferer") else []
        name = last_name(found[0].target) if found else ""
        size = patch_size(self.metadata)
        windows: dict[str, Any] = {"roi": size}
        if name.startswith("SlidingWindowInferer") or name == "SlidingWindowInfererAdapt":
            told = found[0].arguments
            roi = told.get("roi_size")
            roi = [roi] * 3 if isinstance(roi, int) else roi
            fine = isinstance(roi, list) and all(isinstance(number, int) and number > 0 for number in roi)
            windows["roi"] = roi if fine else size
            windows |= {"batch": told["sw_batch_size"]} if isinstance(told.get("sw_batch_size"), int) else {}
            overlap = told.get("overlap")
            windows |= {"overlap": min(0.9, float(overlap))} if isinstance(overlap, int | float) else {"overlap": 0.25}
            windows["blend"] = "gaussian" if told.get("mode") == "gaussian" else "constant"
        if len(windows["roi"]) != 3:
            raise PluginError(
                "The bundle should be for volumes and say the size of its windows, but it does not; describe its "
                "network by name instead."
            )
        return {"windows": windows}

    def _task(self) -> str:
        return architecture(self.network).task if self.network else "segment"

    def _copy_papers(self, folder: Path) -> None:
        """Keep the licence and the README, which a person may want to read."""
        for path in sorted(self.root.iterdir()):
            if path.is_file() and path.name.upper().startswith(("LICEN", "COPYING")):
                shutil.copyfile(path, folder / path.name)
        if (self.root / "docs" / "README.md").is_file():
            shutil.copyfile(self.root / "docs" / "README.md", folder / "README.md")


def _config_file(root: Path) -> Path:
    found = next((root / name for name in _CONFIGS if (root / name).is_file()), None)
    if found is None:
        raise PluginError("The bundle should hold configs/inference.json or .yaml, but it holds neither; get it whole.")
    return found


def _prefix(source: Path) -> str | None:
    """The folder of an archive that is the bundle, None if it holds none; reads names only."""
    try:
        with zipfile.ZipFile(source) as opened:
            names = [name.replace("\\", "/") for name in opened.namelist()]
    except DAMAGE:
        return None
    found = sorted((name[: -len(_METADATA)].rstrip("/") for name in names if name.endswith(_METADATA)), key=len)
    return found[0] if found and found[0].count("/") <= 1 else None


@contextmanager
def _opened(source: Path, beside: Path, context: RunContext) -> Iterator[Path]:
    """The bundle's folder, checked; of an archive, what is wanted of it is unpacked for as long as it takes."""
    if source.is_dir():
        folder_members(source)
        yield source
        return
    prefix = _prefix(source)
    with tempfile.TemporaryDirectory(prefix="unpacked-", dir=beside) as made:
        try:
            with zipfile.ZipFile(source) as opened:
                members = archive_members(opened, source.name)
            take(
                source,
                _wanted(members, prefix or ""),
                Path(made),
                lambda part: context.progress(0.4 * part, "Unpacking"),
            )
        except DAMAGE as error:
            raise PluginError(f"{source.name} could not be read as a whole; get it again.", str(error)) from error
        yield Path(made)


def _wanted(members: list[Member], prefix: str) -> list[tuple[Member, str]]:
    return [(member, name) for member, name in within(members, prefix) if name.upper().startswith(_UPPER)]


_UPPER = tuple(part.upper() for part in _WANTED)
