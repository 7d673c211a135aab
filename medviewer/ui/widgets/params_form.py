"""A form for what a plugin declares as its parameters: a JSON Schema each."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from medviewer.inference.parameters import fault, parsed
from medviewer.ui.widgets.parts import GAP, combo, explain, keep_height, label, refill, set_text

_MOST = 2**31 - 1
_STEPS = 100
"""Steps of the arrows from one end of a range to the other."""

_DECIMALS, _MOST_DECIMALS = 4, 10
"""Of a number, and of one whose default or least value needs more."""

_NOT_CHOSEN = "Not chosen"
"""First of a list of values that has no default."""

Field = QCheckBox | QComboBox | QSpinBox | QDoubleSpinBox | QLineEdit


class ParamsForm(QWidget):
    """A row a parameter: a tick for a boolean, a list for an enum, a number with its range, or a line of text.

    `changed` is sent when the user changes one. What the schema does not let through is said below the rows. Of those
    that have no default only those count that were chosen: a field must show something, but the plugin is not told it.

    Parameters
    ----------
    params
        The manifest's: name -> JSON Schema.
    """

    changed = Signal()

    def __init__(self, params: Mapping[str, Any], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._params = {name: spec if isinstance(spec, dict) else {} for name, spec in params.items()}
        self.fields: dict[str, Field] = {}
        self._chosen: set[str] = set()
        self.fault = label(role="error", wrap=True)
        keep_height(self)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(GAP)
        for name, spec in self._params.items():
            title = str(spec.get("title") or name.replace("_", " ").capitalize())
            field = self.fields[name] = _field(spec)
            explain(field, str(spec.get("description") or title), title)
            heading = label(title, "quiet")
            heading.setToolTip(field.toolTip())
            heading.setBuddy(field)
            form.addRow(heading, field)
            _signal_of(field).connect(partial(self._edited, name))
        form.addRow(self.fault)
        self.show_values({})

    def values(self) -> dict[str, Any]:
        """What differs from the defaults, and what was chosen of those that have none."""
        found = {name: self._value(name) for name in self.fields}
        return {name: value for name, value in found.items() if self._counts(name, value)}

    def _counts(self, name: str, value: Any) -> bool:
        if "default" in self._params[name]:
            return bool(value != self._default(name))
        field = self.fields[name]
        unset = field.currentIndex() == 0 if isinstance(field, QComboBox) else value == ""
        return name in self._chosen and not unset

    def _default(self, name: str) -> Any:
        """As its field shows it: one with more decimals than the field is not changed by being shown."""
        field, value = self.fields[name], self._params[name].get("default")
        if isinstance(field, QDoubleSpinBox) and isinstance(value, (int, float)):
            return round(value, field.decimals())
        return value

    def show_values(self, values: Mapping[str, Any]) -> None:
        """Show these values, and the defaults of the rest."""
        self._chosen = set(values)
        for name, field in self.fields.items():
            with QSignalBlocker(field):
                _show(field, values.get(name, self._params[name].get("default")))
        self._say_fault()

    def _value(self, name: str) -> Any:
        field, spec = self.fields[name], self._params[name]
        if isinstance(field, QCheckBox):
            return field.isChecked()
        if isinstance(field, QComboBox):
            return field.currentData()
        if isinstance(field, (QSpinBox, QDoubleSpinBox)):
            return field.value()
        return field.text() if spec.get("type") == "string" else parsed(field.text())

    def _edited(self, name: str, *_: object) -> None:
        self._chosen.add(name)
        self._say_fault()
        self.changed.emit()

    def _say_fault(self) -> None:
        texts = []
        for name, value in self.values().items():
            wrong = fault(self._params[name], value)
            if wrong:
                texts.append(f"{self.fields[name].accessibleName()}: {wrong}.")
        set_text(self.fault, " ".join(texts))


def _field(spec: Mapping[str, Any]) -> Field:
    kind = spec.get("type")
    if isinstance(spec.get("enum"), list):
        box = combo("", "")
        nothing: list[tuple[str, object]] = [] if "default" in spec else [(_NOT_CHOSEN, None)]
        refill(box, [*nothing, *((str(value), value) for value in spec["enum"])])
        return box
    if kind == "boolean":
        return QCheckBox()
    if kind == "integer":
        whole = QSpinBox()
        whole.setRange(_bound(spec, "minimum", -_MOST), _bound(spec, "maximum", _MOST))
        return whole
    if kind == "number":
        return _decimal(spec)
    return QLineEdit()


def _decimal(spec: Mapping[str, Any]) -> QDoubleSpinBox:
    low, high = float(spec.get("minimum", -1e9)), float(spec.get("maximum", 1e9))
    made = QDoubleSpinBox()
    told = [spec[name] for name in ("default", "minimum", "multipleOf") if isinstance(spec.get(name), (int, float))]
    made.setDecimals(max([_DECIMALS, *(_decimals(value) for value in told)]))
    made.setRange(low, high)
    made.setSingleStep((high - low) / _STEPS if "minimum" in spec and "maximum" in spec else 0.1)
    made.setStepType(QAbstractSpinBox.StepType.DefaultStepType)
    return made


def _decimals(value: float) -> int:
    """How many decimals a number has, as far as a field can show them."""
    return len(f"{value:.{_MOST_DECIMALS}f}".rstrip("0").partition(".")[2])


def _bound(spec: Mapping[str, Any], name: str, default: int) -> int:
    value = spec.get(name, default)
    return max(-_MOST, min(_MOST, int(value))) if isinstance(value, (int, float)) else default


def _show(field: Field, value: Any) -> None:
    if isinstance(field, QCheckBox):
        field.setChecked(bool(value))
    elif isinstance(field, QComboBox):
        field.setCurrentIndex(0 if value is None else max(0, field.findData(value)))
    elif isinstance(field, QSpinBox):
        field.setValue(int(value) if isinstance(value, (int, float)) else max(0, field.minimum()))
    elif isinstance(field, QDoubleSpinBox):
        field.setValue(float(value) if isinstance(value, (int, float)) else max(0.0, field.minimum()))
    else:
        field.setText("" if value is None else str(value))


def _signal_of(field: Field) -> Any:
    if isinstance(field, QCheckBox):
        return field.toggled
    if isinstance(field, QComboBox):
        return field.currentIndexChanged
    return field.textEdited if isinstance(field, QLineEdit) else field.valueChanged
