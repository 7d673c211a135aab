"""HTTP as a node wants it: who we are, whom we trust, how long we wait, how much we take."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests import PreparedRequest, Response
from requests.auth import AuthBase, HTTPBasicAuth

from medviewer.archive.remote.nodes import Node
from medviewer.errors import InputError, RemoteError

# Their debug lines hold addresses with what was searched for: names of patients.
for _name in ("dicomweb_client", "urllib3"):
    logging.getLogger(_name).setLevel(logging.WARNING)

TIMEOUT_S = (10.0, 60.0)
"""Seconds to connect, and between two pieces of an answer."""
MAX_ANSWER = 64 << 20
"""Bytes of an answer that is a list; objects are streamed and have their own limit."""

_CODES = {
    400: "does not understand the request; check its address",
    401: "refused the log-in; correct user, password or token",
    403: "does not allow that for this user; ask who runs it",
    404: "has no DICOMweb service at that address, or not what was asked for; check the address",
    405: "does not offer that service; check its address",
    406: "cannot send it in a form that is understood here; ask who runs it",
    409: "does not take the object; ask who runs it",
    413: "does not take objects of that size; ask who runs it",
    415: "does not take such objects; ask who runs it",
    429: "is busy; try again later",
    503: "is busy; try again later",
}


class Bearer(AuthBase):
    """A token in the header."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        """Put it there."""
        r.headers["Authorization"] = f"Bearer {self._token}"
        return r


class Nobody(AuthBase):
    """No log-in; without it, requests would look for one in the user's netrc file."""

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        """Leave the request as it is."""
        return r


class NodeSession(requests.Session):
    """A session that never follows a redirect to another host, waits no longer and takes no more than allowed."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node
        secret = node.secret.get_secret_value()
        if node.auth == "basic":
            # latin-1 is what requests makes of a text; servers expect UTF-8 (RFC 7617)
            self.auth = HTTPBasicAuth(node.user.encode(), secret.encode())
        else:
            self.auth = Bearer(secret) if node.auth == "bearer" else Nobody()
        self.verify = _file(node, node.ca_file) if node.verify and node.ca_file else node.verify
        if node.cert_file:
            cert = _file(node, node.cert_file)
            self.cert = (cert, _file(node, node.key_file)) if node.key_file else cert

    def prepare_request(self, request: requests.Request) -> PreparedRequest:
        """Leave the wildcard as it is, which is as right (RFC 3986 3.4): some archives do not decode a search."""
        prepared = super().prepare_request(request)
        prepared.url = prepared.url.replace("%2A", "*") if prepared.url else prepared.url
        return prepared

    def get_redirect_target(self, resp: Response) -> str | None:
        """Where a redirect leads; another scheme, host or port would see our log-in or what we ask for."""
        target = super().get_redirect_target(resp)
        if target is not None and _origin(urljoin(resp.url, target)) != _origin(resp.url):
            resp.close()  # nobody else will: its connection would stay open
            raise RemoteError(
                f"{self.node.name} sends us on to another host, which is not followed; set up that address instead."
            )
        return target

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Proxies may come from the environment; whom to trust is what the node says."""
        settings = super().merge_environment_settings(url, proxies, stream, verify, cert)
        if self.verify is not True:
            settings["verify"] = self.verify
        return settings

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        """Send a request; an answer that is not streamed is read here, as far as is allowed."""
        streamed = bool(kwargs.get("stream"))
        kwargs["stream"] = True
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = TIMEOUT_S
        response = super().send(request, **kwargs)
        if not streamed and not response._content_consumed:
            response._content = _bounded(self.node, response)
        return response


def _bounded(node: Node, response: Response) -> bytes:
    data = bytearray()
    with response:
        for chunk in response.iter_content(1 << 16):
            data += chunk
            if len(data) > MAX_ANSWER:
                raise RemoteError(f"{node.name} answers with more than {MAX_ANSWER >> 20} MB; narrow the search.")
    return bytes(data)


@contextmanager
def mapped(node: Node, what: str) -> Iterator[None]:
    """Turn what requests raises into our own errors.

    Parameters
    ----------
    what
        What the archive should do, for the sentence: ``answer the query``.
    """
    try:
        yield
    except requests.HTTPError as error:
        raise refusal(node, error.response) from None  # type: ignore[arg-type]  # raise_for_status has one
    except requests.exceptions.SSLError as error:
        reason = "it is not signed by a trusted authority" if "CERTIFICATE_VERIFY" in str(error) else "TLS failed"
        raise RemoteError(
            f"The certificate of {node.name} cannot be trusted ({reason}); check address and authority's file."
        ) from None
    except requests.exceptions.ConnectTimeout:
        raise RemoteError(f"{node.name} does not answer at {node.url}; check the address and the firewall.") from None
    except requests.exceptions.ReadTimeout:
        raise RemoteError(f"{node.name} should {what}, but stayed silent; try again later.") from None
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
        text = f"{node.name} should {what}, but the connection broke off; try again."
        raise RemoteError(text, type(error).__name__) from None
    except requests.exceptions.ConnectionError as error:
        text = f"Nothing answers at {node.url}, or it broke off; check the address and whether {node.name} is running."
        raise RemoteError(text, type(error).__name__) from None
    except (requests.RequestException, OSError) as error:
        raise RemoteError(f"{node.name} should {what}, but failed; try again.", type(error).__name__) from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        # an answer that is not what the standard says, or nests without an end, somewhere inside the client
        text = f"{node.name} should {what}, but its answer is no DICOMweb; check that its address is right."
        raise RemoteError(text, type(error).__name__) from None


def refusal(node: Node, response: Response) -> RemoteError:
    """The error for an answer with a status of 400 or more."""
    code = response.status_code
    reason = _CODES.get(code) or ("failed; ask who runs it" if code >= 500 else "refused it; ask who runs it")
    return RemoteError(f"{node.name} {reason} (HTTP {code}).")


def header(headers: Mapping[str, str], name: str) -> str:
    """A header of an answer, empty where there is none."""
    return headers.get(name, "")


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _file(node: Node, name: str) -> str:
    path = Path(name).expanduser()
    if not path.is_file():
        raise InputError(f"The certificate file {path.name} of {node.name} is not there; choose it again.")
    return str(path)
