"""De-identification: nothing that identifies survives, and what has to stay the same stays the same."""

from __future__ import annotations

import gzip
import re
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import UID

from medviewer.errors import InputError, UnreadableError
from medviewer.formats.dicom import whole
from medviewer.formats.dicom.deidentify import Key, Options, Written, deidentify_file
from medviewer.formats.dicom.deidentify.profile import rule_for, rules
from medviewer.formats.dicom.deidentify.text import Known
from medviewer.formats.dicom.deidentify.values import shifted
from medviewer.formats.dicom.quiet import quiet
from medviewer.formats.sniff import Kind

KEY = Key(bytes(range(32)))
BASIC = Options()
EVERYTHING = Options(
    shift_dates=True,
    clean_descriptors=True,
    clean_content=True,
    retain_patient=True,
)
PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
KEPT = ("CodeMeaning", "CodeValue", "CodingSchemeDesignator", "PatientID", "DeidentificationMethod")
"""What stays of its own, or is written anew."""
TEXT_VRS = ("PN", "LO", "SH", "ST", "LT", "UT", "UC", "UI", "DA", "DT", "AE")


def run(source: Path, folder: Path, options: Options = BASIC, key: Key = KEY) -> tuple[Dataset, Written]:
    """De-identify one file and read the copy."""
    written = deidentify_file(source, Kind.DICOM, folder, options, key)
    assert written.path is not None
    return read(written.path), written


def read(path: Path) -> Dataset:
    with quiet():
        return pydicom.dcmread(path, force=True)


def elements(dataset: Dataset) -> Iterator[pydicom.DataElement]:
    """Every element at every depth."""
    with quiet():
        for tag in sorted(dataset.keys()):
            element = dataset[tag]
            yield element
            if element.VR == "SQ":
                for item in element.value:
                    yield from elements(item)


def identities(dataset: Dataset, options: Options) -> Iterator[tuple[BaseTag, bytes]]:
    """The encoded values (3 bytes or more) of every attribute of the table, private or not, at every depth.

    Names count in their parts too. Words that describe (a series, a procedure) are not identities: they are removed,
    but "CHEST" may well stand in Body Part Examined, which stays.
    """
    encodings = convert_encodings(dataset.get("SpecificCharacterSet", "ISO_IR 6"))
    for element in elements(dataset):
        rule = rule_for(element.tag)
        private = element.tag.is_private and element.VR == "PN"
        if element.VR not in TEXT_VRS or not (
            private or (rule and not rule.describes and rule.resolve(options) != "K")
        ):
            continue
        if element.keyword == "TimezoneOffsetFromUTC" and options.shift_dates:
            continue  # it stays, so that intervals do
        values = element.value if element.VM > 1 else [element.value]
        for value in values:
            texts = {str(value).strip()}
            texts |= set(re.split(r"[\^= ,]+", str(value))) if element.VR == "PN" else set()
            for text in texts:
                for encoding in {*encodings, "utf-8"}:
                    try:
                        encoded = text.encode(encoding)
                    except UnicodeEncodeError:
                        continue
                    if len(encoded) >= 3 and not (element.VR == "UI" and UID(text).type):
                        yield element.tag, encoded


def bytes_without_pixels(path: Path) -> bytes:
    """The whole file but for the values of its pixel data, in which any three bytes turn up by chance."""
    data = path.read_bytes()
    dataset = read(path)
    if dataset.file_meta.TransferSyntaxUID.is_deflated:
        start = data.index(dataset.file_meta.TransferSyntaxUID.encode()) + len(dataset.file_meta.TransferSyntaxUID)
        at = next(k for k in range(start, len(data)) if _inflates(data[k:]))
        data = data[:at] + zlib.decompress(data[at:], -zlib.MAX_WBITS)
    for tag in PIXELS:
        if tag in dataset and isinstance(dataset[tag].value, bytes) and len(dataset[tag].value) > 64:
            assert dataset[tag].value in data
            data = data.replace(dataset[tag].value, b"")
    return data


def _inflates(data: bytes) -> bool:
    try:
        return len(zlib.decompress(data, -zlib.MAX_WBITS)) > len(data)
    except zlib.error:
        return False


def _stands_in(value: bytes, data: bytes) -> bool:
    """Short values are looked for as words: "LUT" is no name in "VOILUTFunction"."""
    if len(value) > 5:
        return value in data
    return re.search(rb"(?<![0-9a-z])" + re.escape(value) + rb"(?![0-9a-z])", data) is not None


