"""What stands before every call that brings readings: too many at once are refused at once.

A middleware, so that a refusal costs no authentication, no query and no look at the body, which is
only thrown away: under a load that is five times what can be taken, refusing is most of the work.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from http import HTTPStatus
from time import perf_counter

from django.http import HttpRequest, HttpResponseBase, JsonResponse

from sensors import limits
from sensors.api import bodies
from sensors.counters import IN_FLIGHT, REFUSALS, SECONDS
from smartmaint.api import STORE_AWAY_RETRY_S, error_body
from smartmaint.lib.turnstile import Full

RETRY_S = 1.0
_REFUSED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_SENTENCE = "Too much is worked on at once; nothing was written. Try again later."
# Where readings come in, and what a refusal says there: clients of InfluxDB read InfluxDB's errors.
PATHS = {
    "/api/v1/readings": error_body("busy", _SENTENCE),
    "/api/v2/write": {"code": "unavailable", "message": _SENTENCE},
    "/write": {"error": _SENTENCE},
}


class IngestGate:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method != "POST" or request.path_info not in PATHS:
            return self._get_response(request)
        try:
            with limits.turnstile.passing(), IN_FLIGHT.track_inprogress():
                response = self._timed(request)
        except Full:
            response = JsonResponse(PATHS[request.path_info], status=HTTPStatus.SERVICE_UNAVAILABLE)
            response["Retry-After"] = str(math.ceil(RETRY_S))
            # The middleware that states it stands further in, and chunks are more than this needs.
            response["Content-Length"] = str(len(response.content))
        if response.status_code in _REFUSED:
            bodies.discard(request)
            _count_refusal(response)
        return response

    def _timed(self, request: HttpRequest) -> HttpResponseBase:
        begun = perf_counter()
        response = self._get_response(request)
        SECONDS.labels(response.status_code).observe(perf_counter() - begun)
        return response


def _count_refusal(response: HttpResponseBase) -> None:
    """Every refusal says when to come back, whoever made it. It is counted, not logged: thousands
    may come in a second."""
    response.headers.setdefault("Retry-After", str(math.ceil(STORE_AWAY_RETRY_S)))
    REFUSALS.labels(getattr(response, "error_code", "busy")).inc()
    response._has_been_logged = True  # type: ignore[attr-defined]  # where Django looks first
