"""Telling patients apart without keeping who they are."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from uuid import uuid4

from medviewer.archive.blobs import sync_folder
from medviewer.errors import StoreError

FILE_NAME = "patient.key"
_BYTES = 32


def patient_key(home: Path, patient_id: str, study_uid: str) -> str:
    """Keyed hash (HMAC-SHA256, RFC 2104) by which the queue knows that two cases are of one patient.

    Without the archive's key file nobody can test whether a given patient is in the queue.

    Parameters
    ----------
    home
        The archive's folder; its key file is made on first use, readable by this user only.
    patient_id
        Patient ID.
    study_uid
        Study Instance UID, used where there is no Patient ID.

    Returns
    -------
    64 hexadecimal digits.

    Raises
    ------
    StoreError
        If both are empty, or the key file cannot be made or is damaged.
    """
    name = f"patient:{patient_id.strip()}" if patient_id.strip() else f"study:{study_uid.strip()}"
    if name == "study:":
        raise StoreError("A case needs a Patient ID or a Study Instance UID, and has neither; it cannot be queued.")
    return hmac.new(_key(home / FILE_NAME), name.encode(), hashlib.sha256).hexdigest()


def _key(path: Path) -> bytes:
    try:
        if not path.is_file():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise StoreError(f"The key file {path} cannot be made or read; check its permissions.", str(error)) from error
    if len(key) != _BYTES:
        raise StoreError(
            f"The key file {path} should hold {_BYTES} bytes and holds {len(key)}; restore it from a backup."
        )
    return key


def _make(path: Path) -> None:
    """Write a new key under another name and link it, so that of two processes one wins and both read the same."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(secrets.token_bytes(_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