def survivors(source: Path, copy: Path, options: Options) -> set[str]:
    """Tags of which a value stands in the copy still, where no coded or numeric value that stays holds the same."""
    made = read(copy)
    data = bytes_without_pixels(copy).lower()
    kept = {
        str(value).strip().lower().encode()
        for element in (*elements(made), *elements(made.file_meta))
        if element.VR in ("CS", "DS", "IS", "UI", "TM") or element.keyword in KEPT
        for value in (element.value if element.VM > 1 else [element.value])
    }
    return {
        f"{tag} {value!r}"
        for tag, value in identities(read(source), options)
        if _stands_in(value.lower(), data) and not any(value.lower() in one for one in kept)
    }


def test_no_identifying_value_survives_in_any_test_file(samples: dict[str, Path], tmp_path: Path) -> None:
    found, copied = {}, 0
    for options in (Options(), EVERYTHING):
        for name, source in samples.items():
            if options is EVERYTHING and source.stat().st_size > 300_000:
                continue  # large for their pixels, which options do not touch
            try:
                _, written = run(source, tmp_path / str(copied), options)
            except InputError:
                continue  # left out: nothing to survive in
            assert written.path is not None
            copied += 1
            left = survivors(source, written.path, options)
            if left:
                found[name] = {text.partition(")")[0] for text in left}  # tags only: a failure names no patient
            written.path.unlink()
    assert found == {}
    assert copied > 200


HIDDEN = "Zaphodsson"


@pytest.fixture
def hostile(samples: dict[str, Path], tmp_path: Path) -> Path:
    """A CT slice with the patient's name and number wherever a file has room for them."""
    with quiet():
        return _hostile(samples, tmp_path)


def _hostile(samples: dict[str, Path], tmp_path: Path) -> Path:
    dataset = read(samples["CT_small.dcm"])
    dataset.PatientName, dataset.PatientID = f"{HIDDEN}^Eva Möller", "MRN-4711-42"
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientBirthDate, dataset.StudyDate, dataset.ContentDate = "19470311", "20040119", "20040119"
    dataset.SeriesDescription = f"Thorax {HIDDEN} MRN-4711-42 19.01.2004"
    dataset.ManufacturerModelName = f"Scanner of {HIDDEN.upper()}"
    dataset.BodyPartExamined = HIDDEN
    dataset.add_new(0x00181078, "DT", "20040119101112.5+0100")
    dataset.add_new(0x00280103, "US", dataset.PixelRepresentation)
    dataset.DataSetTrailingPadding = f"padding {HIDDEN} ".encode()
    dataset.add_new(0x60000010, "US", 8)
    dataset.add_new(0x60000022, "LO", f"overlay of {HIDDEN}")
    dataset.add_new(0x60003000, "OW", HIDDEN.encode())
    dataset.add_new(0x60004000, "LT", f"overlay {HIDDEN}")
    dataset.add_new(0x50000022, "LO", f"curve {HIDDEN}")
    block = dataset.private_block(0x0009, f"{HIDDEN} CREATOR", create=True)
    block.add_new(1, "PN", f"{HIDDEN}^Hidden")
    inner = Dataset()
    inner.PatientName, inner.CodeMeaning, inner.AccessionNumber = f"{HIDDEN}^Eva", f"Head of {HIDDEN}", "ACC-99812"
    outer = Dataset()
    outer.ReferencedSOPSequence = Sequence([inner])
    outer.add_new(0x00091001, "LO", HIDDEN)
    dataset.AnatomicRegionSequence = Sequence([outer])
    dataset.RequestAttributesSequence = Sequence([inner])
    dataset.OriginalAttributesSequence = Sequence([outer])
    dataset.IconImageSequence = Sequence([outer])
    dataset.preamble = (b"MZ" + f"{HIDDEN} MRN-4711-42".encode()).ljust(128, b"\0")
    dataset.file_meta.SourceApplicationEntityTitle = HIDDEN[:16]
    path = tmp_path / f"{HIDDEN}.dcm"
    dataset.save_as(path)
    path.write_bytes(path.read_bytes() + HIDDEN.encode() * 3)
    return path


