"""The body of a request, read within limits: plain or gzip, never more memory than allowed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.http import HttpRequest, UnreadablePostError
from gunicorn.http.body import Body
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType

from sensors.counters import BYTES
from smartmaint.api import TooLarge
from smartmaint.json_bodies import drain

# So much is asked for at once, and so much inflated.
_CHUNK, _PIECE = 2**20, 2**16
_GZIP = 16 + zlib.MAX_WBITS
_CHARSETS = {"utf-8", "utf8", "us-ascii"}


class LengthRequired(APIException):
    status_code = 411
    default_code = "length_required"
    default_detail = "State the Content-Length; this server cannot read a chunked body."


def read_body(request: HttpRequest) -> bytes:
    """The whole body, inflated. Raises an APIException: 400, 411, 413 or 415."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "x-gzip", ""}:
        raise UnsupportedMediaType(encoding, "Content-Encoding is gzip or none.")
    received = _received(request)
    return b"".join(_inflated(received) if "gzip" in encoding else received)


def discard(request: HttpRequest) -> None:
    """Read what is left of a body that is not wanted and throw it away.

    The server closes a connection whose body was not read, under the next request of a client that
    keeps it. A body that is longer than one may be is left to that.
    """
    length = int(request.headers.get("Content-Length") or 0)
    if 0 < length <= settings.INGEST_MAX_BODY_BYTES:
        with suppress(UnreadablePostError, OSError):
            drain(_stream(request))


def require_media_type(request: HttpRequest, *accepted: str) -> str:
    """The request's media type, the first of the accepted ones when it states none.

    Raises 415 naming what is accepted, for another type or for a charset other than UTF-8.
    """
    stated = (request.content_type or accepted[0]).lower()
    if stated not in accepted:
        raise UnsupportedMediaType(
            stated, f"Content-Type is {' or '.join(accepted)}, not {stated[:100]}."
        )
    charset = (request.content_params or {}).get("charset", "utf-8").strip("\"' ").lower()
    if charset not in _CHARSETS:
        raise UnsupportedMediaType(stated, f"The charset is utf-8, not {charset[:100]}.")
    return stated


def _received(request: HttpRequest) -> Iterator[bytes]:
    """The body in chunks, never more than the limit."""
    limit = settings.INGEST_MAX_BODY_BYTES
    stream = _stream(request)
    length = 0
    try:
        while chunk := stream.read(_CHUNK):
            length += len(chunk)
            if length > limit:
                drain(stream)
                raise TooLarge(f"A body has at most {limit} bytes.", "body_too_large")
            yield chunk
    except (UnreadablePostError, OSError) as error:
        raise ParseError("The body ended early.", "body_incomplete") from error
    # What came of a body that was cut off may look like a whole one, its last number cut short.
    BYTES.inc(length)
    if length < int(request.headers.get("Content-Length") or 0):
        raise ParseError("The body ended early.", "body_incomplete")


def _stream(request: HttpRequest) -> Any:
    """Where the body is read from. Django knows no chunked bodies; the server may."""
    if request.headers.get("Transfer-Encoding", "").lower() != "chunked":
        # gunicorn's stream puts a body together from pieces of 1 KiB whatever is asked for; the
        # reader below it, which knows the length too, gives what is asked for.
        served = request.environ.get("wsgi.input")  # type: ignore[attr-defined]
        return served.reader if isinstance(served, Body) else request
    if not request.environ.get("wsgi.input_terminated"):  # type: ignore[attr-defined]
        raise LengthRequired
    return request.environ["wsgi.input"]  # type: ignore[attr-defined]


def _inflated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The members of a gzip stream, one after the other, in pieces of bounded size."""
    limit = settings.INGEST_MAX_UNZIPPED_BYTES
    inflater, length = zlib.decompressobj(_GZIP), 0
    has_begun = False
    for chunk in chunks:
        rest = chunk
        while rest:
            if inflater.eof:
                inflater = zlib.decompressobj(_GZIP)
            has_begun = True
            piece = _inflate(inflater, rest)
            length += len(piece)
            if length > limit:
                for _ in chunks:  # so that the answer can be read; see DRAIN_BYTES
                    pass
                raise TooLarge(f"A body has at most {limit} bytes inflated.", "body_too_large")
            yield piece
            rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    if has_begun and not inflater.eof:
        raise ParseError("The gzip stream ended early.", "gzip_invalid")


def _inflate(inflater: Any, data: bytes) -> bytes:
    try:
        piece: bytes = inflater.decompress(data, _PIECE)
    except zlib.error as error:
        raise ParseError(f"The body is not gzip: {error}", "gzip_invalid") from error
    return piece
