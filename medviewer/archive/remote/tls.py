"""Encryption: what a node says about certificates, as a context of Python's ssl."""

from __future__ import annotations

import ssl
from pathlib import Path

from medviewer.archive.remote.nodes import Node
from medviewer.errors import InputError


def client_context(node: Node) -> ssl.SSLContext:
    """For connections that we open; TLS 1.2 or newer, the peer's certificate and name checked unless switched off.

    Raises
    ------
    InputError
        If a certificate or key cannot be read.
    """
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    if not node.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    _load(context, node)
    return context


def server_context(node: Node) -> ssl.SSLContext:
    """For our storage receiver: our certificate, and the peer's is demanded where it is to be checked.

    Raises
    ------
    InputError
        If we have no certificate, or it cannot be read.
    """
    if not node.cert_file:
        raise InputError(
            f"{node.name} sends by C-MOVE over TLS, for which our receiver needs a certificate and its key; name them "
            "in the settings of the archive, or choose C-GET."
        )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = ssl.CERT_REQUIRED if node.verify else ssl.CERT_NONE
    _load(context, node)
    return context


def _load(context: ssl.SSLContext, node: Node) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for name in (node.ca_file, node.cert_file, node.key_file):
        if name and not Path(name).expanduser().is_file():
            raise InputError(f"The certificate file {Path(name).name} of {node.name} is not there; choose it again.")
    try:
        if node.ca_file and node.verify:
            context.load_verify_locations(Path(node.ca_file).expanduser())
        if node.cert_file:
            key = Path(node.key_file).expanduser() if node.key_file else None
            context.load_cert_chain(Path(node.cert_file).expanduser(), key, password="")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise InputError(
            f"The certificates of {node.name} should be PEM files, a key without a passphrase, but cannot be used; "
            "choose others.",
            type(error).__name__,
        ) from None
