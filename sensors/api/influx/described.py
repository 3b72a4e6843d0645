"""What the OpenAPI document says of the addresses that clients of InfluxDB write to."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers

_TEXT = "text/plain"
_EXAMPLE = OpenApiExample(
    "Two lines, three readings",
    value="cpu,host=web1 usage_idle=98.2,usage_user=1.1 1767323045000000000\n"
    "temperature,machine=press-9 value=81.2 1767323045000000000\n",
    media_type=_TEXT,
    request_only=True,
)
_ABOUT = """
InfluxDB line protocol, plain or gzip, so that Telegraf and InfluxDB's clients write without change.
Each number or boolean of a line is one reading; string fields are left out and counted. What the
sensor is called says the key's template. The key decides the site: `{bucket}` only serves templates
that name it, and all else that says where to write is ignored. A line without a time gets the
server's. Nanoseconds are cut to microseconds. 204 means that all of it is committed. On 400 the
message names the lines that were refused; they are in quarantine, and the other lines are stored.
"""


class ErrorV2(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="`invalid`, `unauthorized`, `unavailable`, …")
    message = serializers.CharField(help_text="Names up to 100 lines.")
    line = serializers.IntegerField(required=False, help_text="The first line that was refused.")


class ErrorV1(serializers.Serializer[Any]):
    error = serializers.CharField(help_text="Names up to 100 lines.")


class ResultV1(serializers.Serializer[Any]):
    results = serializers.ListField(child=serializers.DictField())


def _parameter(name: str, description: str, values: tuple[str, ...] = ()) -> OpenApiParameter:
    return OpenApiParameter(name, str, description=description, enum=values or None)


def _responses(error: type[serializers.Serializer[Any]], *statuses: int) -> dict[Any, Any]:
    said = {
        400: "Lines were refused, or the parameters or the encoding make no sense.",
        401: "The key is missing, wrong, revoked or expired.",
        403: "The key lacks the scope `readings:write`.",
        413: "Too large, inflated or not, or too many readings: send fewer lines at once.",
        415: "An encoding but gzip.",
        429: "Too many requests; see Retry-After. Nothing was written.",
        503: "Nothing was written; see Retry-After.",
    }
    found: dict[Any, Any] = {s: OpenApiResponse(error, description=said[s]) for s in statuses}
    return {**found, "default": OpenApiResponse(error, description="Any error.")}


WRITE_V2: dict[str, Any] = {
    "operation_id": "influx_v2_write",
    "summary": "Write line protocol (InfluxDB v2)",
    "description": _ABOUT.replace("{bucket}", "bucket"),
    "parameters": [
        _parameter("precision", "Unit of the times.", ("ns", "us", "ms", "s")),
        _parameter("bucket", "For templates with {bucket}."),
        _parameter("org", "Ignored."),
    ],
    "request": {_TEXT: OpenApiTypes.STR},
    "examples": [_EXAMPLE],
    "responses": {
        204: OpenApiResponse(description="All of it is committed."),
        **_responses(ErrorV2, 400, 401, 403, 413, 415, 429, 503),
    },
}
WRITE_V1: dict[str, Any] = {
    "operation_id": "influx_v1_write",
    "summary": "Write line protocol (InfluxDB v1)",
    "description": _ABOUT.replace("{bucket}", "db")
    + "\nThere is no 429 here: too many requests are answered with 503, as v1 does.",
    "parameters": [
        _parameter("precision", "Unit of the times.", ("n", "ns", "u", "us", "ms", "s", "m", "h")),
        _parameter("db", "For templates with {bucket}."),
        _parameter("u", "Ignored."),
        _parameter("p", "The key, where no header can be sent. Headers do not end up in logs."),
        _parameter("rp", "Ignored."),
        _parameter("consistency", "Ignored."),
    ],
    "request": {_TEXT: OpenApiTypes.STR},
    "examples": [_EXAMPLE],
    "responses": {
        204: OpenApiResponse(description="All of it is committed."),
        **_responses(ErrorV1, 400, 401, 403, 413, 415, 503),
    },
}
QUERY_V1: dict[str, Any] = {
    "operation_id": "influx_v1_query",
    "summary": "CREATE DATABASE, as clients of InfluxDB v1 send before they write",
    "description": "Does nothing: a key has its site. Any other statement is answered with 400.",
    "parameters": [_parameter("q", "The statement, here or in the form.")],
    "request": {"application/x-www-form-urlencoded": {"type": "object"}},
    "responses": {200: ResultV1, **_responses(ErrorV1, 400, 401, 403, 413)},
}
