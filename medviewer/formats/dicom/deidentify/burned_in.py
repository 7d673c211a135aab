"""What a header cannot tell of a picture: words in its pixels, and faces."""

from __future__ import annotations

from pydicom.dataset import Dataset

from medviewer.domain.study import Warning
from medviewer.formats.dicom.deidentify.options import Options

_OFTEN = frozenset(
    ("US", "IVUS", "SC", "OT", "XA", "RF", "RG", "CR", "DX", "MG", "PX", "IO", "NM", "XC", "ES", "GM", "SM")
)
"""Modalities whose pictures often bear words: film is marked, consoles draw the patient's name, cameras see labels."""
_SCREENS = ("1.2.840.10008.5.1.4.1.1.7",)
"""Start of the SOP classes of secondary capture, whatever modality they name."""
_OVERLAY_BIT = 0x0102
"""Overlay Bit Position (retired, PS3.3 C.9.2): not 0 where the overlay lies in the pixels."""
_VOLUMES = ("CT", "MR", "PT")
_FACES = ("HEAD", "BRAIN", "FACE", "SKULL", "SINUS", "ORBIT", "NECK")


def picture_warnings(dataset: Dataset, options: Options) -> tuple[Warning, ...]:
    """What a person has to look at in the pixels, told from the header as it was before.

    Parameters
    ----------
    dataset
        The original.
    """
    found = []
    modality = str(dataset.get("Modality", "") or "").upper()
    told = str(dataset.get("BurnedInAnnotation", "") or "").upper()
    captured = str(dataset.get("SOPClassUID", "")).startswith(_SCREENS)
    if not any(name in dataset for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        return ()
    if told == "YES":
        found.append(("burned-in", "The header says that words are burned into the picture; look at it."))
    elif told != "NO" and (modality in _OFTEN or captured):
        kind = "screen captures" if captured and modality not in _OFTEN else f"{modality} pictures"
        found.append(("burned-in", f"Words may be burned into {kind}; pixels are not changed, look at them."))
    if any(_in_spare_bits(dataset, group) for group in range(0x6000, 0x6020, 2)):
        text = "The file draws an overlay in spare bits of its pixels, which are not changed and may hold words."
        found.append(("burned-in", text))
    part = str(dataset.get("BodyPartExamined", "") or "").upper()
    if modality in _VOLUMES and part.startswith(_FACES):
        found.append(("face", "A scan of a head may show a face; pixels are not changed."))
    if str(dataset.get("RecognizableVisualFeatures", "") or "").upper() == "YES":
        found.append(("face", "The header says that the patient can be recognised in the picture."))
    if modality == "PT" and not options.shift_dates:
        found.append(("no-suv", "Without injection and scan times PET has no SUV; shift dates to keep the intervals."))
    return tuple(Warning(code, text) for code, text in found)


def _in_spare_bits(dataset: Dataset, group: int) -> bool:
    """Whether an overlay lies in the pixels; a damaged position counts as one."""
    if (group, _OVERLAY_BIT) not in dataset:
        return False
    return dataset.get_item((group, _OVERLAY_BIT)).value not in (None, 0, b"", b"\0\0")
