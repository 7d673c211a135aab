"""How a plugin is to run: its parameters, how thorough, where, which version, and which series it looks at together."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QFormLayout, QSpinBox, QVBoxLayout, QWidget

from medviewer.app.run_choice import RunChoice
from medviewer.app.services import Services
from medviewer.plugin_api import Manifest
from medviewer.ui.translate import tr
from medviewer.ui.widgets.params_form import ParamsForm
from medviewer.ui.widgets.parts import GAP, combo, explain, keep_height, label, push, refill

_TTA = [("Once", "off"), ("Twice (mirrored)", "fast"), ("Every mirror", "full")]
_DEVICES = [("GPU where there is one", "auto"), ("CPU", "cpu"), ("GPU (CUDA)", "cuda")]
_MOST_SAMPLES = 100


class RunOptions(QWidget):
    """The form below "Options" of a plugin's card. What is chosen is kept in `Services.choices`.

    `changed` is sent when the user changes something.
    """

    changed = Signal()

    def __init__(self, services: Services, manifest: Manifest, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._services, self._manifest = services, manifest
        self.params = ParamsForm(manifest.params)
        self.tta = combo("Run on mirrored images as well, and average: slower, steadier, and tells doubt", "Passes")
        self.samples = QSpinBox()
        self.samples.setRange(0, _MOST_SAMPLES)
        self.samples.setSpecialValueText(tr("off"))
        explain(self.samples, "Passes with the network's dropout switched on: how much they differ tells doubt")
        self.uncertainty = QCheckBox(tr("Map of doubt"))
        explain(
            self.uncertainty, "Also make a map of where the model is in doubt; it lies over the image as a heat map"
        )
        self.device = combo("Where it runs", "Device")
        self.version = combo("The model version that runs", "Version")
        self.ensemble = combo("A further version whose answer is averaged with it", "Average with")
        self.channels: dict[str, QComboBox] = {}
        self.reset_button = push("As it comes", "Take back everything that was chosen here", self.reset, "undo")
        refill(self.tta, list(_TTA))
        refill(self.device, list(_DEVICES))
        self._lay_out()
        keep_height(self)
        self.refresh()
        self._wire()

    @property
    def choice(self) -> RunChoice:
        """What the form says."""
        further = self.ensemble.currentData() or ""
        return RunChoice(
            parameters=self.params.values(),
            device=self.device.currentData() or "auto",
            version=self.version.currentData() or "",
            ensemble=(further,) if further else (),
            tta=self.tta.currentData() or "off",
            samples=self.samples.value(),
            uncertainty=self.uncertainty.isChecked(),
            channels={name: box.currentData() for name, box in self.channels.items() if box.currentData()},
        )

    def refresh(self) -> None:
        """Offer the versions and series that there are now, and show what is chosen."""
        known = [one.version for one in self._services.registry.versions(self._manifest.id)]
        refill(self.version, [("Active version", ""), *((name, name) for name in known)])
        refill(self.ensemble, [("None", ""), *((name, name) for name in known)])
        study = self._services.session.study
        series = [(one.description or one.modality, one.uid) for one in study.series] if study is not None else []
        for box in self.channels.values():
            refill(box, [("Choose…", ""), *series])
        self._show(self._services.choices.get(self._manifest.id, RunChoice()))

    def reset(self) -> None:
        """Back to what the plugin comes with."""
        self._services.choices.pop(self._manifest.id, None)
        self._show(RunChoice())
        self.changed.emit()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(GAP)
        for name in self._manifest.inputs.channels[1:]:
            self.channels[name] = combo(f"The series that {self._manifest.name} takes as {name}", name)
            form.addRow(label(name, "quiet"), self.channels[name])
        rows: tuple[tuple[str, QWidget], ...] = (
            ("Passes", self.tta),
            ("Dropout passes", self.samples),
            ("", self.uncertainty),
            ("Device", self.device),
            ("Version", self.version),
            ("Average with", self.ensemble),
        )
        for name, field in rows:
            form.addRow(label(name, "quiet"), field)
        form.addRow("", self.reset_button)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 2, 0, 4)
        box.setSpacing(GAP)
        self.params.setVisible(bool(self._manifest.params))
        box.addWidget(self.params)
        box.addLayout(form)
        self.uncertainty.setVisible("segment" in self._manifest.kinds)

    def _wire(self) -> None:
        for box in (self.tta, self.device, self.version, self.ensemble, *self.channels.values()):
            box.currentIndexChanged.connect(self._edited)
        self.samples.valueChanged.connect(self._edited)
        self.uncertainty.toggled.connect(self._edited)
        self.params.changed.connect(self._edited)

    def _edited(self, *_: object) -> None:
        self._services.choices[self._manifest.id] = self.choice
        self.changed.emit()

    def _show(self, choice: RunChoice) -> None:
        self.params.show_values(choice.parameters)
        picked = {
            self.tta: choice.tta,
            self.device: choice.device,
            self.version: choice.version,
            self.ensemble: choice.ensemble[0] if choice.ensemble else "",
            **{box: choice.channels.get(name, "") for name, box in self.channels.items()},
        }
        for box, value in picked.items():
            with QSignalBlocker(box):
                box.setCurrentIndex(max(0, box.findData(value)))
        for field, setter in ((self.samples, choice.samples), (self.uncertainty, choice.uncertainty)):
            with QSignalBlocker(field):
                field.setValue(setter) if isinstance(field, QSpinBox) else field.setChecked(bool(setter))
