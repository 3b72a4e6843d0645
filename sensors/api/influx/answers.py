"""Answers in the words of InfluxDB, so that its clients read them: v1's and v2's error objects."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, ClassVar

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.response import Response

from sensors.acquisition import Receipt
from sensors.formats import IntArray
from smartmaint.api import Failure

# Clients read a version from it, and that v2's addresses are there.
VERSION_HEADERS = {"X-Influxdb-Version": "2.0.0+smartmaint", "X-Influxdb-Build": "smartmaint"}
MAX_NAMED = 100
_MAX_HEADER = 500

_CODES = {
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.METHOD_NOT_ALLOWED: "method not allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "request too large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported media type",
    HTTPStatus.TOO_MANY_REQUESTS: "too many requests",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
}


class JsonAlways(BaseContentNegotiation):
    """Whatever the client accepts: v1's Python client asks for msgpack and reads JSON too."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        return parsers[0] if parsers else None

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class V2:
    """Errors are {"code", "message"}, and "line" where the first bad one is known."""

    units: ClassVar = {"": "ns", **{name: name for name in ("ns", "us", "ms", "s")}}
    bucket: ClassVar = "bucket"

    @staticmethod
    def error(status: int, message: str, line: int | None = None) -> Response:
        code = _CODES.get(HTTPStatus(status), "invalid")
        body: dict[str, Any] = {"code": code, "message": message}
        if line is not None:
            body["line"] = line
        return Response(body, status=status, headers={"X-Platform-Error-Code": code})


class V1:
    """Errors are {"error"}, and once more in a header. There is no 429: its clients drop what is
    answered with one, and send again after a 503."""

    units: ClassVar = {"": "ns", "n": "ns", "u": "us", "µ": "us", "m": "m", "h": "h", **V2.units}
    bucket: ClassVar = "db"

    @staticmethod
    def error(status: int, message: str, line: int | None = None) -> Response:  # noqa: ARG004
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            status = HTTPStatus.SERVICE_UNAVAILABLE
        return Response(
            {"error": message}, status=status, headers={"X-Influxdb-Error": _in_header(message)}
        )


def of_failure(api: type[V1 | V2], failure: Failure) -> Response:
    """A refusal of the whole request."""
    answer = api.error(failure.status, failure.body["error"]["message"])
    for name, text in failure.headers.items():
        answer[name] = text
    answer.error_code = failure.code  # type: ignore[attr-defined]  # read by who counts answers
    return answer


def of_receipt(api: type[V1 | V2], receipt: Receipt, lines: IntArray) -> Response:
    """204 when nothing was refused; otherwise 400 that names the lines, the others being stored."""
    if not receipt.quarantined:
        return Response(status=HTTPStatus.NO_CONTENT)
    named = sorted((int(lines[error.index]), error.detail) for error in receipt.errors)
    stored = receipt.accepted + receipt.duplicates
    said = "\n".join(f"line {line}: {detail}" for line, detail in named[:MAX_NAMED])
    message = f"{'partial write: ' if stored else ''}{said} dropped={receipt.quarantined}"
    return api.error(HTTPStatus.BAD_REQUEST, message, named[0][0])


def with_version(headers: Any) -> None:
    for name, text in VERSION_HEADERS.items():
        headers[name] = text


def _in_header(message: str) -> str:
    return "".join(_visible(message))[:_MAX_HEADER]


def _visible(message: str) -> Iterator[str]:
    """A header has one line, of ASCII."""
    for character in message:
        yield character if " " <= character <= "~" else " " if character.isspace() else "?"
