"""One association with an archive: opened, watched for the user's wish to stop, and what went wrong as a sentence."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext

from medviewer.archive.remote import tls
from medviewer.archive.remote.dimse.checkpoint import guard
from medviewer.archive.remote.dimse.limits import ANSWER_S, CONNECT_S, MAX_PDU, Meter
from medviewer.archive.remote.dimse.prompt import hurry
from medviewer.archive.remote.nodes import Node
from medviewer.archive.remote.peer import Stop
from medviewer.errors import RemoteError
from medviewer.formats.dicom.quiet import quiet

# What pynetdicom would log holds names of patients: identifiers, and whole messages.
_config.LOG_HANDLER_LEVEL = "none"
_config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False
# Files are sent from the disk, as they are.
_config.STORE_SEND_CHUNKED_DATASET = True
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)  # every failure is told by a RemoteError instead

_REJECTED = {
    (1, 3): "it does not know our AE title {own}; have it added there, or change ours",
    (1, 7): "it is not called {title}; correct its AE title",
    (2, 1): "it has no reason to give; ask who runs it",
    (3, 1): "it is busy; try again later",
    (3, 2): "it has too many connections; try again later",
}
"""Source and diagnostic of an A-ASSOCIATE-RJ (PS3.8 9.3.4)."""

_STATUS = {
    0xA700: "it is out of resources; try again later",
    0xA701: "it is out of resources; try again later",
    0xA702: "it could not send what it has; try again later, or retrieve by the other way",
    0xA801: "it does not know our AE title {own} as a destination; have it added there with our address and port",
    0xA900: "it does not understand the question; ask who runs it",
    0x0110: "it failed while working on it; ask who runs it",
    0x0122: "it does not offer that service for such objects; ask who runs it",
    0x0124: "it does not allow that; ask who runs it",
}
"""Status of a response (PS3.4 B.2.3, C.4; PS3.7 annex C)."""


@contextmanager
def associated(
    node: Node,
    contexts: list[PresentationContext],
    stop: Stop,
    *,
    meter: Meter | None = None,
    handlers: Sequence[tuple[Any, ...]] = (),
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
    answer_s: float = ANSWER_S,
) -> Iterator[Association]:
    """An association that is open inside the block, released at its end, and aborted when the user wants to stop.

    Raises
    ------
    RemoteError
        If it does not come about.
    JobCancelled
        If the user does not want it any more.
    """
    stop.check()
    meter = meter or Meter(stop)
    ae = AE(ae_title=node.own_ae_title)
    ae.connection_timeout = ae.acse_timeout = CONNECT_S
    ae.dimse_timeout = ae.network_timeout = answer_s
    try:
        with quiet():  # pynetdicom leaves a socket that did not connect to the collector, which warns
            association = ae.associate(
                node.host,
                node.port,
                contexts,
                node.ae_title,
                MAX_PDU,
                ext_neg=list(roles),
                tls_args=(tls.client_context(node), node.host) if node.tls else None,
                evt_handlers=[*opening(meter), *handlers],
            )
    except (OSError, ValueError, RuntimeError) as error:  # a host that has no address, for example
        raise RemoteError(_unreachable(node), type(error).__name__) from None
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(association, stop, done), name="medviewer-abort", daemon=True)
    try:
        if not association.is_established:
            stop.check()
            raise RemoteError(_refused(node, association))
        watcher.start()
        yield association
    finally:
        done.set()
        if association.is_established:
            association.release()
        if association.is_alive():
            association.abort()
        _close(association)
    stop.check()


def opening(meter: Meter) -> list[tuple[Any, ...]]:
    """Handlers of a connection that opens: it is counted, does not dawdle, and loses no answer."""
    return [(evt.EVT_CONN_OPEN, handler) for handler in (meter.attach, hurry, guard)]


def _close(association: Association) -> None:
    """Close the socket, which pynetdicom leaves to the collector where a connection failed."""
    channel = association.dul.socket
    if channel is not None and channel.socket is not None:
        channel.socket.close()


def _watch(association: Association, stop: Stop, done: threading.Event) -> None:
    """Wake who waits for an answer as soon as the user wants to stop: the peer may be silent for long.

    pynetdicom takes the empty answer for the end of its patience, and aborts. An abort from this thread would let its
    reactor take the answer, and nobody would wake.
    """
    while not done.wait(0.1):
        if stop.cancelled.is_set():
            association.dimse.msg_queue.put((None, None))


def check_status(node: Node, status: Dataset, what: str, stop: Stop) -> None:
    """Raise unless the final status of a response is success or a warning.

    Parameters
    ----------
    what
        What it should have done, for the sentence: ``answer the query``.

    Raises
    ------
    RemoteError
        If it failed, or never came.
    JobCancelled
        If that is because the user wanted to stop.
    """
    stop.check()
    if "Status" not in status:
        raise broken(node, what)
    code = int(status.Status)
    if code in (0x0000, 0x0001, 0x0107, 0x0116) or code >> 12 == 0xB:
        return
    reason = _STATUS.get(code) or _STATUS.get(code & 0xFF00) or "it failed with that code; ask who runs it"
    raise RemoteError(f"{node.name} should {what}, but {reason.format(own=node.own_ae_title)} (status {code:04X}).")


def broken(node: Node, what: str) -> RemoteError:
    """The connection ended before the answer."""
    return RemoteError(f"{node.name} should {what}, but the connection broke off or stayed silent; try again.")


def accepted(association: Association, abstract_syntax: str) -> bool:
    """Whether the peer offers that service."""
    return any(context.abstract_syntax == abstract_syntax for context in association.accepted_contexts)


def _refused(node: Node, association: Association) -> str:
    answer = association.acceptor.primitive
    if association.is_rejected and answer is not None:
        key = (int(answer.result_source or 0), int(answer.diagnostic or 0))
        reason = _REJECTED.get(key, "it gives no reason; check both AE titles")
        told = reason.format(own=node.own_ae_title, title=node.ae_title)
        return f"{node.name} answered at {node.host}:{node.port}, but refused the connection: {told}."
    if association.rejected_contexts:
        what = UID(str(association.rejected_contexts[0].abstract_syntax)).name
        return f"{node.name} takes connections, but does not take {what} in this form; ask who runs it."
    return _unreachable(node)


def _speaks_tls(node: Node, plain: socket.socket) -> bool:
    try:
        with tls.client_context(node).wrap_socket(plain, server_hostname=node.host):
            return True
    except ssl.SSLCertVerificationError:
        raise
    except OSError:  # ssl.SSLError is one, and so is a connection that is closed at once
        return False


def _unreachable(node: Node) -> str:
    """Why there is no connection: tried once more by hand, because pynetdicom keeps the reason to itself."""
    where = f"{node.host}:{node.port}"
    try:
        with socket.create_connection((node.host, node.port), CONNECT_S / 2) as plain:
            if node.tls and not _speaks_tls(node, plain):
                return f"{node.name} at {where} does not speak TLS as we do; check the port and both certificates."
    except ssl.SSLCertVerificationError as error:
        reason = error.verify_message or "it is not valid"
        return f"The certificate of {node.name} at {where} cannot be trusted ({reason}); check the authority's file."
    except socket.gaierror:
        return f"No machine called {node.host} is known here; correct the host of {node.name}."
    except TimeoutError:
        return f"{node.name} does not answer at {where}; check the address and the firewall."
    except OSError:
        return f"Nothing answers at {where}; check host and port of {node.name}, and whether it is running."
    # By TLS 1.3 a peer refuses our certificate, or that there is none, after the handshake.
    expected = "our certificate, or another one" if node.tls else "TLS"
    return (
        f"Something answers at {where}, but it does not take a DICOM connection; check the port, the AE titles and "
        f"whether {node.name} expects {expected}."
    )
