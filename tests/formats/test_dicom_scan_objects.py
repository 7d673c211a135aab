"""What a scan makes of objects that are no images, of names in every character set, and of files that do harm."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_charset_files
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    DeflatedExplicitVRLittleEndian,
    EncapsulatedCDAStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    RawDataStorage,
    RTStructureSetStorage,
    SegmentationStorage,
    generate_uid,
)

from medviewer.formats import scan, write_dicom_series
from medviewer.formats.dicom import scan as dicom_scan
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom import whole
from medviewer.formats.dicom.headers import read_header
from medviewer.formats.dicom.series import series_of as put_in_order
from tests.formats.conftest import STUDY, grid_of, image_of, series_of


def item(**values) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def written(path: Path, sop_class: str, **values) -> Path:
    """An object without pixels, in the study of the other tests."""
    uid = generate_uid(entropy_srcs=[str(path.name), sop_class])
    ds = item(
        SOPClassUID=sop_class,
        SOPInstanceUID=uid,
        StudyInstanceUID=STUDY.uid,
        SeriesInstanceUID=generate_uid(entropy_srcs=[uid]),
        PatientID="ID1",
    )
    ds.update(item(**values))
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = sop_class, uid
    ds.save_as(path, enforce_file_format=True)
    return path


def slices(folder: Path) -> list[Path]:
    grid = grid_of((3, 5, 7))
    return list(write_dicom_series(image_of(grid), folder, study=STUDY, series=series_of(grid)))


# -- attachments


def test_real_masks_and_reports_are_attachments(samples):
    names = ["liver_1frame.dcm", "rtstruct.dcm", "reportsi.dcm", "test-SR.dcm"]
    result = scan([samples[name] for name in names])
    assert result.series == ()
    assert result.warnings == ()
    found = {one.file.name: one for one in result.attachments}
    assert {name: found[name].kind for name in names} == dict(
        zip(names, ["seg", "rtstruct", *["report"] * 2], strict=True)
    )
    mask, contours, report, other = (found[name] for name in names)
    assert (mask.title, mask.modality, mask.date, mask.is_mask) == ("Liver Segmentation", "SEG", "2016-03-18", True)
    assert mask.of_series == ("1.2.392.200103.20080913.113635.1.2009.6.22.21.43.10.23430.1",)
    assert (contours.title, contours.date) == ("sep30", "2009-12-23")
    assert contours.of_series == ("1.2.826.0.1.3680043.8.498.2010020400001.2.1.1",)
    assert (report.title, report.is_mask) == ("IHE Year 2 - Simple Image Report", False)
    assert other.title == "Demonstration of SR Features"
    for name in names:
        ds = pydicom.dcmread(samples[name], stop_before_pixels=True, force=True)
        assert (found[name].uid, found[name].series_uid) == (ds.SOPInstanceUID, ds.SeriesInstanceUID)


@pytest.mark.parametrize(
    ("sop_class", "kind", "title"),
    [
        (SegmentationStorage, "seg", "LABEL"),
        (RTStructureSetStorage, "rtstruct", "Contours"),
        (Comprehensive3DSRStorage, "report", "Radiology Report"),
        (KeyObjectSelectionDocumentStorage, "report", "Radiology Report"),
        (EncapsulatedPDFStorage, "pdf", "A document"),
        (EncapsulatedCDAStorage, "cda", "A document"),
    ],
)
def test_an_object_of_each_kind_joins_its_study(tmp_path, sop_class, kind, title):
    slices(tmp_path)
    referenced = item(SeriesInstanceUID="1.2.77")
    known = {
        "seg": {"ContentLabel": "LABEL", "ReferencedSeriesSequence": [referenced]},
        "rtstruct": {
            "StructureSetLabel": "Contours",
            "ReferencedFrameOfReferenceSequence": [
                item(RTReferencedStudySequence=[item(RTReferencedSeriesSequence=[referenced])])
            ],
        },
        "report": {
            "ConceptNameCodeSequence": [item(CodeMeaning="Radiology Report")],
            "CurrentRequestedProcedureEvidenceSequence": [item(ReferencedSeriesSequence=[referenced])],
        },
    }.get(kind, {"DocumentTitle": "A document"})
    path = written(tmp_path / "extra.dcm", sop_class, ContentDate="20240506", **known)
    [study] = scan([tmp_path]).studies
    assert len(study.series) == 1
    [attachment] = study.attachments
    assert (attachment.kind, attachment.title, attachment.file) == (kind, title, path)
    assert attachment.date == "2024-05-06"
    assert attachment.of_series == (() if kind in ("pdf", "cda") else ("1.2.77",))


def test_a_study_is_described_by_its_images_and_not_by_what_was_added(tmp_path):
    slices(tmp_path)
    [before] = scan([tmp_path]).studies
    written(tmp_path / "extra.dcm", SegmentationStorage, SeriesInstanceUID="1.1", PatientName="Other^Name")
    [study] = scan([tmp_path]).studies
    assert len(study.attachments) == 1
    assert (study.patient, study.date, study.description) == (before.patient, before.date, before.description)


def test_a_study_of_documents_only_is_a_study(tmp_path):
    written(tmp_path / "a.dcm", EncapsulatedPDFStorage)
    result = scan([tmp_path])
    assert result.warnings == ()
    assert (result.studies[0].uid, result.studies[0].patient.id) == (STUDY.uid, "ID1")
    assert [attachment.title for attachment in result.attachments] == ["Document"]


def test_a_copy_of_an_attachment_is_left_out_and_named(tmp_path):
    written(tmp_path / "a.dcm", EncapsulatedPDFStorage)
    shutil.copy(tmp_path / "a.dcm", tmp_path / "b.dcm")
    result = scan([tmp_path])
    assert len(result.attachments) == 1
    assert [warning.code for warning in result.warnings] == ["duplicate"]
    assert "b.dcm is the same object as a.dcm" in result.warnings[0].text


@pytest.mark.parametrize("sop_class", [GrayscaleSoftcopyPresentationStateStorage, RawDataStorage])
def test_what_is_neither_is_named(tmp_path, sop_class):
    written(tmp_path / "a.dcm", sop_class)
    result = scan([tmp_path])
    assert result.studies == ()
    assert [warning.code for warning in result.warnings] == ["unsupported", "nothing-found"]


# -- pixels of other kinds


@pytest.mark.parametrize(("bits", "shown"), [(1, True), (8, True), (16, True), (32, True), (12, False), (64, False)])
def test_bits_that_can_be_shown(tmp_path, bits, shown):
    [path] = slices(tmp_path)[:1]
    for other in tmp_path.glob("000[23].dcm"):
        other.unlink()
    ds = pydicom.dcmread(path)
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = bits, min(bits, 16), min(bits, 16) - 1
    ds.PixelData = bytes(35 * 8 + 8)
    ds.save_as(path)
    result = scan([tmp_path])
    assert bool(result.series) == shown
    if not shown:
        assert f"an image of {bits} bits a pixel; 1, 8, 16, 32 can be shown" in result.warnings[0].text


@pytest.mark.parametrize(
    ("keyword", "tag"),
    [("FloatPixelData", 0x7FE00008), ("DoubleFloatPixelData", 0x7FE00009), ("PixelData", 0x7FE00010)],
)
@pytest.mark.parametrize("odd", [False, True])
def test_the_header_says_which_element_holds_the_pixels(tmp_path, keyword, tag, odd):
    path = slices(tmp_path)[0]
    ds = pydicom.dcmread(path)
    pixels = np.arange(35, dtype={"P": "u2", "F": "f4", "D": "f8"}[keyword[0]])
    del ds.PixelData
    setattr(ds, keyword, pixels.tobytes() + b"\0" * (pixels.nbytes % 2))
    if odd:
        ds.preamble = None
        ds.file_meta = FileMetaDataset()
        ds.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=False)
    else:
        ds[keyword].VR = {"P": "OW", "F": "OF", "D": "OD"}[keyword[0]]
        ds.save_as(path)
    header = read_header(path)
    assert header.pixel_tag == tag
    stored = path.read_bytes()[header.pixel_offset : header.pixel_offset + pixels.nbytes]
    assert stored == pixels.tobytes()


# -- names


NAMES = {
    "chrArab.dcm": "قباني^لنزار",
    "chrFren.dcm": "Buc^Jérôme",
    "chrFrenMulti.dcm": "Buc^Jérôme",
    "chrGerm.dcm": "Äneas^Rüdiger",
    "chrGreek.dcm": "Διονυσιος",
    "chrH31.dcm": "Yamada^Tarou",
    "chrH32.dcm": "ﾔﾏﾀﾞ^ﾀﾛｳ",
    "chrHbrw.dcm": "שרון^דבורה",
    "chrI2.dcm": "Hong^Gildong",
    "chrJapMulti.dcm": "やまだ^たろう",
    "chrJapMultiExplicitIR6.dcm": "やまだ^たろう",
    "chrKoreanMulti.dcm": "김희중",
    "chrRuss.dcm": "Люкceмбypг",  # noqa: RUF001 - Russian
    "chrX1.dcm": "Wang^XiaoDong",
    "chrX2.dcm": "Wang^XiaoDong",
}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_names_in_every_character_set(name):
    [path] = [path for path in get_charset_files() if Path(path).name == name]
    assert read_header(Path(path)).person(t.PATIENT_NAME) == NAMES[name]
    for study in scan([Path(path)]).studies:  # some hold no pixels
        assert study.patient.name == NAMES[name]


@pytest.mark.parametrize(
    ("charset", "name", "text"),
    [
        ("GB18030", "王^小东", "头部 平扫"),
        ("GBK", "王^小东", "头部"),
        ("ISO_IR 192", "Ångström^Žofia=王^小东", "Schädel – ohne"),
        ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ", "ﾔﾏ"),
        ("ISO_IR 166", "สมชาย", "ศีรษะ"),
    ],
)
def test_texts_in_single_and_multi_byte_sets(tmp_path, charset, name, text):
    path = slices(tmp_path)[0]
    ds = pydicom.dcmread(path)
    ds.SpecificCharacterSet, ds.PatientName, ds.StudyDescription = charset, name, text
    ds.save_as(path)
    [study] = scan([path]).studies
    assert (study.patient.name, study.description) == (name.split("=")[0], text)


@pytest.mark.parametrize("unknown", [b"ISO_IR 999", b"ISO_IR\x00100", b"\\\\\\\\ISO 13", b"ISO 2022\xff"])
def test_a_set_that_nobody_knows_never_stops_a_scan(tmp_path, unknown):
    path = slices(tmp_path)[0]
    ds = pydicom.dcmread(path)
    ds.SpecificCharacterSet, ds.PatientName, ds.StudyDescription = "ISO_IR 100", "NAMENAME", "TEXTTEXT"
    ds.save_as(path)
    data = path.read_bytes().replace(b"ISO_IR 100", unknown.ljust(10))
    path.write_bytes(data.replace(b"NAMENAME", b"\xff\xfe^\x1b$)Cd").replace(b"TEXTTEXT", b"\x1b$B\xff\xfe\x1b$B"))
    [study] = scan([path]).studies
    assert study.series


# -- harm


@pytest.mark.parametrize(
    "magic",
    [b"MZ\x90\0", b"\x7fELF", b"\xfe\xed\xfa\xce", b"\xce\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"\xcf\xfa\xed\xfe",
     b"\xca\xfe\xba\xbe", b"\xbe\xba\xfe\xca"],
)  # fmt: skip
def test_a_preamble_that_is_a_program_is_flagged(tmp_path, magic):
    path = slices(tmp_path)[1]
    path.write_bytes(magic + path.read_bytes()[len(magic) :])
    [series] = scan([tmp_path]).series
    [warning] = series.warnings
    assert warning.code == "executable-preamble"
    assert warning.text.startswith("0002.dcm begins like a program")
    assert "`medviewer deidentify`" in warning.text


@pytest.mark.parametrize("head", [b"II*\0\x08\0\0\0", b"MM\0*", b"\0M", b"\xff\xd8\xff"])
def test_other_preambles_are_not_flagged(tmp_path, head):
    path = slices(tmp_path)[1]
    path.write_bytes(head + path.read_bytes()[len(head) :])
    assert scan([path]).series[0].warnings == ()


def test_a_program_in_front_of_a_report_is_flagged_too(tmp_path):
    path = written(tmp_path / "a.dcm", EncapsulatedPDFStorage)
    path.write_bytes(b"MZ" + path.read_bytes()[2:])
    result = scan([tmp_path])
    assert len(result.attachments) == 1
    assert [warning.code for warning in result.warnings] == ["executable-preamble"]


@pytest.mark.parametrize(
    "values",
    [
        {"Rows": 0},
        {"PixelSpacing": [-1, 0.5]},
        {"PixelSpacing": ["1E300", "1E300"]},
        {"ImagePositionPatient": ["1E38", 0, 0]},
        {"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]},
        {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
        {"SliceThickness": "-2"},
        {"SpacingBetweenSlices": "1E-300"},
        {"SamplesPerPixel": 0},
        {"SeriesNumber": "2147483647"},
        {"InstanceNumber": "-2147483648"},
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_absurd_values_never_stop_a_scan(tmp_path, values, count):
    for path in slices(tmp_path)[:count]:
        ds = pydicom.dcmread(path)
        ds.update(item(**values))
        ds.save_as(path)
    result = scan([tmp_path])
    seen = sum(len(series.files) for series in result.series)
    assert seen + sum(warning.code != "nothing-found" for warning in result.warnings) == 3
    for series in result.series:
        assert np.all(np.isfinite(series.grid.affine))


@pytest.mark.parametrize(
    ("error", "said", "logged"),
    [
        (ZeroDivisionError("Muster^Eva"), r"\(ZeroDivisionError\): their headers contradict each other", False),
        (KeyError("Muster^Eva"), r"\(KeyError\): this looks like a mistake in medviewer; report it", True),
    ],
)
def test_a_mistake_of_ours_costs_one_series_and_is_told_apart(tmp_path, monkeypatch, caplog, error, said, logged):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        slices(tmp_path / name)
    lost = pydicom.dcmread(next((tmp_path / "b").iterdir())).SeriesInstanceUID
    other = str(generate_uid())
    for path in (tmp_path / "a").iterdir():
        dataset = pydicom.dcmread(path)
        dataset.SeriesInstanceUID = other
        dataset.save_as(path)

    def fails(uid, *others):
        if uid == lost:
            raise error
        return put_in_order(uid, *others)

    monkeypatch.setattr(dicom_scan, "series_of", fails)
    result = scan([tmp_path])
    assert [series.uid for series in result.series] == [other]
    [warning] = result.warnings
    assert re.search(said, warning.text)
    assert ("in fails" in caplog.text) == logged
    assert "Muster" not in caplog.text + warning.text


def test_nesting_without_end_costs_one_file(tmp_path):
    path = slices(tmp_path)[1]
    data = path.read_bytes()
    deep = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 5000
    at = data.index(b"\x10\x00\x10\x00PN")
    path.write_bytes(data[:at] + deep + data[at:])
    result = scan([tmp_path])
    assert len(result.series[0].files) == 2
    assert [warning.code for warning in result.warnings] == ["unreadable"]


def test_a_deflated_bomb_is_refused_before_its_header_is_unpacked(tmp_path, monkeypatch):
    bomb = slices(tmp_path)[1]
    dataset = pydicom.dcmread(bomb)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.PixelData = bytes(1_000_000)
    dataset.save_as(bomb)
    [before] = scan([tmp_path]).series
    assert bomb in before.files
    monkeypatch.setattr(whole, "MAX_BYTES", 1_000_000)
    result = scan([tmp_path])
    assert bomb not in result.series[0].files
    [warning] = result.warnings
    assert (warning.code, f"{bomb.name} would unpack to more than" in warning.text) == ("unreadable", True)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_mutants_never_stop_a_scan(seed):
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = slices(folder)
        victim = files[int(rng.integers(0, 3))]
        data = bytearray(victim.read_bytes())
        for _ in range(int(rng.integers(1, 12))):
            at = int(rng.integers(128, len(data)))
            kind = rng.integers(0, 3)
            if kind == 0:
                data[at] = int(rng.integers(0, 256))
            elif kind == 1:
                del data[at : at + int(rng.integers(1, 40))]
            else:
                data[at:at] = bytes(rng.integers(0, 256, int(rng.integers(1, 40)), dtype=np.uint8))
            if len(data) <= 140:
                break
        victim.write_bytes(bytes(data))
        result = scan([folder])
    assert sum(len(series.files) for series in result.series) >= 2
