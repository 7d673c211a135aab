"""What a new report begins with, by the modality of its study: YAML, checked."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from medviewer.domain.report import Section
from medviewer.errors import InputError

ADDENDUM = (Section("findings", "Addendum"),)
"""What an addendum begins with."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=r"^[a-z][a-z_]{0,30}$")
    title: str = Field(min_length=1, max_length=60)
    text: str = ""


class Template(BaseModel):
    """One template.

    Parameters
    ----------
    modality
        DICOM modalities that it is for; none for all others.
    title
        What the report is called.
    sections
        Its sections, each with a key of its own and what it begins with.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    modality: tuple[str, ...] = ()
    title: str = Field(min_length=1, max_length=60)
    sections: tuple[_Part, ...] = Field(min_length=1)

    def begin(self) -> tuple[Section, ...]:
        """The sections of a new report."""
        return tuple(Section(part.key, part.title, part.text) for part in self.sections)


_LIST = TypeAdapter(tuple[Template, ...])


def load(path: Path) -> tuple[Template, ...]:
    """The templates of a file.

    Raises
    ------
    InputError
        If it is no such file, or has two sections of one key in a template.
    """
    try:
        found = _LIST.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        text = f"{path.name} should be a list of report templates, but it cannot be read as one; correct or remove it."
        raise InputError(text, str(error)) from error
    for template in found:
        keys = [part.key for part in template.sections]
        if len(set(keys)) < len(keys):
            raise InputError(f"{path.name} has a section twice in {template.title!r}; give each a key of its own.")
    if not found:
        raise InputError(f"{path.name} should be a list of report templates, but there is none; correct or remove it.")
    return found


def choose(templates: tuple[Template, ...], modalities: frozenset[str]) -> Template:
    """The first template for one of these modalities; else the first for any; else the last."""
    fitting = [one for one in templates if modalities & {name.upper() for name in one.modality}]
    return next(iter(fitting or [one for one in templates if not one.modality] or [templates[-1]]))
