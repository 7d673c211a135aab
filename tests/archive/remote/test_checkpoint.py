"""An answer goes to who asked, however the threads of an association come and go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pynetdicom import build_context
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made when it is imported

from medviewer.archive.remote.dimse.association import associated
from medviewer.archive.remote.nodes import Node
from medviewer.archive.remote.peer import Stop
from tests.interop.servers import storescp_server

LATE_S = 0.3
"""How long a thread is held up at most, while the other one could go on."""


class _Slow:
    """`Association._is_paused`, whose own thread is always late to say that it goes on."""

    def __get__(self, association: Association, kind: type | None = None) -> bool:
        return bool(association.__dict__["paused"])

    def __set__(self, association: Association, paused: bool) -> None:
        if not paused and threading.current_thread() is association:
            _until(lambda: not association.dimse.msg_queue.empty())
        association.__dict__["paused"] = paused


def _until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LATE_S
    while not what() and time.monotonic() < deadline:
        time.sleep(0.001)


def test_an_answer_is_not_taken_by_the_thread_that_looks_for_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = DIMSEServiceProvider.get_msg

    def late(self: DIMSEServiceProvider, block: bool = False) -> object:
        if block:
            _until(lambda: not self.msg_queue.empty())
            _until(self.msg_queue.empty)  # the other thread's turn
        return get(self, block)

    monkeypatch.setattr(DIMSEServiceProvider, "get_msg", late)
    monkeypatch.setattr(Association, "_is_paused", _Slow(), raising=False)
    with storescp_server(tmp_path) as port:
        store = Node(name="Store", host="127.0.0.1", port=port, ae_title="STORE")
        with associated(store, [build_context(Verification)], Stop(), answer_s=3) as association:
            statuses = [association.send_c_echo().get("Status") for _ in range(3)]
    assert statuses == [0, 0, 0]
