"""A short, seeded run of damaged files of every format that is not DICOM: each opens or is refused in one sentence.

``python -m tests.formats.test_mutants 20000`` runs longer and tells what it found.
"""

from __future__ import annotations

import random
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom.data
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
from PIL import Image as Pillow

from medviewer.errors import UnreadableError
from medviewer.formats import load, scan

DISC = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests" / "DICOMDIR"


def whole(folder: Path) -> dict[str, bytes]:
    """One small good file of each kind."""
    values = np.arange(6 * 7 * 8, dtype=np.int16).reshape(6, 7, 8)
    nib.save(nib.Nifti1Image(np.stack([values] * 3, -1), np.eye(4)), folder / "four.nii")
    nib.save(nib.Nifti2Image(values, np.eye(4)), folder / "two.nii")
    nib.save(nib.Nifti1Image(values, np.eye(4)), folder / "packed.nii.gz")
    image = sitk.GetImageFromArray(values)
    for name in ("plain.nrrd", "packed.nrrd", "plain.mha", "packed.mha"):
        sitk.WriteImage(image, str(folder / name), useCompression=name.startswith("packed"))
    grey = Pillow.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8))
    held = Pillow.Exif()
    held[0x0112] = 6
    grey.save(folder / "grey.png")
    grey.save(folder / "held.jpg", exif=held)
    grey.save(folder / "pages.tif", save_all=True, append_images=[grey] * 3)
    grey.save(folder / "lzw.tif", compression="tiff_lzw")
    grey.convert("RGB").save(folder / "jpeg.tif", compression="jpeg")
    with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "four.nii", "deep/four.nii")
    (folder / "DICOMDIR").write_bytes(DISC.read_bytes())
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def mutant(data: bytes, rng: random.Random) -> bytes:
    """The file with bytes changed, cut off, taken out or put in, mostly in its header."""
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(max(1, min(len(made), 600 if rng.random() < 0.7 else len(made))))
        kind = rng.random()
        if kind < 0.5:
            made[at : at + 1] = bytes([rng.randrange(256)])
        elif kind < 0.7:
            made[at : at + 4] = rng.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f"))
        elif kind < 0.8:
            made = made[:at]
        elif kind < 0.9:
            del made[at : at + rng.randrange(1, 40)]
        else:
            made[at:at] = rng.randbytes(rng.randrange(1, 20))
    return bytes(made)


def run(folder: Path, seeds: range) -> Counter[str]:
    """Open one mutant a seed; anything raised but `UnreadableError` passes through."""
    good = whole(folder)
    for file in folder.iterdir():
        file.unlink()
    told: Counter[str] = Counter()
    for seed in seeds:
        rng = random.Random(seed)
        name = rng.choice(list(good))
        path = folder / name
        path.write_bytes(mutant(good[name], rng))
        found = scan([path])
        told["scanned"] += 1
        for series in found.series:
            try:
                load(series)
                told["loaded"] += 1
            except UnreadableError:
                told["refused"] += 1
        path.unlink()
    return told


@pytest.mark.filterwarnings("ignore")  # the libraries warn of what they read
def test_damaged_files_open_or_are_refused(tmp_path):
    told = run(tmp_path, range(600))
    assert told["scanned"] == 600
    assert told["loaded"] > 50
    assert told["refused"] > 20


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        sys.stdout.write(f"{run(Path(name), range(int(sys.argv[1])))}\n")
