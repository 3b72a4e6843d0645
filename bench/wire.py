"""A client that costs next to nothing: one kept connection, requests made of ready bytes."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Self

_END_OF_HEAD = b"\r\n\r\n"
_CHUNK = 2**16


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        """A header's text, None where it is not there.

        >>> Answer(503, b"HTTP/1.1 503 x\\r\\nRetry-After: 2", b"").header("retry-after")
        '2'
        """
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            found, _, text = line.partition(":")
            if found.lower() == name.lower():
                return text.strip()
        return None


def request(path: str, body: bytes = b"", *, method: str = "POST", **headers: str) -> bytes:
    """A request as it goes over the wire. Headers by keyword: `Content_Type="text/csv"`."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {text}" for name, text in headers.items()]
    return "\r\n".join(lines).encode() + _END_OF_HEAD + body


class Wire:
    """One connection to a server on this machine, opened again when the server closes it."""

    def __init__(self, port: int, *, timeout_s: float = 60) -> None:
        self._address = ("127.0.0.1", port)
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, ready: bytes) -> Answer:
        """The answer to a request made by `request`. Raises OSError."""
        if self._socket is None:
            self._socket = socket.create_connection(self._address, self._timeout_s)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._socket.sendall(ready)
            return self._answer(self._socket)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _answer(self, from_server: socket.socket) -> Answer:
        data = b""
        while _END_OF_HEAD not in data:
            data += _some(from_server)
        head, _, body = data.partition(_END_OF_HEAD)
        answer = Answer(int(head[9:12]), head, b"")
        length = int(answer.header("Content-Length") or 0)
        while len(body) < length:
            body += _some(from_server)
        if (answer.header("Connection") or "").lower() == "close":
            self.close()
        return Answer(answer.status, head, body)


def _some(from_server: socket.socket) -> bytes:
    data = from_server.recv(_CHUNK)
    if not data:
        raise ConnectionResetError("the server closed the connection without an answer")
    return data
