"""`POST /api/v1/readings`: parse → call → answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
)
from rest_framework.exceptions import APIException, ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from sensors.acquisition import ingest
from sensors.api.access import MayWriteReadings
from sensors.api.authentication import IngestKeyAuthentication
from sensors.api.bodies import read_body, require_media_type
from sensors.api.intake import hold_back, read_document
from sensors.api.serializers import ReadingIn, ReceiptOut
from sensors.formats import from_csv, from_json, from_ndjson
from sensors.ledger import AnsweredMeanwhile, KeyReused, Promise
from sensors.models import IngestKey

READERS = {
    "application/json": from_json,
    "application/x-ndjson": from_ndjson,
    "text/csv": from_csv,
}
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,200}")


_DESCRIPTION = """
JSON (an array of readings, or `{"readings": [...]}`), NDJSON (a reading a line) or CSV (a header
that names `sensor`, `time`, `value` and any of `quality`, `kind`, `unit`, in any order; other
columns are ignored, an empty cell is a field that is not there); UTF-8, plain or gzip. The rules
for a reading are the same in each: `time` is text, ISO 8601 with a zone; `value` a finite number.

What is answered with 200 is committed. A row that cannot be accepted is kept in quarantine and
named in `errors`; the others are stored. A reading is (sensor, time): sending one again changes
nothing and counts as a duplicate. Another value for a time that has one is a conflict: it is
written down, `conflicts` counts it, and it is a duplicate where the first value is kept (the
default), accepted where the last is, quarantined otherwise (`READING_CONFLICTS`). A document that
cannot be read is refused as a whole, with the line at fault.
"""


class IdempotencyKeyReused(APIException):
    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = "This Idempotency-Key came with another body before."


class ReadingsView(APIView):
    authentication_classes = [IngestKeyAuthentication]
    permission_classes = [MayWriteReadings]
    # The body is read by read_body, within its limits.
    parser_classes: list[Any] = []

    @extend_schema(
        operation_id="readings_write",
        summary="Send readings",
        description=_DESCRIPTION,
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                str,
                OpenApiParameter.HEADER,
                description="Repeating a request with it gives the first answer again, for 7 days.",
            )
        ],
        request={
            "application/json": ReadingIn(many=True),
            "application/x-ndjson": ReadingIn,
            "text/csv": OpenApiTypes.STR,
        },
        examples=[
            OpenApiExample(
                "A CSV",
                value="sensor,time,value,unit\npump-1/temp,2026-01-02T03:04:05Z,21.5,°C\n",
                media_type="text/csv",
                request_only=True,
            )
        ],
        responses={
            200: ReceiptOut,
            400: OpenApiResponse(description="Not the format it says, or not gzip."),
            401: OpenApiResponse(description="The key is missing, wrong, revoked or expired."),
            403: OpenApiResponse(description="The key lacks the scope `readings:write`."),
            411: OpenApiResponse(description="A chunked body where the server cannot read one."),
            413: OpenApiResponse(description="Too large, inflated or not, or too many readings."),
            415: OpenApiResponse(description="Another format, charset or encoding than these."),
            422: OpenApiResponse(description="The Idempotency-Key came with another body before."),
            429: OpenApiResponse(description="Too many requests; see Retry-After."),
            503: OpenApiResponse(description="Nothing was written; see Retry-After."),
        },
    )
    def post(self, request: Request) -> Response:
        key = request.auth
        assert isinstance(key, IngestKey)  # noqa: S101  what MayWriteReadings lets through
        hold_back(key)
        plain = request._request
        read = READERS[require_media_type(plain, *READERS)]
        body = read_body(plain)
        promise = _promise(request, key, body)

        def answer() -> dict[str, Any]:
            batch, now = read_document(read, body), timezone.now()
            receipt = ingest(batch, site=key.site, key=key, source="http", now=now, promise=promise)
            return receipt.as_json()

        return Response(answer()) if promise is None else _answer_once(promise, answer)


def _promise(request: Request, key: IngestKey, body: bytes) -> Promise | None:
    text = request.headers.get("Idempotency-Key")
    if text is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(text):
        raise ParseError(
            "Idempotency-Key has 1 to 200 visible ASCII characters.", "idempotency_key_invalid"
        )
    return Promise.of(key, text, body)


def _answer_once(promise: Promise, answer: Callable[[], dict[str, Any]]) -> Response:
    try:
        given = promise.recall()
        if given is None:
            return Response(answer())
    except AnsweredMeanwhile:
        given = promise.recall()
    except KeyReused as error:
        raise IdempotencyKeyReused from error
    return Response(given, headers={"Idempotent-Replayed": "true"})
