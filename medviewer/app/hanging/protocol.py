"""A hanging protocol as frozen values: when it is for, and what it hangs where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from medviewer.app.hanging.layouts import Layout, SliceKind, layout_of
from medviewer.domain.slab import WHOLE_MM, Mode

Of = Literal["current", "prior"]
Side = Literal["", "left", "right"]


@dataclass(frozen=True)
class Rule:
    """Which series of a study is meant. Every field that is given has to fit; empty ones leave everything in.

    Parameters
    ----------
    main
        The series that the study was opened with.
    modality, body_part, view, laterality
        Any of them, upper case; earlier views are taken before later ones.
    description, unlike
        A pattern that the series description has, or must not have; case does not matter.
    least, most
        Number of slices; None for any.
    """

    main: bool = False
    modality: tuple[str, ...] = ()
    body_part: tuple[str, ...] = ()
    view: tuple[str, ...] = ()
    laterality: tuple[str, ...] = ()
    description: str = ""
    unlike: str = ""
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True)
class Overlay:
    """A series that lies over the main one: which, through which colours, and how dense (0 to 1).

    Empty colours and no opacity leave both as fusion begins.
    """

    series: tuple[Rule, ...]
    colours: str = ""
    opacity: float | None = None


@dataclass(frozen=True)
class Hung:
    """What one viewport shows.

    Parameters
    ----------
    series
        Rules, the first that a series fits is taken; by them the viewport stays empty where none does.
    of
        Whether of the opened study, or of an earlier one.
    plane
        In which plane; a single picture has but one.
    window
        Name of a window, ``auto``, or centre and width; None for the one that the series opens with.
    invert
        Whether black and white change places; None for as the series opens.
    colours
        A colour map; empty for grey.
    slab_mode, slab_mm
        A slab, and its thickness or `WHOLE_MM`; None for single slices.
    orient
        Letters at the right and at the bottom, as ``("P", "I")``; empty for as the file has it.
    side
        The edge of the viewport that the picture lies against.
    overlay
        What lies over it, or None; the main series alone can have something over it.
    """

    series: tuple[Rule, ...] = (Rule(main=True),)
    of: Of = "current"
    plane: SliceKind = "acquired"
    window: str | tuple[float, float] | None = None
    invert: bool | None = None
    colours: str = ""
    slab_mode: Mode | None = None
    slab_mm: float = 10.0
    orient: tuple[str, str] | tuple[()] = ()
    side: Side = ""
    overlay: Overlay | None = None


@dataclass(frozen=True)
class Step:
    """One arrangement of a protocol; a protocol of several goes from one to the next.

    Parameters
    ----------
    layout
        Name of the layout; empty for the smallest one that has room for what is there.
    viewports
        In the order of the layout's cells that show slices.
    name
        What this step shows, for the notice.
    """

    layout: str
    viewports: tuple[Hung, ...]
    name: str = ""

    @property
    def arranged(self) -> Layout | None:
        """The layout; None where it goes by what is there."""
        return layout_of(self.layout) if self.layout else None


@dataclass(frozen=True)
class When:
    """What a protocol is for. Every condition that is given has to hold.

    Parameters
    ----------
    modality
        Of the opened series: any of them.
    together
        Modalities that the study has, all of them.
    body_part
        Any of them: of the header, and where that says none, as a word of the descriptions.
    description
        A pattern in the study's or the series' description; case does not matter.
    least, most
        Number of the study's series; None for any.
    shows
        Rules of which `at_least` have to be met by series of the study.
    at_least
        How many; 0 for all.
    prior
        Whether there has to be an earlier study, or there must be none; None for either.
    """

    modality: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    body_part: tuple[str, ...] = ()
    description: str = ""
    least: int | None = None
    most: int | None = None
    shows: tuple[Rule, ...] = ()
    at_least: int = 0
    prior: bool | None = None


@dataclass(frozen=True)
class Links:
    """What goes together; None leaves it as the user has it."""

    zoom: bool | None = None
    window: bool | None = None
    lines: bool | None = None
    scroll: bool | None = None
    """Whether series of different frames of reference scroll together, from middle to middle."""


@dataclass(frozen=True)
class Protocol:
    """One hanging protocol.

    Parameters
    ----------
    id
        Its file's name for one of the user's, else as it is written; unique.
    name
        What the user reads.
    when, steps, links
        What it is for, and what it does.
    automatic
        Whether a study that it fits is hung by it when it is opened; else it is chosen by hand.
    own
        Whether it is the user's.
    """

    id: str
    name: str
    when: When
    steps: tuple[Step, ...]
    links: Links = field(default_factory=Links)
    automatic: bool = True
    own: bool = False

    @property
    def needs_prior(self) -> bool:
        """Whether it shows something of an earlier study."""
        return any(hung.of == "prior" for step in self.steps for hung in step.viewports)


def protocol_of(data: Mapping[str, Any], own: bool = False, key: str = "") -> Protocol:
    """A protocol from what a file says, which has to fit the schema."""
    links = data.get("links", {})
    return Protocol(
        key or data["id"],
        data["name"],
        _when(data.get("when", {})),
        tuple(_step(one, one.get("name", "")) for one in data.get("steps", ())) or (_step(data, ""),),
        Links(links.get("zoom"), links.get("window"), links.get("lines"), links.get("scroll")),
        data.get("automatic", True),
        own,
    )


def _when(data: Mapping[str, Any]) -> When:
    count = data.get("series", {})
    return When(
        _upper(data.get("modality")),
        _upper(data.get("together")),
        _upper(data.get("body_part")),
        data.get("description", ""),
        count.get("at_least"),
        count.get("at_most"),
        tuple(_rule(one) for one in data.get("shows", ())),
        data.get("at_least", 0),
        data.get("prior"),
    )


def _step(data: Mapping[str, Any], name: str) -> Step:
    layout = data.get("layout", "")
    return Step("" if layout == "fit" else layout, tuple(_hung(one) for one in data["viewports"]), name)


def _hung(data: Mapping[str, Any]) -> Hung:
    window, slab, side = data.get("window"), data.get("slab"), data.get("side", "")
    orient = data.get("orient", ())
    return Hung(
        _rules(data.get("series", "main")),
        data.get("of", "current"),
        data.get("plane", "acquired"),
        (float(window["center"]), float(window["width"])) if isinstance(window, Mapping) else window,
        data.get("invert"),
        data.get("colours", ""),
        None if slab is None else slab["mode"],
        _thickness(slab or {}),
        (orient[0], orient[1]) if orient else (),
        "" if side == "middle" else side,
        _overlay(data.get("overlay")),
    )


def _thickness(slab: Mapping[str, Any]) -> float:
    return WHOLE_MM if slab.get("whole", False) else float(slab.get("mm", 10.0))


def _overlay(data: Mapping[str, Any] | None) -> Overlay | None:
    if data is None:
        return None
    opacity = data.get("opacity")
    return Overlay(_rules(data["series"]), data.get("colours", ""), None if opacity is None else float(opacity))


def _rules(data: Any) -> tuple[Rule, ...]:
    return tuple(_rule(one) for one in (data if isinstance(data, list) else [data]))


def _rule(data: Any) -> Rule:
    if data == "main":
        return Rule(main=True)
    slices = data.get("slices", {})
    return Rule(
        False,
        _upper(data.get("modality")),
        _upper(data.get("body_part")),
        _upper(data.get("view")),
        _upper(data.get("laterality")),
        data.get("description", ""),
        data.get("unlike", ""),
        slices.get("at_least"),
        slices.get("at_most"),
    )


def _upper(value: str | Sequence[str] | None) -> tuple[str, ...]:
    """One text or several, upper case; empty for None."""
    if value is None:
        return ()
    return tuple(one.upper() for one in ([value] if isinstance(value, str) else value))
