"""Retrieve into the list of studies, and send a mask, against Orthanc."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import SegmentationStorage

from medviewer import formats
from medviewer.app.commands import masks, pacs, study
from medviewer.app.services import Services
from medviewer.archive.remote import Node, Query, Wanted
from medviewer.domain.image import Image
from medviewer.errors import InputError, JobCancelled
from tests.app.conftest import SERIES, STUDY
from tests.interop.servers import PASSWORD, USER, Orthanc


def finish(services: Services) -> None:
    """Let every job end, and those that they begin."""
    while services.runner.jobs:
        services.runner.wait(services.runner.jobs[0], 60)


@pytest.fixture
def node(orthanc: Orthanc, image: Image, tmp_path: Path) -> Node:
    """Orthanc, with the CT in it."""
    folder = tmp_path / "ct"
    folder.mkdir()
    orthanc.upload(*formats.write_dicom_series(image, folder, study=STUDY, series=SERIES))
    return Node(name="PACS", host="127.0.0.1", port=orthanc.dicom_port, ae_title="ORTHANC")


@pytest.mark.parametrize("kind", ["dimse", "dicomweb"])
def test_retrieve_open_and_send_a_mask(
    kind: str, node: Node, orthanc: Orthanc, launch: Callable[..., Services], tmp_path: Path
) -> None:
    services = launch()
    web = Node(name="Web", kind="dicomweb", url=orthanc.url, auth="basic", user=USER, secret=PASSWORD)
    chosen = web if kind == "dicomweb" else node
    job = pacs.query(services, chosen, Query(name="Muster"))
    services.runner.wait(job, 60)
    (found,) = job.result()
    retrieval = pacs.retrieve(services, chosen, [Wanted(found.study_uid)], show=True)
    finish(services)
    assert [(state.present, state.total) for state in retrieval.progress.values()] == [(4, 4)]
    assert services.session.series is not None
    assert services.session.series.instance_uid == SERIES.uid
    masks.new(services).paint(np.array([5, 6]), 1)
    pacs.send(services, chosen, "mask")
    finish(services)
    assert services.session.message is not None
    assert services.session.message.level == "ok", services.session.message.text
    again = pacs.retrieve(services, chosen, [Wanted(found.study_uid)])
    finish(services)
    (outcome,) = again.job.result()
    assert (outcome.present, outcome.complete) == (5, True)
    (seg,) = [f for f in outcome.folder.rglob("*.dcm") if dcmread(f).SOPClassUID == SegmentationStorage]
    assert dcmread(seg) == dcmread(_saved(orthanc, seg, tmp_path))
    assert services.session.image is not None
    back = formats.load_segmentation(seg, services.session.image.grid)
    assert np.flatnonzero(back.labels).tolist() == [5, 6]


def _saved(orthanc: Orthanc, seg: Path, folder: Path) -> Path:
    path = folder / "stored.dcm"
    path.write_bytes(orthanc.stored(str(dcmread(seg).SOPInstanceUID)))
    return path


def test_cancelled_is_said(node: Node, launch: Callable[..., Services]) -> None:
    services = launch()
    retrieval = pacs.retrieve(services, node, [Wanted(STUDY.uid)])
    retrieval.job.cancel()
    finish(services)
    with pytest.raises(JobCancelled):
        retrieval.job.result()
    assert services.session.message is not None
    assert "cancelled" in services.session.message.text


def test_nothing_to_send(launch: Callable[..., Services], node: Node, services: Services) -> None:
    with pytest.raises(InputError, match="open a study first"):
        pacs.send(launch(), node, "series")
    with pytest.raises(InputError, match="no mask to send"):
        pacs.send(services, node, "mask")
    study.close(services)
