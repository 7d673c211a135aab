"""What measurements are called in reports: concepts of SNOMED CT and DCM, units of UCUM (PS3.16 CID 7469, 7181)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydicom.sr.coding import Code

OWN = "99MEDVIEWER"
"""Our coding scheme, for what the standard has no code for."""

KIND = Code("kind", OWN, "Kind of measurement")
ROLE = Code("role", OWN, "Role in RECIST 1.1")
TARGET = Code("target", OWN, "Target lesion")
NODE = Code("target-node", OWN, "Target lymph node")
NORMAL = Code("normal", OWN, "Normal of the plane, LPS")
PHASE = Code("phase", OWN, "Phase, counted from 0")
ORGAN = Code("organ", OWN, "Organ")
COMMENT = Code("121106", "DCM", "Comment")
PROCEDURE = Code("18748-4", "LN", "Diagnostic imaging study")

CONCEPTS: Final[Mapping[str, Code]] = {
    "Length": Code("410668003", "SCT", "Length"),
    "Long axis": Code("103339001", "SCT", "Long axis"),
    "Short axis": Code("103340004", "SCT", "Short axis"),
    "Angle": Code("1483009", "SCT", "Angle"),
    "Cobb angle": Code("285285000", "SCT", "Cobb angle"),
    "Diameter": Code("81827009", "SCT", "Diameter"),
    "Area": Code("42798000", "SCT", "Area"),
    "Volume": Code("118565006", "SCT", "Volume"),
    "Voxels": Code("voxels", OWN, "Number of voxels"),
}

DERIVATIONS: Final[Mapping[str, Code | None]] = {
    "Mean": Code("373098007", "SCT", "Mean"),
    "SD": Code("386136009", "SCT", "Standard Deviation"),
    "Min": Code("255605001", "SCT", "Minimum"),
    "Max": Code("56851009", "SCT", "Maximum"),
    "Value": None,
}
"""How a value was made from those of the voxels."""

UNITS: Final[Mapping[str, Code]] = {
    "mm": Code("mm", "UCUM", "millimeter"),
    "mm²": Code("mm2", "UCUM", "square millimeter"),
    "mm³": Code("mm3", "UCUM", "cubic millimeter"),
    "px": Code("{pixels}", "UCUM", "pixels"),
    "px²": Code("{pixels2}", "UCUM", "square pixels"),
    "px³": Code("{pixels3}", "UCUM", "cubic pixels"),
    "°": Code("deg", "UCUM", "degree"),
    "HU": Code("[hnsf'U]", "UCUM", "Hounsfield unit"),
    "SUV": Code("g/ml{SUVbw}", "UCUM", "Standardized Uptake Value body weight"),
    "SUVbsa": Code("cm2/ml{SUVbsa}", "UCUM", "Standardized Uptake Value body surface area"),
    "SUVibw": Code("g/ml{SUVibw}", "UCUM", "Standardized Uptake Value ideal body weight"),
    "": Code("1", "UCUM", "no units"),
}
"""UCUM codes of the units that are used here."""

_INTENSITY: Final[Mapping[str, Code]] = {
    "HU": Code("112031", "DCM", "Attenuation Coefficient"),
    "SUV": Code("126401", "DCM", "SUVbw"),
    "SUVbsa": Code("126403", "DCM", "SUVbsa"),
    "SUVibw": Code("126404", "DCM", "SUVibw"),
}


def unit_code(unit: str) -> Code:
    """The UCUM code of a unit; one that is not known becomes an annotation, which UCUM takes for no unit."""
    if unit in UNITS:
        return UNITS[unit]
    plain = "".join(c for c in unit if c.isascii() and c.isprintable() and c not in "{}\\") or "unit"
    return Code(f"{{{plain[:14]}}}", "UCUM", unit[:64])


def intensity_code(unit: str) -> Code:
    """What the values of voxels are called, by their unit."""
    return _INTENSITY.get(unit, Code("value", OWN, "Voxel value"))
