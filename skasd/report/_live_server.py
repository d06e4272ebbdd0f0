"""A server of one process's own pages: read only, for those who may see them."""

import os
import re
import socket
import sys
from collections.abc import Callable
from hmac import compare_digest
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socketserver import TCPServer
from threading import BoundedSemaphore
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote

LOCALHOST = "127.0.0.1"

MOST_REQUESTS = 16
"""At the same time; others are turned away."""

SECONDS = 10
"""That a client may take to send a request, or to receive a part of the answer."""

HEADERS = {
    "Cache-Control": "no-store",
    "Connection": "close",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

NOTHING = "default-src 'none'"
"""The policy of what is no page."""


class Answer(NamedTuple):
    """What the server answers.

    Parameters
    ----------
    body : bytes
        The content.
    kind : str
        Its media type.
    status : HTTPStatus
        How it went.
    policy : str
        What a page may load, as a Content-Security-Policy.
    """

    body: bytes
    kind: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK
    policy: str = NOTHING


def parse_address(text: str) -> tuple[str, int]:
    """Parse the address of a server.

    Parameters
    ----------
    text : str
        ``PORT`` on localhost, or ``HOST:PORT``; an IPv6 address is in brackets.

    Returns
    -------
    host : str
    port : int
        0 takes a free one.

    Raises
    ------
    ValueError
        If it is no address.

    Examples
    --------
    >>> from skasd.report._live_server import parse_address
    >>> parse_address("8080"), parse_address("[::1]:8080")
    (('127.0.0.1', 8080), ('::1', 8080))
    """
    found = re.fullmatch(r"(?:(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/\[\]]+)):)?([0-9]{1,5})", text)
    if found is None or int(found[3]) > 65535:
        raise ValueError(
            f"address {text!r}: expected PORT, for this computer alone, or HOST:PORT, such as "
            "0.0.0.0:8080 for every computer that can reach this one."
        )
    return found[1] or found[2] or LOCALHOST, int(found[3])


class LiveServer(ThreadingHTTPServer):
    """Answer GET and HEAD requests of those who know the token, if there is one.

    Parameters
    ----------
    host : str
        Name or address to listen at.
    port : int
        Its port; 0 takes a free one.
    find : callable
        Called with a path and a query that carries the token on; returns an `Answer`, or None.

    Attributes
    ----------
    is_local : bool
        Whether only this computer can reach it.
    token : str or None
        What a request has to know; None if it need not.

    Raises
    ------
    OSError
        If it cannot listen there.

    Notes
    -----
    A page of another site, opened in a browser beside this one, can make its own name point to this
    server, and then read what it answers. So a request has to name a host that this one is.
    """

    # Elsewhere than on POSIX, this would let two servers have one port.
    allow_reuse_address = os.name == "posix"
    daemon_threads = True

    def __init__(self, host: str, port: int, find: Callable[[str, str], Answer | None]):
        try:
            family, *_, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            self.address_family = family
            super().__init__(address, _Handler)  # type: ignore[arg-type]
        except OSError as error:
            raise OSError(
                f"cannot listen at {host}:{port}: {error.strerror}. Pass another address."
            ) from error
        self.find = find
        self.host = host
        self.token: str | None = None
        bound = ip_address(str(self.server_address[0]))
        self.is_local, self._is_any = bound.is_loopback, bound.is_unspecified
        self._free = BoundedSemaphore(MOST_REQUESTS)

    @property
    def url(self) -> str:
        """Where it listens."""
        host = socket.gethostname() if self._is_any else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_address[1]}/"

    def is_called(self, host: str) -> bool:
        """Tell whether a Host header names this server."""
        found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/\[\]]+))(?::[0-9]*)?", host)
        if found is None:
            return False
        name = (found[1] or found[2]).lower().rstrip(".")
        try:
            address = ip_address(name)
        except ValueError:
            return name in ("localhost", self.host.lower(), socket.gethostname().lower())
        # An address is no name that another site could have.
        return address.is_loopback or self._is_any or name == self.server_address[0]

    def server_bind(self) -> None:
        """Bind, without asking the network what this computer is called."""
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, or turn away."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report a defect, but no client that has left."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: LiveServer
    timeout = SECONDS
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "skasd", ""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        tokens = parse_qs(query).get("token", [])
        if not self._names_this_server():
            self._refuse(HTTPStatus.FORBIDDEN, "the Host header names another server")
        elif not self._knows_token(tokens):
            self._refuse(HTTPStatus.UNAUTHORIZED, "the token is missing or wrong")
        else:
            carried = f"?token={quote(tokens[0], safe='')}" if tokens else ""
            answer = self.server.find(path, carried)
            if answer is None:
                self._refuse(HTTPStatus.NOT_FOUND, "there is no such page")
            else:
                self._send(answer)

    do_HEAD = do_GET  # noqa: N815

    def send_error(self, code: int, message: Any = None, explain: Any = None) -> None:
        """Refuse a request that is none, or of another method."""
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:
            status = HTTPStatus.METHOD_NOT_ALLOWED
        self._refuse(status, "only GET and HEAD requests are answered")

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing: an address may hold the token."""

    def _names_this_server(self) -> bool:
        hosts = self.headers.get_all("Host", [])
        return len(hosts) == 1 and self.server.is_called(hosts[0].strip())

    def _knows_token(self, tokens: list[str]) -> bool:
        if self.server.token is None:
            return True
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            tokens = [*tokens, given.strip()]
        held = self.server.token.encode()
        return any([compare_digest(each.encode(errors="replace"), held) for each in tokens])

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.close_connection = True
        self._send(Answer(f"{status.phrase}: {why}.\n".encode(), status=status))

    def _send(self, answer: Answer) -> None:
        body, status, headers = answer.body, answer.status, dict(HEADERS)
        if answer.kind.startswith("audio/"):
            # Some browsers play nothing that they cannot ask parts of.
            headers["Accept-Ranges"] = "bytes"
            found = re.fullmatch(r"bytes=([0-9]*)-([0-9]*)", self.headers.get("Range", ""))
            if found is not None:
                status, body, headers["Content-Range"] = _part(body, *found.groups())
        if status is HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = "GET, HEAD"
        headers["Content-Security-Policy"] = f"{answer.policy}; frame-ancestors 'none'"
        headers["Content-Type"] = answer.kind
        headers["Content-Length"] = str(len(body))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _part(body: bytes, first: str, last: str) -> tuple[HTTPStatus, bytes, str]:
    """Return the part of a body that a Range header asks for."""
    size = len(body)
    start = int(first) if first else max(size - int(last or 0), 0)
    stop = min(int(last) + 1, size) if first and last else size
    if start >= stop:
        return HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, b"", f"bytes */{size}"
    return HTTPStatus.PARTIAL_CONTENT, body[start:stop], f"bytes {start}-{stop - 1}/{size}"
