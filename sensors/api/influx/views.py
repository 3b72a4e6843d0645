"""`POST /api/v2/write` and `POST /write`: line protocol in, 204 or InfluxDB's own errors out."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import parse_qs

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from sensors import store
from sensors.acquisition import ingest
from sensors.api.access import MayWriteReadings
from sensors.api.bodies import read_body
from sensors.api.influx import answers, described
from sensors.api.influx.authentication import InfluxAuthentication
from sensors.api.intake import hold_back, read_document
from sensors.counters import STRING_FIELDS
from sensors.formats import Dialect, Template, from_line_protocol
from sensors.models import IngestKey
from sensors.series import to_datetime64
from smartmaint.api import failure, only_reads
from smartmaint.lib.breaker import State

SOURCE = "influx"
_CREATE_DATABASE = re.compile(
    r'\s*CREATE\s+DATABASE\s+(?:"(?:[^"\\]|\\.)+"|\w+)(?:\s+WITH\s[^;]*)?\s*;?\s*', re.IGNORECASE
)
_MAX_PARAMETERS = 20


class InfluxView(APIView):
    """What writing has in common: who may, and errors that clients of InfluxDB can read."""

    api: ClassVar[type[answers.V1 | answers.V2]]
    authentication_classes = [InfluxAuthentication]
    permission_classes = [MayWriteReadings]
    content_negotiation_class = answers.JsonAlways
    # The body is read by read_body, within its limits, whatever type it says to be.
    parser_classes: list[Any] = []

    def get_exception_handler(self) -> Callable[..., Response | None]:
        def answer(exc: Exception, _context: dict[str, Any]) -> Response | None:
            found = failure(exc)
            return None if found is None else answers.of_failure(self.api, found)

        return answer

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        final = super().finalize_response(request, response, *args, **kwargs)
        answers.with_version(final.headers)
        return final

    def write(self, request: Request) -> Response:
        key = request.auth
        assert isinstance(key, IngestKey)  # noqa: S101  what MayWriteReadings lets through
        hold_back(key)
        dialect = self._dialect(request, Template.parse(key.line_template))
        body = read_body(request._request)
        now = timezone.now()
        read = partial(from_line_protocol, dialect=dialect, now=to_datetime64(now))
        found = read_document(read, body)
        receipt = ingest(found.batch, site=key.site, key=key, source=SOURCE, now=now)
        STRING_FIELDS.inc(found.strings)
        return answers.of_receipt(self.api, receipt, found.lines)

    def _dialect(self, request: Request, template: Template) -> Dialect:
        precision = request.query_params.get("precision", "")
        unit = self.api.units.get(precision)
        if unit is None:
            known = ", ".join(name for name in self.api.units if name and name.isascii())
            raise ParseError(f"invalid precision {precision[:20]!r}; valid are {known}")
        bucket = request.query_params.get(self.api.bucket, "")
        if template.names_the_bucket and not bucket:
            raise ParseError(f"the key's template needs the parameter {self.api.bucket}")
        return Dialect(template, unit, bucket)


class WriteV2(InfluxView):
    api = answers.V2

    @extend_schema(**described.WRITE_V2)
    def post(self, request: Request) -> Response:
        return self.write(request)


class WriteV1(InfluxView):
    api = answers.V1

    @extend_schema(**described.WRITE_V1)
    def post(self, request: Request) -> Response:
        return self.write(request)


class QueryV1(InfluxView):
    """Clients of v1 create their database before they write; here a key has its site."""

    api = answers.V1

    @extend_schema(**described.QUERY_V1)
    def post(self, request: Request) -> Response:
        statement = request.query_params.get("q") or _form(request).get("q", "")
        if not _CREATE_DATABASE.fullmatch(statement):
            raise ParseError(
                "only CREATE DATABASE is answered here; readings are read at /api/v1/sensors"
            )
        return Response({"results": [{"statement_id": 0}]})


@only_reads
def ping(_request: HttpRequest) -> HttpResponse:
    """That the server is there, and which versions of the interface it has."""
    return HttpResponse(status=HTTPStatus.NO_CONTENT, headers=answers.VERSION_HEADERS)


@only_reads
def health(_request: HttpRequest) -> JsonResponse:
    """As v2's: `pass`, or `fail` with 503 while this process finds PostgreSQL away."""
    is_well = store.breaker.state is not State.OPEN
    body: dict[str, Any] = {
        "name": "smartmaint",
        "message": "ready for writes" if is_well else "the store is away",
        "status": "pass" if is_well else "fail",
        "checks": [],
        "version": answers.VERSION_HEADERS["X-Influxdb-Version"],
    }
    status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
    return JsonResponse(body, status=status, headers=answers.VERSION_HEADERS)


def _form(request: Request) -> dict[str, str]:
    text = read_body(request._request).decode("utf-8", "replace")
    try:
        fields = parse_qs(text, max_num_fields=_MAX_PARAMETERS)
    except ValueError as error:
        raise ParseError("the form has too many fields") from error
    return {name: values[0] for name, values in fields.items()}