@pytest.mark.parametrize("options", [Options(), EVERYTHING], ids=["basic", "options"])
def test_names_hidden_anywhere_are_gone(hostile: Path, tmp_path: Path, options: Options) -> None:
    assert HIDDEN.encode() in hostile.read_bytes()[:128]
    copy, written = run(hostile, tmp_path / "out", options)
    assert written.path is not None
    data = written.path.read_bytes()
    forms = (HIDDEN, "Eva", "Möller", "MRN-4711-42", "ACC-99812", "19470311", "20040119")
    for form in (*forms, *(form.upper() for form in forms), "19.01.2004", "2004-01-19"):
        for encoding in ("latin-1", "utf-8", "utf-16-le"):
            assert form.encode(encoding) not in data
    assert survivors(hostile, written.path, options) == set()
    assert HIDDEN not in str(written.path)
    assert data[:128] == bytes(128)
    assert not any(element.tag.is_private or element.tag.group in (0x5000, 0x6000) for element in elements(copy))
    assert "SourceApplicationEntityTitle" not in copy.file_meta
    assert (copy.PatientIdentityRemoved, copy.BurnedInAnnotation if "BurnedInAnnotation" in copy else "") == ("YES", "")
    assert copy.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
    assert copy.PixelData == read(hostile).PixelData
    if options.clean_descriptors:
        assert copy.SeriesDescription == "Thorax"
    else:
        assert "SeriesDescription" not in copy


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        ("ISO_IR 144", "\u041b\u044e\u043a\u0441\u0435\u043c\u0431\u0443\u0440\u0433"),
        ("ISO_IR 192", "Äneas^Rüdiger"),
    ],
)
def test_names_in_any_character_set_are_gone(
    samples: dict[str, Path], tmp_path: Path, charset: str | list[str], name: str
) -> None:
    dataset = read(samples["CT_small.dcm"])
    dataset.SpecificCharacterSet = charset
    dataset.PatientName = name
    dataset.ManufacturerModelName = name.partition("=")[0].partition("^")[0]
    source = tmp_path / "in.dcm"
    with quiet():
        dataset.save_as(source)
    copy, written = run(source, tmp_path / "out", EVERYTHING)
    assert written.path is not None
    assert survivors(source, written.path, EVERYTHING) == set()
    assert copy.SpecificCharacterSet == "ISO_IR 192"
    assert copy.ManufacturerModelName == "REMOVED"


def test_texts_that_stay_are_the_same_in_utf8(samples: dict[str, Path], tmp_path: Path) -> None:
    dataset = read(samples["CT_small.dcm"])
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SeriesDescription = "Schädel für Übersicht"
    source = tmp_path / "in.dcm"
    dataset.save_as(source)
    copy, _ = run(source, tmp_path / "out", Options(clean_descriptors=True))
    assert copy.SeriesDescription == "Schädel für Übersicht"


def test_a_name_among_the_bytes_of_the_picture_is_refused(samples: dict[str, Path], tmp_path: Path) -> None:
    dataset = read(samples["CT_small.dcm"])
    dataset.PatientName = f"{HIDDEN}^Eva"
    dataset.PixelData = HIDDEN.encode() + dataset.PixelData[len(HIDDEN) :]
    source = tmp_path / "in.dcm"
    dataset.save_as(source)
    with pytest.raises(InputError, match="stands among its bytes") as caught:
        run(source, tmp_path / "out")
    assert HIDDEN not in str(caught.value)


# -- what has to stay the same


def test_pixels_stay_byte_for_byte_in_every_transfer_syntax(samples: dict[str, Path], tmp_path: Path) -> None:
    syntaxes = set()
    for name, source in samples.items():
        try:
            copy, _ = run(source, tmp_path / name)
        except InputError:
            continue
        original = read(source)
        assert _uid(copy.file_meta) == _uid(copy) != _uid(original), name
        for tag in PIXELS:
            if tag in original:
                assert copy[tag].value == original[tag].value, name
                syntaxes.add(copy.file_meta.TransferSyntaxUID)
        assert copy.file_meta.TransferSyntaxUID == original.file_meta.get(
            "TransferSyntaxUID", copy.file_meta.TransferSyntaxUID
        )
    assert len(syntaxes) >= 10


def _uid(dataset: Dataset) -> str:
    with quiet():
        return str(dataset.get("SOPInstanceUID", None) or dataset.MediaStorageSOPInstanceUID)


