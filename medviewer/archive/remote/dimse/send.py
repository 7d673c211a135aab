"""C-STORE: files to an archive, as they are (PS3.4 annex B)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from medviewer.archive.remote.dimse.association import associated, broken, check_status
from medviewer.archive.remote.dimse.storage import ROOM
from medviewer.archive.remote.nodes import Node
from medviewer.archive.remote.parcel import Parcel, parcel, whole
from medviewer.archive.remote.peer import Stop
from medviewer.errors import RemoteError
from medviewer.formats.dicom.quiet import quiet

_WHAT = "take the object"


def send(node: Node, files: Sequence[Path], sent: Callable[[], None], stop: Stop) -> None:
    """Send files one after the other; each stays byte for byte what it is wherever the archive takes its syntax."""
    for parcels, contexts in _loads([parcel(file) for file in files]):
        with associated(node, contexts, stop) as association, quiet():
            for one in parcels:
                stop.check()
                check_status(node, _store(node, association, one, stop), _WHAT, stop)
                sent()


def _loads(parcels: Sequence[Parcel]) -> Iterator[tuple[list[Parcel], list[PresentationContext]]]:
    """Parcels in loads whose contexts fit into one connection."""
    load: list[Parcel] = []
    offered: set[tuple[str, str]] = set()
    for one in parcels:
        if load and len(offered | one.contexts) > ROOM:
            yield load, [build_context(*pair) for pair in sorted(offered)]
            load, offered = [], set()
        load.append(one)
        offered |= one.contexts
    if load:
        yield load, [build_context(*pair) for pair in sorted(offered)]


def _store(node: Node, association: Association, one: Parcel, stop: Stop) -> Dataset:
    taken = {str(c.transfer_syntax[0]) for c in association.accepted_contexts if c.abstract_syntax == one.sop_class}
    stop.check()
    try:
        if str(one.syntax) in taken and not one.bare:
            return association.send_c_store(one.file)
        if taken and (one.bare or str(ImplicitVRLittleEndian) in taken):
            return association.send_c_store(whole(one))
    except RuntimeError:  # the association is gone
        stop.check()
        raise broken(node, _WHAT) from None
    except ValueError as error:
        raise RemoteError(_not_taken(node, one), type(error).__name__) from None
    raise RemoteError(_not_taken(node, one))


def _not_taken(node: Node, one: Parcel) -> str:
    return f"{node.name} does not take {one.sop_class.name} in {one.syntax.name}; ask who runs it."
