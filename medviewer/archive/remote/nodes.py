"""The archives on the network that the user has set up, kept in ``nodes.json``.

The file holds passwords and tokens as they are, so that medviewer can use them without asking; it is readable by its
owner only (mode 0600), and so is its folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator

from medviewer.archive.blobs import sync_folder
from medviewer.archive.home import make_folder
from medviewer.archive.lock import alone
from medviewer.errors import InputError, NotFoundError, StoreError

FILE_NAME = "nodes.json"
_VERSION = 1
_LARGEST_FILE = 1 << 20

Kind = Literal["dimse", "dicomweb"]
Port = Annotated[int, Field(ge=1, le=65535)]


class Node(BaseModel):
    """One archive on the network, and how to talk to it.

    Parameters
    ----------
    name
        What the user calls it; unique.
    kind
        ``dimse`` (the classic DICOM protocol) or ``dicomweb``.
    host, port, ae_title
        Where a DIMSE archive listens, and its Application Entity title (1 to 16 characters).
    own_ae_title
        The title that medviewer calls itself with, as the archive knows it.
    retrieve_by
        ``get`` (C-GET, over the same connection) or ``move`` (C-MOVE: the archive connects back to us).
    receiver_host, receiver_port
        Address of this machine and port that the receiver listens on while a C-MOVE runs, and never else.
    tls, verify, ca_file, cert_file, key_file
        Whether the connection is encrypted, whether the archive's certificate and name are checked, the authorities to
        check them by (by default the system's), and our own certificate and key (PEM) where the archive asks for them.
    url
        Base address of the DICOMweb services, for example ``https://pacs.example/dicom-web``.
    auth, user, secret
        How to log in there: ``none``, ``basic`` (user and password) or ``bearer`` (a token).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, str_strip_whitespace=True)

    name: str
    kind: Kind = "dimse"
    host: str = ""
    port: Port = 104
    ae_title: str = ""
    own_ae_title: str = "MEDVIEWER"
    retrieve_by: Literal["get", "move"] = "get"
    receiver_host: str = ""
    receiver_port: Port = 11112
    tls: bool = False
    verify: bool = True
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    url: str = ""
    auth: Literal["none", "basic", "bearer"] = "none"
    user: str = ""
    secret: SecretStr = SecretStr("")

    @field_validator("name")
    @classmethod
    def _named(cls, value: str) -> str:
        if not 1 <= len(value) <= 64 or not value.isprintable():
            raise ValueError("A name has 1 to 64 characters.")
        return value

    @field_validator("host", "receiver_host")
    @classmethod
    def _addressed(cls, value: str, info: ValidationInfo) -> str:
        needed = info.data.get("kind") == "dimse" and (
            info.field_name == "host" or info.data.get("retrieve_by") == "move"
        )
        if needed and not value:
            raise ValueError("A host name or an IP address is needed.")
        if any(c.isspace() or c in "/@" for c in value):
            raise ValueError("A host name or an IP address has no blanks and no slashes.")
        return value

    @field_validator("ae_title", "own_ae_title")
    @classmethod
    def _titled(cls, value: str, info: ValidationInfo) -> str:
        # PS3.5 6.2: AE is 16 characters of the default repertoire without backslash and control characters.
        if info.data.get("kind") == "dimse" and not 1 <= len(value) <= 16:
            raise ValueError("An AE title has 1 to 16 characters.")
        if not value.isascii() or not value.isprintable() or "\\" in value:
            raise ValueError("An AE title is plain ASCII, without a backslash.")
        return value

    @field_validator("url")
    @classmethod
    def _located(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("kind") != "dicomweb":
            return value
        try:
            parts = urlsplit(value)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            good = False
        if not good or any(c.isspace() for c in value):
            raise ValueError("An address like https://pacs.example/dicom-web is needed.")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("The address takes no password, no ? and no #; log in by the fields below.")
        return value.rstrip("/")

    @field_validator("user", "secret")
    @classmethod
    def _credited(cls, value: Any, info: ValidationInfo) -> Any:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        auth = info.data.get("auth")
        if info.data.get("kind") == "dicomweb":
            if info.field_name == "user" and auth == "basic" and (not text or ":" in text):
                raise ValueError("A user name without a colon is needed.")
            if info.field_name == "secret" and auth == "bearer" and not text:
                raise ValueError("A token is needed.")
        if any(ord(c) < 32 for c in text):
            raise ValueError("Line breaks and control characters cannot be sent.")
        return value

    @field_validator("key_file")
    @classmethod
    def _paired(cls, value: str, info: ValidationInfo) -> str:
        if value and not info.data.get("cert_file"):
            raise ValueError("A key needs its certificate.")
        return value

    @property
    def where(self) -> str:
        """Where it is, for a list; no secret."""
        return self.url if self.kind == "dicomweb" else f"{self.ae_title} at {self.host}:{self.port}"

    @property
    def is_encrypted(self) -> bool:
        """Whether what is sent cannot be read on the way."""
        return self.url.startswith("https:") if self.kind == "dicomweb" else self.tls


def make_node(values: dict[str, Any]) -> tuple[Node | None, dict[str, str]]:
    """A node from what a form or a command gave, or None and a sentence for each field that is wrong."""
    try:
        return Node(**values), {}
    except ValidationError as error:
        problems: dict[str, str] = {}
        for problem in error.errors(include_url=False, include_input=False, include_context=False):
            field = str(problem["loc"][0]) if problem["loc"] else "name"
            problems.setdefault(field, problem["msg"].removeprefix("Value error, "))
        return None, problems


class NodeBook:
    """The nodes of one home folder. Every call reads the file anew: several programs may share it.

    Parameters
    ----------
    home
        The archive's folder.
    """

    _writing = threading.Lock()

    def __init__(self, home: Path) -> None:
        self.path = home / FILE_NAME

    def nodes(self) -> list[Node]:
        """Every node, by name.

        Raises
        ------
        StoreError
            If the file cannot be read or is not what `save` writes.
        """
        try:
            if self.path.stat().st_size > _LARGEST_FILE:
                raise ValueError("the file is too large")
            data = json.loads(self.path.read_text(encoding="utf-8"))
            if data["version"] > _VERSION:
                raise ValueError("the file is from a newer medviewer")
            found = [Node(**entry) for entry in data["nodes"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            # pydantic's own text quotes what it was given, a password for example
            reason = type(error).__name__ if isinstance(error, ValidationError) else str(error)
            raise StoreError(
                f"{FILE_NAME} should hold the archives that were set up, but cannot be read; repair or remove it.",
                f"{self.path}: {reason}",
            ) from None
        return sorted(found, key=lambda node: node.name.casefold())

    def get(self, name: str) -> Node:
        """The node of that name; raises NotFoundError where there is none."""
        nodes = self.nodes()
        for node in nodes:
            if node.name == name:
                return node
        known = f"set up are: {', '.join(node.name for node in nodes)}" if nodes else "none is set up yet"
        raise NotFoundError(f"There is no archive called {name}; {known}.")

    def save(self, node: Node, replacing: str = "") -> None:
        """Keep a node.

        Parameters
        ----------
        replacing
            The name of the node whose place it takes; empty for a new one.

        Raises
        ------
        InputError
            If another node has its name.
        StoreError
            If the file cannot be written.
        """
        with self._alone():
            others = [other for other in self.nodes() if other.name != replacing]
            if any(other.name.casefold() == node.name.casefold() for other in others):
                raise InputError(f"There is an archive called {node.name} already; choose another name.")
            self._write([*others, node])

    def remove(self, name: str) -> None:
        """Forget a node; raises NotFoundError where there is none of that name."""
        with self._alone():
            gone = self.get(name)
            self._write([node for node in self.nodes() if node != gone])

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else changes the file between reading and writing it, in this process or another."""
        make_folder(self.path.parent)
        with self._writing, alone(self.path.with_name(f"{FILE_NAME}.lock")):
            yield

    def _write(self, nodes: list[Node]) -> None:
        entries = [{**node.model_dump(), "secret": node.secret.get_secret_value()} for node in nodes]
        text = json.dumps({"version": _VERSION, "nodes": entries}, indent=2, ensure_ascii=False)
        make_folder(self.path.parent)
        temporary = self.path.with_name(f".{FILE_NAME}.{uuid4().hex}.tmp")
        try:
            # The mode is there before the first byte is.
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise StoreError(
                f"{FILE_NAME} could not be written to {self.path.parent}; free some space or check its permissions.",
                str(error),
            ) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