def test_references_follow_their_objects(samples: dict[str, Path], tmp_path: Path) -> None:
    ct = read(samples["CT_small.dcm"])
    seg = _segmentation_of(ct)
    source = tmp_path / "seg.dcm"
    seg.save_as(source)
    new_ct, first = run(samples["CT_small.dcm"], tmp_path / "out")
    new_seg, second = run(source, tmp_path / "out")
    reference = new_seg.ReferencedSeriesSequence[0]
    assert reference.SeriesInstanceUID == new_ct.SeriesInstanceUID
    assert reference.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == new_ct.SOPInstanceUID
    assert reference.ReferencedInstanceSequence[0].ReferencedSOPClassUID == ct.SOPClassUID
    assert new_seg.FrameOfReferenceUID == new_ct.FrameOfReferenceUID != ct.FrameOfReferenceUID
    assert new_seg.StudyInstanceUID == new_ct.StudyInstanceUID
    assert new_seg.PatientID == new_ct.PatientID == KEY.pseudonym(ct.PatientID)
    assert first.path is not None
    assert second.path is not None
    assert first.path.parents[1] == second.path.parents[1]
    assert re.fullmatch(r"2\.25\.\d{1,39}", new_ct.SOPInstanceUID)
    derivation = new_seg.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    assert derivation.ReferencedSOPInstanceUID == new_ct.SOPInstanceUID
    assert np.array_equal(new_seg.pixel_array, seg.pixel_array)


def test_texts_of_a_segment_are_cleaned(samples: dict[str, Path], tmp_path: Path) -> None:
    ct = read(samples["CT_small.dcm"])
    ct.PatientName = f"{HIDDEN}^Eva"
    seg = _segmentation_of(ct)
    segment = seg.SegmentSequence[0]
    segment.SegmentLabel = f"Lesion of {HIDDEN}"
    segment.SegmentDescription = f"{HIDDEN}, seen 2004-01-19 by her neighbour"
    segment.TrackingID, segment.TrackingUID = f"{HIDDEN} 2004-01-19 T1", "1.2.3.4.5"
    source = tmp_path / "seg.dcm"
    seg.save_as(source)
    basic = run(source, tmp_path / "basic")[0].SegmentSequence[0]
    assert (basic.SegmentLabel, basic.TrackingID) == ("Lesion of", "T1")
    assert "SegmentDescription" not in basic
    cleaned = run(source, tmp_path / "cleaned", Options(clean_descriptors=True))[0].SegmentSequence[0]
    assert cleaned.SegmentDescription == "seen by her neighbour"


def _segmentation_of(ct: Dataset) -> Dataset:
    from pydicom.sr.codedict import codes

    segment = highdicom.seg.SegmentDescription(
        1, "Thing", codes.SCT.Organ, codes.SCT.Organ, highdicom.seg.SegmentAlgorithmTypeValues.MANUAL
    )
    with quiet():
        ct.PositionReferenceIndicator = None
        return highdicom.seg.Segmentation(
            [ct],
            np.ones((1, ct.Rows, ct.Columns), np.uint8),
            highdicom.seg.SegmentationTypeValues.BINARY,
            [segment],
            highdicom.UID(),
            1,
            highdicom.UID(),
            1,
            "Maker",
            "Model",
            "1",
            "Serial",
        )


def test_the_same_key_gives_the_same_bytes_and_another_key_others(samples: dict[str, Path], tmp_path: Path) -> None:
    first, one = run(samples["CT_small.dcm"], tmp_path / "a", EVERYTHING)
    _, two = run(samples["CT_small.dcm"], tmp_path / "b", EVERYTHING)
    other, _ = run(samples["CT_small.dcm"], tmp_path / "c", EVERYTHING, Key.random())
    assert one.path is not None
    assert two.path is not None
    assert one.path.read_bytes() == two.path.read_bytes()
    assert one.path.relative_to(tmp_path / "a") == two.path.relative_to(tmp_path / "b")
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "PatientID", "StudyDate"):
        assert first[keyword].value != other[keyword].value


