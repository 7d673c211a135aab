"""C-GET and C-MOVE: objects of a series from an archive to their landing (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from socketserver import BaseServer

from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at import
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)
from pynetdicom.transport import ThreadedAssociationServer

from medviewer.archive.remote import tls
from medviewer.archive.remote.dimse.association import accepted, associated, broken, check_status, opening
from medviewer.archive.remote.dimse.limits import ANSWER_S, CONNECT_S, MAX_PDU, MOVE_S, Meter
from medviewer.archive.remote.dimse.storage import SYNTAXES, Taker, distinct, offers
from medviewer.archive.remote.found import InstanceFound
from medviewer.archive.remote.landing import Landing
from medviewer.archive.remote.nodes import Node
from medviewer.archive.remote.peer import Stop
from medviewer.errors import RemoteError

_WHAT = "send the series"
_MOST_SENDERS = 4


def get(node: Node, landing: Landing, missing: Sequence[InstanceFound], whole: bool, stop: Stop) -> None:
    """Bring objects by C-GET, over the connection that asks for them; classes that the query found are offered."""
    classes = distinct(instance.sop_class for instance in missing)
    for group, contexts in offers(classes):
        left = [i for i in missing if (not classes or i.sop_class in group) and not landing.has(i.sop_uid)]
        if missing and not left:
            continue
        everything = not missing or (whole and len(left) == len(missing))
        _get_group(node, landing, contexts, left, everything, stop)


def _get_group(
    node: Node,
    landing: Landing,
    contexts: list[PresentationContext],
    left: Sequence[InstanceFound],
    everything: bool,
    stop: Stop,
) -> None:
    model = StudyRootQueryRetrieveInformationModelGet
    meter = Meter(stop, landing.max_object)
    taker = Taker(landing, meter, stop)
    # The peer stores to us over our own connection: we offer the provider's role (PS3.7 D.3.3.4).
    roles = [build_role(name, scp_role=True) for name in dict.fromkeys(str(c.abstract_syntax) for c in contexts)]
    handlers = [(evt.EVT_C_STORE, taker.store)]
    with associated(
        node, [build_context(model), *contexts], stop, meter=meter, handlers=handlers, roles=roles
    ) as association:
        if not accepted(association, model):
            raise RemoteError(f"{node.name} does not offer C-GET; choose C-MOVE in its settings.")
        if len(association.accepted_contexts) < 2:
            raise RemoteError(f"{node.name} does not send such objects by C-GET; choose C-MOVE in its settings.")
        for asked in _questions(landing, left, everything):
            status = _last(association.send_c_get(asked, model))
            _settle(node, association, status, taker, stop)


def move(node: Node, landing: Landing, missing: Sequence[InstanceFound], whole: bool, stop: Stop) -> None:
    """Bring objects by C-MOVE: the archive connects to our receiver, which listens as long as this runs."""
    model = StudyRootQueryRetrieveInformationModelMove
    with (
        receiving(node, landing, distinct(i.sop_class for i in missing), stop) as taker,
        associated(node, [build_context(model)], stop, answer_s=MOVE_S) as association,
    ):
        if not accepted(association, model):
            raise RemoteError(f"{node.name} does not offer C-MOVE; choose C-GET in its settings.")
        for asked in _questions(landing, missing, whole or not missing):
            status = _last(association.send_c_move(asked, node.own_ae_title, model))
            _settle(node, association, status, taker, stop)


class _Receiver(ThreadedAssociationServer):
    """Ends at once: pynetdicom's own looks every 0.5 s whether it should, which a study pays for each series."""

    def serve_forever(self, poll_interval: float = 0.02) -> None:
        """Take connections until `shutdown`."""
        super().serve_forever(poll_interval)

    def shutdown(self) -> None:
        """Stop listening."""
        BaseServer.shutdown(self)
        self.server_close()


@contextmanager
def receiving(node: Node, landing: Landing, classes: Sequence[str], stop: Stop) -> Iterator[Taker]:
    """Our storage receiver, listening inside the block only.

    It takes connections of that node's AE title to ours, the storage classes that were asked for, and the objects that
    its landing admits.

    Raises
    ------
    RemoteError
        If its address or port cannot be listened on.
    """
    meter = Meter(stop, landing.max_object)
    taker = Taker(landing, meter, stop)
    ae = AE(ae_title=node.own_ae_title)
    ae.require_called_aet = True
    ae.require_calling_aet = [node.ae_title]
    ae.maximum_associations = _MOST_SENDERS
    ae.maximum_pdu_size = MAX_PDU
    ae.acse_timeout, ae.dimse_timeout, ae.network_timeout = CONNECT_S, ANSWER_S, ANSWER_S
    names = dict.fromkeys(str(c.abstract_syntax) for _, contexts in offers(classes) for c in contexts)
    try:
        server = ae.make_server(
            (node.receiver_host, node.receiver_port),
            server_class=_Receiver,
            ssl_context=tls.server_context(node) if node.tls else None,
            evt_handlers=[*opening(meter), (evt.EVT_C_STORE, taker.store)],
            contexts=[build_context(name, list(SYNTAXES)) for name in names],
        )
    except OSError as error:
        raise RemoteError(
            f"Our receiver should listen on {node.receiver_host}:{node.receiver_port}, but cannot "
            f"({error.strerror or type(error).__name__}); choose another address or port for {node.name}."
        ) from None
    thread = threading.Thread(target=server.serve_forever, name="medviewer-receiver", daemon=True)
    thread.start()
    try:
        yield taker
    finally:
        server.shutdown()
        ae.shutdown()
        thread.join()


def _questions(landing: Landing, left: Sequence[InstanceFound], everything: bool) -> Iterator[Dataset]:
    """The series at once, or its objects one by one: not every archive takes a list of them."""
    if everything:
        yield _identifier("SERIES", landing)
        return
    for instance in left:
        if not landing.has(instance.sop_uid):
            asked = _identifier("IMAGE", landing)
            asked.SOPInstanceUID = instance.sop_uid
            yield asked


def _identifier(level: str, landing: Landing) -> Dataset:
    asked = Dataset()
    asked.QueryRetrieveLevel = level
    asked.StudyInstanceUID, asked.SeriesInstanceUID = landing.study_uid, landing.series_uid
    return asked


def _last(responses: Iterable[tuple[Dataset, Dataset | None]]) -> Dataset:
    """The status of the final response; while they come, objects land."""
    last = Dataset()
    for status, _ in responses:
        last = status
    return last


def _settle(node: Node, association: Association, status: Dataset, taker: Taker, stop: Stop) -> None:
    """Raise unless a question was answered and the connection is fit for the next one."""
    stop.check()
    taker.check()
    check_status(node, status, _WHAT, stop)
    if not association.is_established:
        raise broken(node, _WHAT)
