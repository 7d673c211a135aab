"""What is known of TotalSegmentator's models beside their files: names, codes, licences, orientation.

Wasserthal et al. 2023. The codes of the structures are those of TotalSegmentator's own table (Apache-2.0), in
``structures.csv``; which models need a licence number is what its version 2.18 says.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

ORIENTATION = "SAR"
"""It turns every image to the nearest of RAS before it is written, and nnU-Net reads that as (z, y, x)."""

_OPEN = frozenset(
    {8, 113, 115, 117, 150, 258, 260, 291, 292, 293, 294, 295, 297, 298, 299, 300, 305, 315, 343, 351, 527, 552, 570}
    | {576, 589, 591, 597, 598, 615, 756, 775, 776, 777, 778, 779, 789, 803, 831, 832, 833, 834, 835, 836, 837}
    | {850, 851, 852, 853, 913, 952}
)
_LICENSED = frozenset({301, 303, 304, 409, 481, 485, 507, 509, 514, 710, 713, 716, 855, 856, 857, 920, 925})
_MARKS = ("totalseg", "subj", "mri_", "ct_")
"""Words in the names of its datasets, which tell them from a researcher's own that has the same number."""
_NAMED = frozenset(
    {
        "Dataset008_HepaticVessel",
        "Dataset113_ToothFairy3",
        "Dataset115_mandible",
        "Dataset150_icb_v0",
        "Dataset315_thoraxCT",
        "Dataset615_MAXIMUS",
        "Dataset913_lung_nodules",
    }
)
"""Its datasets whose names hold none of those words."""

OPEN_LICENCE = "Apache-2.0 (TotalSegmentator, open models)"
LICENSED = (
    "TotalSegmentator's licence for this model: free for non-commercial use with a licence number from its makers; for "
    "commercial use ask them"
)


def is_one(folder: Path, dataset: str) -> bool:
    """Whether a result folder is one of TotalSegmentator's: by where it lies and by its dataset's name."""
    names = [dataset, folder.parent.name]
    for name in names:
        found = re.fullmatch(r"Dataset(\d{3})_\w+", name)
        known = found is not None and int(found[1]) in _OPEN | _LICENSED
        if known and (name in _NAMED or any(mark in name.lower() for mark in _MARKS)):
            return _at_home(folder) or "TotalSeg" in name or name not in _NAMED
    return _at_home(folder)


def _at_home(folder: Path) -> bool:
    """Whether it lies where TotalSegmentator keeps its weights."""
    home = Path(os.environ.get("TOTALSEG_HOME_DIR", "") or Path.home() / ".totalsegmentator")
    named = os.environ.get("TOTALSEG_WEIGHTS_PATH", "")
    roots = [home / "nnunet" / "results", *([Path(named)] if named else [])]
    return any(folder.resolve().is_relative_to(root.resolve()) for root in roots)


def licence_of(folder: Path, dataset: str) -> str:
    """What its makers ask of whoever uses a model."""
    numbers = {int(found[1]) for name in (dataset, folder.parent.name) if (found := re.match(r"Dataset(\d{3})_", name))}
    return LICENSED if numbers & _LICENSED else OPEN_LICENCE


def label_of(name: str) -> dict[str, Any]:
    """A label as plugin.yaml has it: a name for people, the side, and the structure's SNOMED CT code where known."""
    side = name.rpartition("_")[2]
    label: dict[str, Any] = {"name": name.replace("_", " ").capitalize() if name.islower() else name.replace("_", " ")}
    if side in ("left", "right"):
        label["side"] = side
    row = _structures().get(name)
    if row is not None:
        label["category"] = {"value": row["category"], "scheme": "SCT", "meaning": row["category_meaning"]}
        label["code"] = {"value": row["code"], "scheme": "SCT", "meaning": row["meaning"]}
    return label


@cache
def _structures() -> Mapping[str, Mapping[str, str]]:
    with Path(__file__).with_name("structures.csv").open(encoding="utf-8", newline="") as stream:
        return {row["structure"]: row for row in csv.DictReader(stream)}