def test_dates_move_together_and_intervals_stay(samples: dict[str, Path], tmp_path: Path) -> None:
    dataset = read(samples["CT_small.dcm"])
    moved = {}
    for study, day in (("1.2.3", "20040119"), ("1.2.4", "20040229"), ("1.2.5", "20240301")):
        dataset.StudyInstanceUID, dataset.StudyDate = study, day
        dataset.AcquisitionDateTime, dataset.StudyTime = f"{day}235959.25+0100", "235959"
        source = tmp_path / f"{day}.dcm"
        dataset.save_as(source)
        copy, _ = run(source, tmp_path / "out" / day, Options(shift_dates=True))
        moved[day] = copy
    days = [np.datetime64(f"{d[:4]}-{d[4:6]}-{d[6:]}") for d in (str(copy.StudyDate) for copy in moved.values())]
    assert [int((day - days[0]).astype(int)) for day in days] == [0, 41, 7347]
    assert moved["20040119"].AcquisitionDateTime == moved["20040119"].StudyDate + "235959.25+0100"
    assert moved["20040119"].StudyTime == "235959"
    assert moved["20040119"].PatientBirthDate == ""
    assert moved["20040119"].LongitudinalTemporalInformationModified == "MODIFIED"


def test_a_date_that_everyone_knows_does_not_tell_by_how_many_days_the_others_moved(
    samples: dict[str, Path], tmp_path: Path
) -> None:
    dataset = read(samples["CT_small.dcm"])
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "T-A0100", "SRT", "Brain"
    code.ContextIdentifier, code.MappingResource = "4031", "DCMR"
    code.ContextGroupVersion = code.ContextGroupLocalVersion = "20020904"
    dataset.AnatomicRegionSequence = Sequence([code])
    source = tmp_path / "source.dcm"
    dataset.save_as(source)
    copy, _ = run(source, tmp_path / "out", Options(shift_dates=True))
    assert copy.StudyDate not in ("", dataset.StudyDate)
    [kept] = copy.AnatomicRegionSequence
    assert {kept.ContextGroupVersion, kept.ContextGroupLocalVersion} == {"19000101000000"}


@pytest.mark.parametrize(
    ("text", "vr", "result"),
    [
        ("20040229", "DA", "20040130"),
        ("2004.02.29", "DA", "20040130"),
        ("20040229101112+0100", "DT", "20040130101112+0100"),
        ("101112", "TM", "101112"),
        ("200402", "DT", None),
        ("20040231", "DA", None),
        ("born 20040229", "DA", None),
        ("00010101", "DA", None),
    ],
)
def test_a_date_moves_or_is_known_not_to(text: str, vr: str, result: str | None) -> None:
    assert shifted(text, vr, -30) == result


def test_options_keep_what_they_say(samples: dict[str, Path], tmp_path: Path) -> None:
    dataset = read(samples["CT_small.dcm"])
    dataset.PatientSex, dataset.PatientAge, dataset.PatientWeight = "F", "094Y", 61
    dataset.StationName, dataset.InstitutionName = "STATION7", "Hospital Zero"
    dataset.StudyDescription = "Head, dated 2004-01-19, tel. 0941 944 0"
    source = tmp_path / "in.dcm"
    dataset.save_as(source)
    basic, _ = run(source, tmp_path / "basic")
    assert (basic.PatientSex, "PatientAge" in basic, "PatientWeight" in basic) == ("", False, False)
    assert (basic.StationName, basic.InstitutionName) == ("REMOVED", "REMOVED")
    kept, _ = run(
        source,
        tmp_path / "kept",
        Options(
            retain_uids=True,
            retain_patient=True,
            retain_device=True,
            retain_institution=True,
            clean_descriptors=True,
            patient_id="CASE-1",
            patient_name="Case^One",
        ),
    )
    assert (kept.PatientSex, kept.PatientAge, kept.PatientWeight) == ("F", "090Y", 61)
    assert (kept.StationName, kept.InstitutionName) == ("STATION7", "Hospital Zero")
    assert kept.SOPInstanceUID == dataset.SOPInstanceUID
    assert (kept.PatientID, str(kept.PatientName)) == ("CASE-1", "Case^One")
    assert kept.StudyDescription == "Head, dated , tel."
    told = [item.CodeValue for item in kept.DeidentificationMethodCodeSequence]
    assert told == ["113100", "113105", "113108", "113109", "113110", "113112"]


def test_report_sentences_are_replaced_or_cleaned(samples: dict[str, Path], tmp_path: Path) -> None:
    original = read(samples["reportsi.dcm"])
    original.PatientName = f"{HIDDEN}^Eva"
    original.ContentSequence[-1].TextValue = f"The lungs of {HIDDEN} are clear."
    original.ContentSequence[-1].ValueType = "TEXT"
    source = tmp_path / "in.dcm"
    with quiet():
        original.save_as(source)
    basic, _ = run(source, tmp_path / "basic")
    assert basic.ContentSequence[-1].TextValue == "REMOVED"
    cleaned, _ = run(source, tmp_path / "cleaned", Options(clean_content=True))
    assert cleaned.ContentSequence[-1].TextValue == "The lungs of are clear."
    assert len(basic.ContentSequence) == len(original.ContentSequence)


