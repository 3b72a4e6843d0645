"""What every endpoint under /api/ shares: pages, and one shape for errors.

    {"error": {"code": "not_found", "message": "No such anomaly.", "details": {…}}}

`details` is there only when there is more to say: by field for an invalid body.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus
from typing import Any

import psycopg
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.exceptions import ValidationError as ModelValidationError
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template.loader import render_to_string
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from prometheus_client import Counter
from rest_framework import exceptions, serializers
from rest_framework.pagination import CursorPagination
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import set_rollback

from smartmaint.lib import breaker

STORE_AWAY_RETRY_S = 5.0
# A connection that cannot be had (refused, pool exhausted) or was lost, and what the server gave up
# on (deadlock, timeout). psycopg's own come from inside a COPY, where Django does not wrap them.
STORE_AWAY = (
    OperationalError,
    InterfaceError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)


ERRORS = Counter("smartmaint_api_errors", "Error answers of the API, by their code.", ["code"])


class CursorPages(CursorPagination):
    """Pages by cursor: stable while rows arrive, and as fast on the last page as on the first.

    A view states its own `ordering`, which must end in a unique field.
    """

    page_size_query_param = "page_size"
    max_page_size = 500
    ordering = "-id"

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        first = self.get_ordering(request, queryset, view)[0].removeprefix("-")
        self._ordered_by = queryset.model._meta.get_field(first)
        return super().paginate_queryset(queryset, request, view)

    def get_ordering(self, request: Any, queryset: Any, view: Any) -> tuple[str, ...]:
        stated = getattr(view, "ordering", None) or self.ordering
        return (stated,) if isinstance(stated, str) else tuple(stated)

    def get_page_size(self, request: Request) -> int | None:
        stated = request.query_params.get(self.page_size_query_param, "1")
        if not (stated.isascii() and stated.isdigit()) or int(stated[:10]) < 1:
            most = f"A whole number from 1 on; {self.max_page_size} are the most that a page has."
            raise exceptions.ValidationError({self.page_size_query_param: [most]})
        return super().get_page_size(request)

    def decode_cursor(self, request: Request) -> Any:
        """A cursor comes from outside: its position may be none that PostgreSQL can compare."""
        cursor = super().decode_cursor(request)
        position = None if cursor is None else cursor.position
        try:
            if position is not None:
                self._ordered_by.run_validators(self._ordered_by.to_python(position))
        except ModelValidationError as error:
            raise exceptions.NotFound(self.invalid_cursor_message) from error
        if "\0" in str(position):
            raise exceptions.NotFound(self.invalid_cursor_message)
        return cursor


class TokenThrottle(SimpleRateThrottle):
    """Guessing passwords: so many tries a minute from one address, in each web process."""

    rate = "10/min"
    scope = "token"

    def get_cache_key(self, request: Request, view: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}


class TooLarge(exceptions.APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    default_detail = "The body is larger than this server accepts."


class Unavailable(exceptions.APIException):
    """503: nothing was written, try again in `wait` seconds."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_code = "unavailable"
    default_detail = "A service this request needs is away; nothing was written. Try again later."

    def __init__(
        self,
        detail: str | None = None,
        code: str | None = None,
        *,
        wait: float = STORE_AWAY_RETRY_S,
    ) -> None:
        super().__init__(detail, code)
        self.wait = wait  # DRF turns it into Retry-After


def error_body(code: str, message: str, details: object = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if details:
        error["details"] = details
    return {"error": error}


@dataclass(frozen=True, slots=True)
class Failure:
    """What to answer instead. `body` as `error_body` makes it."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])


def one_shape_for_errors(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER. None, which becomes a 500, for what nobody foresaw."""
    found = failure(exc)
    if found is None:
        return None
    # Also where the answer would have been a page, or YAML.
    request = context["request"]
    request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
    answer = Response(found.body, status=found.status, headers=found.headers)
    answer.error_code = found.code  # type: ignore[attr-defined]  # read by who counts answers
    return answer


def failure(exc: Exception) -> Failure | None:
    """What a view's exception means to the caller, counted; None for what nobody foresaw."""
    known = _as_api_exception(exc)
    if known is None:
        return None
    set_rollback()
    headers = {}
    if auth_header := getattr(known, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if wait := getattr(known, "wait", None):
        headers["Retry-After"] = str(max(1, math.ceil(wait)))
    body = _body_of(known)
    ERRORS.labels(body["error"]["code"]).inc()
    return Failure(int(known.status_code), body, headers)


def _as_api_exception(exc: Exception) -> exceptions.APIException | None:
    match exc:
        case exceptions.APIException():
            return exc
        case Http404():
            return exceptions.NotFound(*exc.args[:1])
        case PermissionDenied():
            return exceptions.PermissionDenied(*exc.args[:1])
        case RequestDataTooBig():
            return TooLarge()
        case ModelValidationError():
            return exceptions.ValidationError(serializers.as_serializer_error(exc))
        case breaker.Open():
            return Unavailable(wait=exc.retry_after_s)
    return Unavailable() if isinstance(exc, STORE_AWAY) else None


def _body_of(exc: exceptions.APIException) -> dict[str, Any]:
    detail, code = exc.detail, exc.default_code
    if isinstance(detail, list):
        detail = {"non_field_errors": detail}
    if not isinstance(detail, dict):
        return error_body(str(getattr(detail, "code", code)), str(detail))
    if "detail" in detail and "code" in detail:  # simplejwt puts its sentence and code in here
        rest = {key: value for key, value in detail.items() if key not in {"detail", "code"}}
        return error_body(str(detail["code"]), str(detail["detail"]), rest)
    if "__all__" in detail:  # a model's name for what is about no single field
        detail = {**detail, "non_field_errors": detail["__all__"]}
        del detail["__all__"]
    return error_body(code, "The request is not valid.", detail)


def only_reads(view: Callable[[HttpRequest], HttpResponseBase]) -> Any:
    """GET and HEAD for a plain view; 405 otherwise, before Django asks for a CSRF token in HTML."""

    @csrf_exempt
    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponseBase:
        if request.method in {"GET", "HEAD"}:
            return view(request)
        body = error_body("method_not_allowed", f'Method "{request.method}" not allowed.')
        headers = {"Allow": "GET, HEAD"}
        return JsonResponse(body, status=HTTPStatus.METHOD_NOT_ALLOWED, headers=headers)

    return answer


# --- outside the views: addresses that do not exist and what nobody foresaw -----------------------


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if _is_api(request):
        return _error_page(HTTPStatus.BAD_REQUEST, "bad_request")
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if _is_api(request):
        return _error_page(HTTPStatus.NOT_FOUND, "not_found")
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Called while what was raised is handled: PostgreSQL that is away is no failure of ours."""
    is_away = isinstance(sys.exception(), STORE_AWAY)
    if is_away and not _is_api(request):
        answer = HttpResponse(render_to_string("503.html"), status=HTTPStatus.SERVICE_UNAVAILABLE)
    elif is_away:
        answer = _error_page(HTTPStatus.SERVICE_UNAVAILABLE, Unavailable.default_code)
    elif _is_api(request):
        return _error_page(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error")
    else:
        return defaults.server_error(request)
    answer["Retry-After"] = str(math.ceil(STORE_AWAY_RETRY_S))
    return answer


def _is_api(request: HttpRequest) -> bool:
    return f"{request.path}/".startswith("/api/")


def _error_page(status: HTTPStatus, code: str) -> JsonResponse:
    return JsonResponse(error_body(code, f"{status.description or status.phrase}."), status=status)
