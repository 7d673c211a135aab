"""The static manifest, plugin.yaml: what a plugin is, without importing it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from medviewer.domain.mask import PALETTE, TISSUE, Code, Segment
from medviewer.errors import ManifestError

SCHEMA_VERSION = 1
API_VERSION = 1
FILE_NAME = "plugin.yaml"

Kind = Literal["segment", "classify", "explain", "train"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CodeSpec(_Strict):
    """A coded concept: value, coding scheme designator (for example SCT), meaning."""

    value: str
    scheme: str
    meaning: str


class LabelSpec(_Strict):
    """One output label.

    Parameters
    ----------
    name
        What the user reads.
    code, category
        Segmented Property Type and Category (PS3.3 C.8.20.4).
    expected_ml
        Lowest and highest plausible volume; a result outside is flagged, not shown as fact.
    """

    name: str = Field(min_length=1)
    code: CodeSpec | None = None
    category: CodeSpec | None = None
    expected_ml: tuple[float, float] | None = None


class Inputs(_Strict):
    """What a plugin accepts, and the grid that its network wants.

    Parameters
    ----------
    modality
        Accepted DICOM modalities; empty accepts any.
    body_part, view
        Accepted Body Part Examined and View Position, upper case. A header that says something else is refused; one
        that says nothing passes unless `require_body_part`.
    ndim
        3 for volumes, 2 for single pictures.
    size
        Size of the network's input, (z, y, x) or (y, x): the host resamples the whole field of view to it.
    interpolation
        How the host resamples to that size.
    intensity
        ``real`` hands over real values (HU, SUV, arbitrary); ``display`` hands over grey values 0 to 255, for networks
        that were trained on 8-bit pictures of radiographs, whose stored values mean something else on every detector.
        8-bit images are taken as they are; of deeper ones the 0.5th to 99.8th percentile is mapped onto that range,
        and not the file's window, which often spans the detector's range and not the picture's.
    """

    modality: tuple[str, ...] = ()
    body_part: tuple[str, ...] = ()
    require_body_part: bool = False
    view: tuple[str, ...] = ()
    ndim: Literal[2, 3] = 3
    size: tuple[int, ...] = ()
    interpolation: Literal["linear", "nearest"] = "linear"
    intensity: Literal["real", "display"] = "real"

    @model_validator(mode="after")
    def _size_fits(self) -> Inputs:
        if len(self.size) != self.ndim or min(self.size, default=0) < 1:
            raise ValueError(f"inputs.size needs {self.ndim} positive sizes, not {list(self.size)}")
        return self


class Outputs(_Strict):
    """What a plugin answers: its labels in order, and the probability from which a voxel counts."""

    labels: tuple[LabelSpec, ...] = Field(min_length=1)
    threshold: float = Field(0.5, gt=0, lt=1)


class Weights(_Strict):
    """Where the weights of the first version come from.

    Parameters
    ----------
    file
        Path inside the plugin's folder, a safetensors file; empty when `fetch` is true.
    sha256
        Of that file; for fetched weights, of the package that is fetched.
    fetch
        True when they are fetched on the user's word (the plugin then is a `WeightsFetcher`).
    source, licence, intended_use
        Read by the user before anything runs or is fetched.
    """

    file: str = ""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    fetch: bool = False
    source: str
    licence: str
    intended_use: str = "Research only, not for diagnosis."

    @model_validator(mode="after")
    def _one_source(self) -> Weights:
        if bool(self.file) == self.fetch:
            raise ValueError("weights need either a file or fetch: true")
        if self.file and (Path(self.file).is_absolute() or ".." in Path(self.file).parts):
            raise ValueError("weights.file has to lie inside the plugin's folder")
        return self


class Manifest(_Strict):
    """One plugin, as its plugin.yaml describes it."""

    schema_version: Annotated[int, Field(alias="schema")] = SCHEMA_VERSION
    id: str = Field(pattern=r"^[a-z][a-z0-9-]{1,63}$")
    name: str = Field(min_length=1)
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    description: str
    api: int = API_VERSION
    kinds: tuple[Kind, ...] = Field(min_length=1)
    entry: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    inputs: Inputs
    outputs: Outputs
    weights: Weights
    notes: tuple[str, ...] = ()
    params: dict[str, Any] = Field(default_factory=dict)

    @field_validator("schema_version")
    @classmethod
    def _known_schema(cls, value: int) -> int:
        if value != SCHEMA_VERSION:
            raise ValueError(f"this medviewer reads schema {SCHEMA_VERSION}, not {value}")
        return value

    @field_validator("api")
    @classmethod
    def _known_api(cls, value: int) -> int:
        if value != API_VERSION:
            raise ValueError(f"this medviewer offers plugin API {API_VERSION}, not {value}")
        return value

    def segments(self) -> tuple[Segment, ...]:
        """The declared labels as segments, numbered from 1."""
        return tuple(
            Segment(
                label=k + 1,
                name=spec.name,
                colour=PALETTE[k % len(PALETTE)],
                code=Code(**spec.code.model_dump()) if spec.code else TISSUE,
                category=Code(**spec.category.model_dump()) if spec.category else TISSUE,
            )
            for k, spec in enumerate(self.outputs.labels)
        )

    def default_parameters(self) -> dict[str, Any]:
        """The default of every parameter that has one."""
        return {name: spec["default"] for name, spec in self.params.items() if "default" in spec}


def read_manifest(folder: Path) -> Manifest:
    """Read ``plugin.yaml`` of a plugin's folder.

    Raises
    ------
    ManifestError
        If it is missing, is not YAML, or does not fit the schema; the text names the first field that is wrong.
    """
    path = folder / FILE_NAME
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise ManifestError(
                f"{path.name} of {folder.name} should hold a mapping of fields; it holds something else."
            )
        return Manifest.model_validate(data)
    except OSError as error:
        raise ManifestError(f"A plugin folder needs a {FILE_NAME}; {folder.name} has none that can be read.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ManifestError(f"{FILE_NAME} of {folder.name} is not valid YAML; mend the file.", str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ManifestError(
            f"{FILE_NAME} of {folder.name}: {where} is wrong ({first['msg']}); mend the file.", str(error)
        ) from error


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, as lower-case hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