def test_an_encapsulated_document_is_left_out(samples: dict[str, Path], tmp_path: Path) -> None:
    dataset = read(samples["CT_small.dcm"])
    del dataset.PixelData
    dataset.EncapsulatedDocument = b"%PDF-1.7 " + HIDDEN.encode() + b" "
    source = tmp_path / "in.dcm"
    dataset.save_as(source)
    with pytest.raises(InputError, match="encapsulated document"):
        run(source, tmp_path / "out")


def test_burned_in_words_are_warned_of_by_modality_and_attribute(samples: dict[str, Path], tmp_path: Path) -> None:
    dataset = read(samples["CT_small.dcm"])
    told = {}
    for modality, attribute in (("CT", ""), ("CT", "YES"), ("US", ""), ("US", "NO"), ("PT", "NO")):
        dataset.Modality, dataset.BurnedInAnnotation = modality, attribute
        source = tmp_path / f"{modality}{attribute}.dcm"
        dataset.save_as(source)
        _, written = run(source, tmp_path / f"out{modality}{attribute}")
        told[modality, attribute] = {warning.code for warning in written.warnings}
    assert told["CT", ""] == told["US", "NO"] == set()
    assert told["CT", "YES"] == told["US", ""] == {"burned-in"}
    assert told["PT", "NO"] == {"no-suv"}


def test_an_overlay_in_spare_bits_of_the_pixels_is_warned_of(samples: dict[str, Path], tmp_path: Path) -> None:
    dataset = read(samples["CT_small.dcm"])
    for position, told in ((0, False), (12, True)):
        dataset.add_new(0x60000102, "US", position)
        source = tmp_path / f"{position}.dcm"
        dataset.SOPInstanceUID = f"1.2.{position + 1}"
        dataset.save_as(source)
        _, written = run(source, tmp_path / "out")
        assert any("spare bits" in warning.text for warning in written.warnings) == told


def test_addresses_on_the_network_are_dropped_and_codes_stay(samples: dict[str, Path], tmp_path: Path) -> None:
    dataset = read(samples["CT_small.dcm"])
    code = Dataset()
    code.URNCodeValue, code.CodeMeaning = "urn:lex:us:federal:codified.regulation:2013-04-25;45CFR164", "A rule"
    dataset.AnatomicRegionSequence = Sequence([code])
    dataset.RetrieveURL = "https://pacs.hospital.example/wado?patient=4711"
    source = tmp_path / "source.dcm"
    dataset.save_as(source)
    copy, written = run(source, tmp_path / "out")
    assert written.path is not None
    assert b"hospital" not in written.path.read_bytes()
    assert copy.AnatomicRegionSequence[0].URNCodeValue == code.URNCodeValue


def test_the_validator_finds_no_new_error(samples: dict[str, Path], tmp_path: Path) -> None:
    def complaints(path: Path) -> set[str]:
        ran = subprocess.run(["dciodvfy", str(path)], capture_output=True, check=False)
        return {line for line in ran.stderr.decode("latin-1").splitlines() if line.startswith("Error")}

    for name in (
        "CT_small.dcm",
        "MR_small.dcm",
        "RG1_UNCR.dcm",
        "eCT_Supplemental.dcm",
        "liver_1frame.dcm",
        "US1_UNCR.dcm",
    ):
        for options in (Options(), EVERYTHING):
            _, written = run(samples[name], tmp_path / f"{name}{options.shift_dates}", options)
            assert written.path is not None
            assert complaints(written.path) - complaints(samples[name]) == set(), name


# -- the table, and files of other kinds


def test_the_table_has_what_the_standard_lists() -> None:
    assert len(rules()) == 655
    for tag, action in (
        (0x00100010, "Z"),
        (0x00100020, "Z/D"),
        (0x00080018, "U"),
        (0x00081140, "X/Z/U*"),
        (0x0040A730, "D"),
    ):
        rule = rule_for(tag)
        assert rule is not None
        assert rule.action == action
    assert rule_for(0x60123000) == rules()["60xx3000"]
    assert rule_for(0x50020010) == rules()["50xxxxxx"]
    assert rule_for(0x00080060) is None
    assert {rule.action for rule in rules().values()} == {"D", "Z", "X", "U", "Z/D", "X/Z", "X/D", "X/Z/D", "X/Z/U*"}


