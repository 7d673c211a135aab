"""The static manifest, plugin.yaml: what a plugin is, without importing it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from medviewer.domain.mask import PALETTE, TISSUE, Code, Segment
from medviewer.errors import ManifestError
from medviewer.plugin_api.spec import Inputs, Outputs, Resources, Strict, Weights

SCHEMA_VERSION = 1
API_VERSION = 1
FILE_NAME = "plugin.yaml"
_PART_BYTES = 1 << 20
"""Of a file that is hashed, at a time."""

Kind = Literal["segment", "classify", "detect", "interactive", "explain", "train"]


class Manifest(Strict):
    """One plugin, as its plugin.yaml describes it.

    Parameters
    ----------
    schema_version
        Of this file's form.
    api
        The plugin API that it was written for: a number, or a range such as ``>=1,<2``.
    entry
        ``package.module:Class`` of its code, whose package is the plugin's folder. A model that needs no code of its
        own names an `adapter` instead.
    adapter, settings
        The id of the adapter that runs it (see `plugin_api.adapters`), and what that adapter reads.
    notes
        Shown beside every result.
    params
        Parameters of a run that the user may change: the ``properties`` of a JSON Schema, from which the form is made.
    """

    schema_version: Annotated[int, Field(alias="schema")] = SCHEMA_VERSION
    id: str = Field(pattern=r"^[a-z][a-z0-9-]{1,63}$")
    name: str = Field(min_length=1)
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    description: str
    api: int | str = API_VERSION
    kinds: tuple[Kind, ...] = Field(min_length=1)
    entry: str = Field("", pattern=r"^([A-Za-z_][\w.]*:[A-Za-z_]\w*)?$")
    adapter: str = Field("", pattern=r"^([a-z][a-z0-9-]{1,63})?$")
    settings: dict[str, Any] = Field(default_factory=dict)
    inputs: Inputs
    outputs: Outputs
    weights: Weights
    resources: Resources = Resources()
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
    def _known_api(cls, value: int | str) -> int | str:
        try:
            accepted = SpecifierSet(value if isinstance(value, str) else f"=={value}")
        except InvalidSpecifier as error:
            raise ValueError(f"needs a number or a range such as '>=1,<2', not {value!r}") from error
        if Version(str(API_VERSION)) not in accepted:
            raise ValueError(f"this medviewer offers plugin API {API_VERSION}, not {value}")
        return value

    @field_validator("params")
    @classmethod
    def _json_schema(cls, value: dict[str, Any]) -> dict[str, Any]:
        if not value:
            return value
        from jsonschema import Draft202012Validator, SchemaError  # here: its import takes as long as all manifests

        try:
            Draft202012Validator.check_schema({"type": "object", "properties": value})
        except SchemaError as error:
            raise ValueError(f"is no JSON Schema: {error.message}") from error
        return value

    @model_validator(mode="after")
    def _one_door(self) -> Manifest:
        if bool(self.entry) == bool(self.adapter):
            raise ValueError("needs either an entry (code of its own) or an adapter")
        return self

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


def fault_in(model: type[BaseModel], error: ValidationError) -> str:
    """The first fault of a file of fields, in words that its author knows; of an unknown field, what may be meant."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _fields_at(model, first["loc"][:-1])
        close = get_close_matches(str(first["loc"][-1]), known, n=1)
        return f"there is no field {where}" + (f"; did you mean {close[0]}?" if close else "")
    if first["type"] == "missing":
        return f"the field {where} is missing"
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{where} is wrong ({message})" if where else message


def _fields_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Names of the fields that may stand at a place of the file."""
    if not path:
        return [field.alias or name for name, field in model.model_fields.items()]
    field = model.model_fields.get(str(path[0]))
    rest = path[1:]
    while rest and isinstance(rest[0], int):  # the place in a list
        rest = rest[1:]
    inner = list(_models_in(field.annotation)) if field is not None else []
    return [name for one in inner for name in _fields_at(one, rest)]


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def read_manifest(folder: Path, called: str = "") -> Manifest:
    """Read ``plugin.yaml`` of a plugin's folder.

    Parameters
    ----------
    called
        What errors call the folder, where it is a copy; by default its own name.

    Raises
    ------
    ManifestError
        If it is missing, is not YAML, or does not fit the schema; the text names the first field that is wrong.
    """
    path, called = folder / FILE_NAME, called or folder.name
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise ManifestError(f"{path.name} of {called} should hold a mapping of fields; it holds something else.")
        return Manifest.model_validate(data)
    except OSError as error:
        raise ManifestError(f"A plugin folder needs a {FILE_NAME}; {called} has none that can be read.") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:  # the last: lists in lists in lists
        raise ManifestError(f"{FILE_NAME} of {called} is not valid YAML; mend the file.", str(error)) from error
    except ValidationError as error:
        raise ManifestError(
            f"{FILE_NAME} of {called}: {fault_in(Manifest, error)}; mend the file.", str(error)
        ) from error


def file_sha256(path: Path, each: Callable[[int], None] = lambda _: None) -> str:
    """SHA-256 of a file, as lower-case hexadecimal.

    Parameters
    ----------
    each
        Called with the bytes that were read so far, every few milliseconds; what it raises ends the reading.
    """
    digest, part, done = hashlib.sha256(), bytearray(_PART_BYTES), 0
    with path.open("rb", buffering=0) as stream:
        while count := stream.readinto(part):
            digest.update(memoryview(part)[:count])
            done += count
            each(done)
    return digest.hexdigest()
