"""Archives on the network: the hospital's PACS, by DIMSE or DICOMweb, behind one `Peer`."""

from __future__ import annotations

from medviewer.archive.remote.found import Query, SeriesFound, StudyFound
from medviewer.archive.remote.nodes import Node, NodeBook, make_node
from medviewer.archive.remote.peer import MOST_STUDIES, Peer, Stop
from medviewer.archive.remote.retrieve import Outcome, Progress, Wanted, retrieve

__all__ = [
    "MOST_STUDIES",
    "Node",
    "NodeBook",
    "Outcome",
    "Peer",
    "Progress",
    "Query",
    "SeriesFound",
    "Stop",
    "StudyFound",
    "Wanted",
    "connect",
    "make_node",
    "retrieve",
]


def connect(node: Node) -> Peer:
    """What a node's archive can be asked; no connection is made yet."""
    # Each protocol has its own libraries, which a program that never uses it need not load.
    if node.kind == "dicomweb":
        from medviewer.archive.remote.web.peer import WebPeer

        return WebPeer(node)
    from medviewer.archive.remote.dimse.peer import DimsePeer

    return DimsePeer(node)
