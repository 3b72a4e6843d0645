"""A JSON body of the API: strict, of bounded size, and never so deep that reading it fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

import orjson
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

_CHUNK = 2**20
# An answer reaches only a client that has sent its body: so much more is read and thrown away.
DRAIN_BYTES = 128 * 2**20


class JSONBodies(BaseParser):
    """DRF's own fails on what is nested a thousand deep, and is given the whole body: what is too
    large is then refused while its client still sends, who often never reads the answer."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Raises RequestDataTooBig, and ParseError for what is no JSON."""
        body = stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        if len(body) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            drain(stream)
            raise RequestDataTooBig
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(f"The body is no JSON: {error}.") from error


def drain(stream: IO[Any]) -> None:
    """Read on, and keep nothing."""
    drained = 0
    while drained < DRAIN_BYTES and (chunk := stream.read(_CHUNK)):
        drained += len(chunk)
