"""The key images of the open study: a picture and a note each; a click looks at one as it was marked."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QImage, QPainter, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from medviewer.app.commands import key_images
from medviewer.app.services import Services
from medviewer.domain.measure.key_image import KeyImage
from medviewer.ui.translate import tr
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.parts import GAP, MARGIN, explain, label, tool

EMPTY = "No key images yet. Shift+K marks what the active viewport shows."
_EDGE = 64
_SHARP = 2
_ROWS = 4
_UID = Qt.ItemDataRole.UserRole


class KeyPanel(QWidget):
    """The list, a field for the note of the chosen one, and what is done with them."""

    delete_requested = Signal()
    pictures_requested = Signal()
    objects_requested = Signal()

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._links = Links(self)
        self._pictures: dict[str, QPixmap] = {}
        self._revision = -1
        self._asked: frozenset[str] = frozenset()
        self.empty = label(EMPTY, "quiet", wrap=True)
        self.list = QListWidget()
        self.list.setIconSize(QSize(_EDGE, _EDGE))
        self.list.setWordWrap(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        explain(self.list, "Key images; choose one to look at it as it was marked", "Key images")
        self.note = QLineEdit()
        self.note.setPlaceholderText(tr("What it shows"))
        explain(self.note, "What the chosen key image shows: its caption in the report", "Note of the key image")
        self.delete_button = tool(
            "delete", "Take the chosen mark away; undo brings it back", self.delete_requested.emit
        )
        self.pictures_button = tool("image", "Save key images as pictures", self.pictures_requested.emit)
        self.objects_button = tool("save", "Save key images as a DICOM object", self.objects_requested.emit)
        self._lay_out()
        self.list.currentItemChanged.connect(lambda item, _: self._jump(item))
        self.list.itemClicked.connect(self._jump)  # the one that is chosen already, after one has scrolled away
        self.note.editingFinished.connect(self._annotate)
        events = services.session.events
        for signal in (events.key_images, events.key_revision, events.studies):
            self._links.add(signal, self.refresh)
        self._links.add(events.chosen_key, self._follow)
        self.refresh()

    def _lay_out(self) -> None:
        box = QVBoxLayout(self)
        box.setContentsMargins(MARGIN, 4, MARGIN, MARGIN)
        box.setSpacing(GAP)
        box.addWidget(self.empty)
        box.addWidget(self.list)
        box.addWidget(self.note)
        row = QHBoxLayout()
        row.setSpacing(4)
        for button in (self.delete_button, self.pictures_button, self.objects_button):
            row.addWidget(button)
        row.addStretch(1)
        box.addLayout(row)

    def refresh(self, *_: object) -> None:
        """List what the session has."""
        session = self._services.session
        if session.key_revision != self._revision:
            self._revision, self._asked = session.key_revision, frozenset()
        with QSignalBlocker(self.list):
            self.list.clear()
            for one in session.key_images:
                item = QListWidgetItem(self._text(one))
                item.setData(_UID, one.uid)
                item.setToolTip(tr(self._tip(one)))
                item.setSizeHint(QSize(0, _EDGE + 8))
                if one.uid in self._pictures:
                    item.setIcon(self._pictures[one.uid])
                self.list.addItem(item)
        shown = min(len(session.key_images), _ROWS)
        self.list.setFixedHeight(shown * (_EDGE + 8) + 4)
        any_ = bool(session.key_images)
        for part in (self.list, self.note, self.delete_button, self.pictures_button, self.objects_button):
            part.setVisible(any_)
        self.empty.setVisible(not any_)
        self._follow(session.chosen_key)
        self._load([one.uid for one in session.key_images if one.uid not in self._asked])

    def _text(self, one: KeyImage) -> str:
        described = self._series(one)
        place = f"{one.place}  {described}".strip()
        return f"{place}\n{one.note}" if one.note else place

    def _series(self, one: KeyImage) -> str:
        for study in self._services.session.studies:
            for series in study.series:
                if series.uid == one.series_uid:
                    return series.description or series.modality
        return ""

    def _tip(self, one: KeyImage) -> str:
        made = " ".join(part for part in (one.author, one.created[:16].replace("T", " ")) if part)
        window = f"W {one.width:.4g}  L {one.center:.4g}"
        return "\n".join(part for part in (one.place, self._series(one), one.note, window, made) if part)

    def _load(self, uids: list[str]) -> None:
        """Read and shrink pictures off the home thread."""
        if not uids:
            return
        self._asked |= frozenset(uids)
        store = self._services.archive.measurements

        def work() -> dict[str, QImage]:
            found = {uid: png for uid in uids if (png := store.key_picture(uid)) is not None}
            return {uid: _small(png) for uid, png in found.items()}

        def there(images: dict[str, QImage]) -> None:
            made = {uid: QPixmap.fromImage(image) for uid, image in images.items()}
            for picture in made.values():
                picture.setDevicePixelRatio(_SHARP)
            self._pictures |= made
            for row in range(self.list.count()):
                item = self.list.item(row)
                picture_ = made.get(cast("str", item.data(_UID)))
                if picture_ is not None:
                    item.setIcon(picture_)

        self._services.when_done(self._services.runner.submit(lambda _: work(), title=""), there)

    def _follow(self, uid: str) -> None:
        """Choose the row of the one that is looked at."""
        with QSignalBlocker(self.list):
            rows = [row for row in range(self.list.count()) if self.list.item(row).data(_UID) == uid]
            self.list.setCurrentRow(rows[0] if rows else -1)
            if not rows:
                self.list.clearSelection()
        self.delete_button.setEnabled(bool(rows))
        self.note.setEnabled(bool(rows))
        found = next((one for one in self._services.session.key_images if one.uid == uid), None)
        if not self.note.hasFocus() or found is None or found.note != self.note.text():
            self.note.setText(found.note if found is not None else "")

    def _jump(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            uid = str(item.data(_UID))
            self._services.attempt(lambda: key_images.jump_to(self._services, uid))

    def _annotate(self) -> None:
        uid = self._services.session.chosen_key
        if uid:
            self._services.attempt(lambda: key_images.annotate(self._services, uid, self.note.text()))


def _small(png: bytes) -> QImage:
    """A picture as large as its row, in the middle of a black square."""
    edge = _EDGE * _SHARP
    keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    small = QImage.fromData(png).scaled(edge, edge, keep, smooth)
    square = QImage(edge, edge, QImage.Format.Format_RGB888)
    square.fill(Qt.GlobalColor.black)
    painter = QPainter(square)
    painter.drawImage((edge - small.width()) // 2, (edge - small.height()) // 2, small)
    painter.end()
    return square
