"""The parts of a manifest: what a plugin wants to see, what it answers, what it needs.

Sizes, spacings and axes are given in the order of the network's own array axes. For a plugin that declares no
`orientation` these are the image's: (z, y, x) for a volume, (y, x) for a picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

Range = tuple[float, float]

_OPPOSITE = {"R": "L", "L": "R", "A": "P", "P": "A", "S": "I", "I": "S"}


class Strict(BaseModel):
    """A part of a manifest: an unknown field is a mistake, not an extension."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CodeSpec(Strict):
    """A coded concept: value, coding scheme designator (for example SCT), meaning."""

    value: str
    scheme: str
    meaning: str


class LabelSpec(Strict):
    """One output label.

    Parameters
    ----------
    name
        What the user reads.
    code, category
        Segmented Property Type and Category (PS3.3 C.8.20.4).
    expected_ml
        Lowest and highest plausible volume in millilitres; a result outside is flagged, not shown as fact.
    expected_count
        Fewest and most plausible separate pieces (26-connected) or, of a detector, finds.
    side
        On which side of the patient it has to lie: ``left``, ``right``, or empty where that says nothing.
    """

    name: str = Field(min_length=1)
    code: CodeSpec | None = None
    category: CodeSpec | None = None
    expected_ml: Range | None = None
    expected_count: tuple[int, int] | None = None
    side: Literal["", "left", "right"] = ""

    @field_validator("expected_ml", "expected_count")
    @classmethod
    def _ordered(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not 0 <= value[0] <= value[1]:
            raise ValueError(f"needs a lowest and a highest number, not {list(value)}")
        return value


class Intensity(Strict):
    """How the host turns an image's values into network input. The steps are taken in this order.

    Parameters
    ----------
    source
        ``real`` starts from real values (HU, SUV, arbitrary); ``display`` from grey values 0 to 255, for networks that
        were trained on 8-bit pictures of radiographs, whose stored values mean something else on every detector.
        8-bit images are taken as they are; of deeper ones the 0.5th to 99.8th percentile is mapped onto that range,
        and not the file's window, which often spans the detector's range and not the picture's.
    clip
        Lowest and highest value; what lies outside takes the limit.
    clip_percentiles
        The same, as percentiles 0 to 100 of this image.
    scale
        What the limits of `clip` (or this image's lowest and highest value, where nothing is clipped) are mapped onto.
    normalise
        ``zscore`` subtracts this image's mean and divides by its standard deviation; ``zscore-nonzero`` takes both from
        voxels other than 0, and leaves voxels of 0 alone.
    mean, std
        Subtracted and divided by, one number a channel, or one for all.
    repeat
        How many equal channels a grey image becomes.
    expected
        Where the real values of an image that this plugin was made for lie. An image whose middle 98 % leave this range
        is flagged as out of range. Grey values of ``source: display`` are 0 to 255 of any image and have none.
    """

    source: Literal["real", "display"] = "real"
    clip: Range | None = None
    clip_percentiles: Range | None = None
    scale: Range | None = None
    normalise: Literal["none", "zscore", "zscore-nonzero"] = "none"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    repeat: int = Field(1, ge=1, le=64)
    expected: Range | None = None

    @field_validator("clip", "clip_percentiles", "scale", "expected")
    @classmethod
    def _ordered(cls, value: Range | None) -> Range | None:
        if value is not None and not value[0] < value[1]:
            raise ValueError(f"needs a lower and a higher number, not {list(value)}")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Intensity:
        if self.clip and self.clip_percentiles:
            raise ValueError("has either clip or clip_percentiles, not both")
        if bool(self.mean) != bool(self.std) or len(self.mean) != len(self.std) or not all(self.std):
            raise ValueError("mean and std need as many numbers, and no std of 0")
        if self.expected and self.source == "display":
            raise ValueError("grey values lie in 0 to 255 of any image: expected needs source: real, or leave it out")
        return self


class Windows(Strict):
    """The sliding window of a network that sees a volume piece by piece.

    Parameters
    ----------
    roi
        Size of one window, in voxels of the network's grid.
    overlap
        How much of a window its neighbour shares, 0 to 0.9 of its size.
    batch
        Windows that go through the network at once.
    blend
        ``gaussian`` trusts the middle of a window more than its rim; ``constant`` trusts all of it alike.
    multiple
        When memory runs out, the host may take windows smaller by this many voxels an axis, and again; 0 forbids that.
    """

    roi: tuple[Annotated[int, Field(ge=1, le=4096)], ...]
    overlap: float = Field(0.5, ge=0, le=0.9)
    batch: int = Field(1, ge=1, le=64)
    blend: Literal["gaussian", "constant"] = "gaussian"
    multiple: int = Field(0, ge=0)


def _intensity(value: object) -> object:
    return {"source": value} if isinstance(value, str) else value


class Inputs(Strict):
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
    channels
        A name for each image that the network sees together. The first is the open image; the others are series of
        the same study, which the host resamples onto the same grid. Empty: one image.
    orientation
        The direction in which each of the network's array axes grows, as patient letters: ``SPL`` is DICOM's axial
        (z, y, x), ``RAS`` what MONAI calls RAS. The host turns the image's axes to the nearest such order. Empty: the
        image's own axes.
    spacing
        Distance of the network's voxels in mm for each axis; 0 keeps the image's own distance on that axis.
    size
        Size of the network's input: the host resamples the whole field of view to it. Not with `spacing` or `windows`.
    windows
        The sliding window, for volumes that are seen piece by piece. Without `size` it is needed.
    foreground
        Only the box of voxels above this value (in the units of `intensity.source`) is looked at, a little wider; None
        looks at everything.
    interpolation
        How the host resamples: ``linear`` (antialiased), ``nearest``, or ``cubic``.
    intensity
        How values become network input; a word alone is its `source`. A plugin with a method `normalise` does the rest
        itself.
    flips
        The axes along which the network was trained mirrored, counted 0 = z, 1 = y, 2 = x: test-time augmentation
        mirrors no others. None where nobody knows.
    prompts
        Of an interactive plugin: what its network understands of ``point``, ``box`` and ``scribble``.
    """

    modality: tuple[str, ...] = ()
    body_part: tuple[str, ...] = ()
    require_body_part: bool = False
    view: tuple[str, ...] = ()
    ndim: Literal[2, 3] = 3
    channels: tuple[str, ...] = ()
    orientation: str = ""
    spacing: tuple[Annotated[float, Field(ge=0)], ...] = ()
    size: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = ()
    windows: Windows | None = None
    foreground: float | None = None
    interpolation: Literal["linear", "nearest", "cubic"] = "linear"
    intensity: Annotated[Intensity, BeforeValidator(_intensity)] = Intensity()
    flips: tuple[Annotated[int, Field(ge=0, le=2)], ...] | None = None
    prompts: tuple[Literal["point", "box", "scribble"], ...] = ("point",)

    @field_validator("orientation")
    @classmethod
    def _letters(cls, value: str) -> str:
        axes = {frozenset((letter, _OPPOSITE.get(letter, ""))) for letter in value}
        if value and (len(value) != 3 or len(axes) != 3 or not set(value) <= set(_OPPOSITE)):
            raise ValueError(f"needs three letters of R/L, A/P and S/I, such as SPL or RAS, not {value!r}")
        return value

    @model_validator(mode="after")
    def _grid_fits(self) -> Inputs:
        if not self.size and self.windows is None:
            raise ValueError(f"needs inputs.size ({self.ndim} positive sizes) or inputs.windows")
        if self.size and (self.windows is not None or self.spacing):
            raise ValueError("inputs.size stands alone: spacing and windows are for networks that see piece by piece")
        for name, numbers in (
            ("size", self.size),
            ("spacing", self.spacing),
            ("windows.roi", self.windows.roi if self.windows else ()),
        ):
            if numbers and len(numbers) != self.ndim:
                raise ValueError(f"inputs.{name} needs {self.ndim} positive sizes, not {list(numbers)}")
        if self.orientation and self.ndim == 2:
            raise ValueError("inputs.orientation is for volumes; a picture is seen as it is shown")
        return self

    @property
    def channel_count(self) -> int:
        """How many images the network sees together."""
        return max(1, len(self.channels))


class Outputs(Strict):
    """What a plugin answers.

    Parameters
    ----------
    labels
        In the order of the network's output.
    activation
        How the host turns the network's output into probabilities. ``softmax``: of a segmenter, channel 0 is the
        background and the labels follow; of a classifier, a channel is a label. ``sigmoid``: a channel is a label.
        ``own``: the plugin's `probabilities` or `class_probabilities` does it.
    threshold
        The probability from which a voxel counts; with ``softmax`` the most probable class wins instead.
    abstain
        A classifier whose highest probability stays below this gives no answer; 0 always answers.
    """

    labels: tuple[LabelSpec, ...] = Field(min_length=1, max_length=65535)
    activation: Literal["own", "softmax", "sigmoid"] = "own"
    threshold: float = Field(0.5, gt=0, lt=1)
    abstain: float = Field(0, ge=0, lt=1)


class Resources(Strict):
    """What a run needs.

    Parameters
    ----------
    memory_gb
        Memory of the device for one run with the declared windows, in GB; 0 if unknown. With less free, the host starts
        with a smaller batch.
    gpu
        ``required`` refuses to run on a CPU, ``never`` never uses the GPU.
    amp
        Whether the network may run in half precision: float16 on CUDA, bfloat16 on a CPU that has it.
    channels_last
        Whether channels innermost made this network faster where its author measured it.
    """

    memory_gb: float = Field(0, ge=0)
    gpu: Literal["optional", "required", "never"] = "optional"
    amp: bool = False
    channels_last: bool = False


class Weights(Strict):
    """Where the weights of the first version come from.

    Parameters
    ----------
    file
        Path inside the plugin's folder: safetensors, or what the plugin's adapter reads. Empty when `fetch` is true.
    sha256
        Of that file; for fetched weights, of the package that is fetched.
    also
        More files that the weights consist of, with their SHA-256: the other folds of an ensemble, external data.
    fetch
        True when they are fetched on the user's word.
    package
        The package that they are fetched from, as ``name==version``; empty where the plugin knows another way.
    reference
        Path inside the plugin's folder of what the training set looked like to the network (see
        `inference.doubting.reference`); empty where nobody measured that.
    source, licence, intended_use
        Read by the user before anything runs or is fetched.
    """

    file: str = ""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    also: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field(default_factory=dict)
    fetch: bool = False
    package: str = ""
    reference: str = ""
    source: str
    licence: str
    intended_use: str = "Research only, not for diagnosis."

    @model_validator(mode="after")
    def _one_source(self) -> Weights:
        if bool(self.file) == self.fetch:
            raise ValueError("weights need either a file or fetch: true")
        for name in (self.file, self.reference, *self.also):
            if name and not lies_inside(name):
                raise ValueError("weights.file has to lie inside the plugin's folder")
        return self


def lies_inside(name: str) -> bool:
    """Whether a relative path, as a manifest writes it, stays inside its folder on every system."""
    parts = name.replace("\\", "/").split("/")
    return not Path(name).is_absolute() and ".." not in parts and ":" not in name and parts[0] != ""
