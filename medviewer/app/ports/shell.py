"""What commands and actions ask of the window: questions to the user, and what is about the window itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from medviewer.app.ports.scene import SolidSide
from medviewer.app.state import Session
from medviewer.domain.document import Document

if TYPE_CHECKING:
    # Brings pydicom, which a scan that starts beside the window imports in a thread of its own.
    from medviewer.formats.dicom.deidentify.options import Options


class Dialogs(Protocol):
    """Questions to the user."""

    def open_paths(self, folder: bool) -> list[Path]:
        """Ask for a folder, or for files, to open; empty when the user thought better of it."""
        ...

    def save_path(self, title: str, suggestion: str, filters: Sequence[str]) -> Path | None:
        """Ask where to save."""
        ...

    def confirm(self, title: str, text: str, accept: str) -> bool:
        """Ask a yes-or-no question; `accept` names the button that does it."""
        ...

    def ask_text(self, title: str, text: str, suggestion: str = "") -> str | None:
        """Ask for a line of text, which begins as the suggestion; None when the user thought better of it."""
        ...


@dataclass(frozen=True)
class DeidentifyChoice:
    """Where de-identified copies go, what they keep, and whether the archive's own key makes them."""

    folder: Path
    options: Options
    keep_key: bool = False


class Shell(Protocol):
    """What the window itself can do, for actions that are about the window."""

    def quit(self) -> None:
        """Close the window."""
        ...

    def fit(self) -> None:
        """Fit the picture of every viewport."""
        ...

    def fit_active(self) -> None:
        """Fit the picture of the active viewport."""
        ...

    def copy_text(self, text: str) -> None:
        """Put a text into the clipboard, and say so."""
        ...

    def true_size(self) -> None:
        """Show the picture of the active viewport as large as it is in the patient."""
        ...

    def pixel_size(self) -> None:
        """Show each pixel of the active viewport's picture as one of the screen."""
        ...

    def step(self, slices: int) -> None:
        """Scroll the active viewport."""
        ...

    def look_from(self, side: SolidSide) -> None:
        """Look at the 3D view from one side of the patient."""
        ...

    def turn_solid(self, right: float, up: float) -> None:
        """Turn what the 3D view shows to the right and upwards, in radians."""
        ...

    def save_solid(self, path: Path) -> None:
        """Save the 3D view as a PNG."""
        ...

    def turn(self, angle: float) -> None:
        """Turn the crosshair's lines in the active viewport, in radians, clockwise."""
        ...

    def next_viewport(self) -> None:
        """Make the next viewport the active one."""
        ...

    def find_study(self) -> None:
        """Put the keyboard into the search field."""
        ...

    def toggle_browser(self) -> None:
        """Show or hide the list of studies."""
        ...

    def toggle_panels(self) -> None:
        """Show or hide the panels."""
        ...

    def show_panel(self, name: str) -> None:
        """Open one of the panels: ``ai``, ``segments``, ``measure``, ``keys``, ``saliency`` or ``learning``."""
        ...

    def show_report(self) -> None:
        """Write the report of the open study."""
        ...

    def show_corners(self) -> None:
        """Choose which line stands in which corner."""
        ...

    def show_window_dialog(self) -> None:
        """Let a window be typed in and kept."""
        ...

    def show_window_menu(self) -> None:
        """List every window and colour map at the active viewport."""
        ...

    def show_fuse_menu(self) -> None:
        """List what may be laid over the open series, at the active viewport."""
        ...

    def show_hanging_menu(self) -> None:
        """List every hanging protocol at the active viewport."""
        ...

    def show_hanging_save(self) -> None:
        """Ask what a hanging protocol of the present layout is for, and keep it."""
        ...

    def show_hanging_own(self) -> None:
        """List the user's hanging protocols, to rename and remove them."""
        ...

    def screenshot(self, path: Path) -> None:
        """Save the viewports as a PNG."""
        ...

    def reveal(self, folder: Path) -> None:
        """Show a folder in the system's file manager."""
        ...

    def show_document(self, document: Document) -> None:
        """Show a report or document of a study."""
        ...

    def ask_deidentify(self, what: str = "") -> DeidentifyChoice | None:
        """Ask where de-identified copies go and what they keep; None when the user thought better of it."""
        ...

    def show_manual(self) -> None:
        """Open the manual."""
        ...

    def show_keys(self) -> None:
        """Open the sheet of keys."""
        ...

    def show_language(self) -> None:
        """Let the language of the window be chosen."""
        ...

    def next_area(self) -> None:
        """Bring the keyboard to the next part of the window."""
        ...

    def show_tour(self) -> None:
        """Start the tour of three steps."""
        ...

    def open_napari(self) -> None:
        """Open the image and its mask as layers in a full napari window."""
        ...

    def bring_back(self) -> None:
        """Make the Labels layer of the napari window the mask."""
        ...

    def show_palette(self) -> None:
        """Find a command by its name, and do it."""
        ...

    def show_shortcuts(self) -> None:
        """Show and change the key of every command."""
        ...

    def show_about(self) -> None:
        """Tell version, licence and intended use."""
        ...

    def show_plugins(self) -> None:
        """Install, trust, check and switch plugins."""
        ...

    def show_batch(self) -> None:
        """Run a plugin on many studies of the list."""
        ...

    def show_pacs_query(self) -> None:
        """Search the hospital's archive."""
        ...

    def show_pacs_nodes(self) -> None:
        """Set up archives on the network."""
        ...

    def show_pacs_send(self) -> None:
        """Ask what to send to which archive."""
        ...


class Screen(Protocol):
    """What makes pictures without a person watching: the `screenshot` command and the demo use it."""

    def render(self, session: Session, path: Path, size: tuple[int, int] = (1400, 1000)) -> None:
        """Write a PNG of the viewports as the session has them (image, mask, heat map, layout), without the window.

        Raises
        ------
        MedviewerError
            If there is no display and no way to make one.
        """
        ...
