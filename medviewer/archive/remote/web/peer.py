"""A DICOMweb archive as a `Peer`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dicomweb_client.web import DICOMwebClient
from pydicom.dataset import Dataset

from medviewer.archive.remote.found import (
    INSTANCE_KEYS,
    SERIES_KEYS,
    STUDY_KEYS,
    InstanceFound,
    Query,
    SeriesFound,
    StudyFound,
    instance_of,
    series_of,
    study_of,
)
from medviewer.archive.remote.landing import Landing
from medviewer.archive.remote.nodes import Node
from medviewer.archive.remote.peer import MOST_STUDIES, Stop
from medviewer.archive.remote.web import transfer
from medviewer.archive.remote.web.session import TIMEOUT_S, NodeSession, mapped
from medviewer.formats.dicom.quiet import quiet

_PAGE = 5_000
_MOST_PAGES = 40
_WHAT = "answer the query"
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9*._~-]+")
"""What an address cannot hold as it is, and ``?``, which some archives count in bytes."""


class WebPeer:
    """Implements `Peer` by QIDO-RS, WADO-RS and STOW-RS."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def ping(self, stop: Stop) -> None:
        """A question with at most one answer."""
        stop.check()
        with mapped(self.node, "answer the test"), _client(self.node) as client:
            client.search_for_studies(limit=1)

    def studies(self, query: Query, stop: Stop) -> list[StudyFound]:
        """QIDO-RS for studies."""
        filters = {keyword: value for keyword, value in query.keys().items() if value}
        found = self._studies(filters, stop)
        loose = {keyword: _NOT_PLAIN.sub("*", value) for keyword, value in filters.items()}
        if not found and loose != filters:
            # Orthanc 1.10 takes an accent or a caret as the %xx that it has to be sent as, and so finds nothing.
            found = [study for study in self._studies(loose, stop) if query.matches(study)]
        return sorted(found, key=lambda study: (study.date, study.time), reverse=True)

    def _studies(self, filters: dict[str, str], stop: Stop) -> list[StudyFound]:
        stop.check()
        with mapped(self.node, _WHAT), _client(self.node) as client:
            rows = client.search_for_studies(limit=MOST_STUDIES, fields=list(STUDY_KEYS), search_filters=filters)
            found = [study for row in rows if (study := study_of(_dataset(row))) is not None]
        stop.check()
        return found

    def series(self, study_uid: str, stop: Stop) -> list[SeriesFound]:
        """QIDO-RS for the series of a study."""
        rows = self._all(
            lambda client, **page: client.search_for_series(study_uid, fields=list(SERIES_KEYS), **page),
            "0020000E",
            stop,
        )
        found = [series for row in rows if (series := series_of(row, study_uid)) is not None]
        return sorted(found, key=lambda series: (series.number is None, series.number or 0, series.series_uid))

    def instances(self, study_uid: str, series_uid: str, stop: Stop) -> list[InstanceFound]:
        """QIDO-RS for the objects of a series."""
        rows = self._all(
            lambda client, **page: client.search_for_instances(
                study_uid, series_uid, fields=list(INSTANCE_KEYS), **page
            ),
            "00080018",
            stop,
        )
        return [instance for row in rows if (instance := instance_of(row)) is not None]

    def fetch(self, landing: Landing, missing: Sequence[InstanceFound], whole: bool, stop: Stop) -> None:
        """WADO-RS, of the series or object by object."""
        with NodeSession(self.node) as session:
            if whole or not missing:
                transfer.fetch(session, landing, "", stop)
                return
            for instance in missing:
                if not landing.has(instance.sop_uid):
                    transfer.fetch(session, landing, instance.sop_uid, stop)

    def send(self, files: Sequence[Path], sent: Callable[[], None], stop: Stop) -> None:
        """STOW-RS."""
        with NodeSession(self.node) as session:
            transfer.send(session, files, sent, stop)

    def _all(self, search: Callable[..., list[dict[str, dict[Any, Any]]]], key: str, stop: Stop) -> list[Dataset]:
        """Every answer, page by page: archives limit an answer as they like, and some know no pages."""
        found: dict[str, dict[str, dict[Any, Any]]] = {}
        with mapped(self.node, _WHAT), _client(self.node) as client:
            for _ in range(_MOST_PAGES):
                stop.check()
                rows = search(client, offset=len(found), limit=_PAGE)
                new = {str(row.get(key, {}).get("Value", [""])[0]): row for row in rows}
                if not new.keys() - found.keys():
                    break
                found |= new
            return [_dataset(row) for row in found.values()]


@contextmanager
def _client(node: Node) -> Iterator[DICOMwebClient]:
    with NodeSession(node) as session:
        client = DICOMwebClient(node.url, session=session, permissive_uid=True, timeout=TIMEOUT_S)
        client.set_http_retry_params(retry=False)  # ours are at the level of the series
        yield client


def _dataset(row: dict[str, dict[Any, Any]]) -> Dataset:
    with quiet():
        return Dataset.from_json(row, bulk_data_uri_handler=lambda *_: None)