def test_known_values_leave_a_text_and_short_ones_as_words_only() -> None:
    known = Known(["Li^Wei Min=李"], ["4711"])
    assert known.scrub("Liver of Li, min 4711") == "Liver of"
    assert known.clean("Liver 19 Jan 2004 at 10:15, 0941-944-0") == "Liver at"
    assert not known.inside(b"Li Wei")
    assert Known(["Meier"], []).inside("Meier".encode("utf-16-le"))


def test_a_nifti_loses_its_texts_and_keeps_its_voxels(tmp_path: Path) -> None:

    image = nibabel.Nifti1Image(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.diag([2, 3, 4, 1.0]))
    image.header["descrip"], image.header["aux_file"], image.header["intent_name"] = HIDDEN, HIDDEN, HIDDEN
    image.header["db_name"] = HIDDEN
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", HIDDEN.encode() * 4))
    for name in (f"{HIDDEN}.nii", f"{HIDDEN}.nii.gz"):
        nibabel.save(image, tmp_path / name)
        written = deidentify_file(tmp_path / name, Kind.NIFTI, tmp_path / "out", Options(), KEY)
        assert written.path is not None
        copy = nibabel.load(written.path)
        assert np.array_equal(np.asanyarray(copy.dataobj), np.asanyarray(image.dataobj))
        assert np.array_equal(copy.affine, image.affine)
        assert HIDDEN.encode() not in gzip.decompress(written.path.read_bytes())
        assert HIDDEN not in written.path.name
        assert len(copy.header.extensions) == 0
    (tmp_path / "cut.nii").write_bytes((tmp_path / f"{HIDDEN}.nii").read_bytes()[:400])
    with pytest.raises(UnreadableError, match="whole NIfTI"):
        deidentify_file(tmp_path / "cut.nii", Kind.NIFTI, tmp_path / "out", Options(), KEY)


def test_a_copy_is_never_written_over_and_a_key_is_long_enough(samples: dict[str, Path], tmp_path: Path) -> None:
    run(samples["CT_small.dcm"], tmp_path)
    with pytest.raises(InputError, match="never overwritten"):
        run(samples["CT_small.dcm"], tmp_path)
    with pytest.raises(InputError, match="32 bytes"):
        Key(b"short")
    assert repr(KEY) == "Key()"


def test_a_deflated_bomb_is_refused_before_it_is_unpacked(
    samples: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = read(samples["image_dfl.dcm"])
    dataset.PixelData = bytes(40 * 1024**2)
    source = tmp_path / "bomb.dcm"
    dataset.save_as(source)
    assert source.stat().st_size < 100_000
    monkeypatch.setattr(whole, "MAX_BYTES", 20 * 1024**2)
    with pytest.raises(UnreadableError, match="would unpack to more"):
        run(source, tmp_path / "out")
    monkeypatch.setattr(whole, "MAX_BYTES", 50 * 1024**2)
    run(source, tmp_path / "out")


def test_a_uid_that_is_none_leads_nowhere_even_if_uids_are_retained(samples: dict[str, Path], tmp_path: Path) -> None:
    with quiet():
        dataset = read(samples["CT_small.dcm"])
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"../../{HIDDEN}", "9." * 300
        source = tmp_path / "in.dcm"
        dataset.save_as(source)
    _, written = run(source, tmp_path / "out", Options(retain_uids=True))
    assert written.path is not None
    assert written.path.name == f"{dataset.SOPInstanceUID}.dcm"
    assert len(written.path.relative_to(tmp_path / "out").parts) == 3
    assert HIDDEN not in str(written.path)
    assert HIDDEN.encode() not in written.path.read_bytes()


def test_a_damaged_patient_id_is_one_readable_error(samples: dict[str, Path], tmp_path: Path) -> None:
    data = samples["CT_small.dcm"].read_bytes().replace(b"\x10\x00\x20\x00LO", b"\x10\x00\x20\x00L\xa1")
    (tmp_path / "in.dcm").write_bytes(data)
    with pytest.raises(UnreadableError, match="left out"):
        run(tmp_path / "in.dcm", tmp_path / "out")
