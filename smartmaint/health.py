"""/livez, /readyz and /metrics: is the process alive, can it work, how is it doing.

None of them needs a login, so none of them names a host, a site or a sensor.
"""

from __future__ import annotations

import os
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from sensors import limits
from smartmaint import probes
from smartmaint.api import error_body, only_reads
from smartmaint.lib import breaker
from smartmaint.metrics import StateCollector


@only_reads
@never_cache
def livez(_request: HttpRequest) -> JsonResponse:
    """The process answers. It asks nothing else: a database that is away restarts no process."""
    return JsonResponse({"status": "ok"})


@only_reads
@never_cache
def readyz(_request: HttpRequest) -> JsonResponse:
    """503 only without PostgreSQL: everything else that is away is waited for or done without."""
    store = probes.postgresql()
    findings = {"postgresql": store}
    if store.ok:
        findings["migrations"] = probes.migrations()
    findings |= {"redis": probes.redis(), "mlflow": probes.mlflow()}
    breakers = breaker.states()
    is_limited_together = breakers.get("limiter", breaker.State.CLOSED) is breaker.State.CLOSED
    calm = all(state is breaker.State.CLOSED for state in breakers.values())
    degraded = not calm or not all(finding.ok for finding in findings.values())
    status = "unavailable" if not store.ok else "degraded" if degraded else "ready"
    body = {
        "status": status,
        "checks": {name: {"ok": f.ok, "detail": f.detail} for name, f in findings.items()},
        "breakers": breakers,
        # While Redis is away each web process counts a key's requests by itself.
        "limiter": "shared" if is_limited_together else "per process",
        # Of the web process that answered.
        "ingest": {
            "in_flight": limits.turnstile.inside,
            "waiting": limits.turnstile.waiting,
            "room": limits.turnstile.room,
            "backlog_full": store.ok and limits.backlog.is_full(),
        },
    }
    return JsonResponse(body, status=HTTPStatus.OK if store.ok else HTTPStatus.SERVICE_UNAVAILABLE)


@only_reads
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text. With METRICS_TOKEN set it asks for `Authorization: Bearer TOKEN`."""
    expected = f"Bearer {settings.METRICS_TOKEN}"
    given = request.headers.get("Authorization", "")
    if settings.METRICS_TOKEN and not constant_time_compare(given, expected):
        body = error_body("not_authenticated", "Metrics need the token of METRICS_TOKEN.")
        headers = {"WWW-Authenticate": 'Bearer realm="metrics"'}
        return JsonResponse(body, status=HTTPStatus.UNAUTHORIZED, headers=headers)
    state = CollectorRegistry()
    state.register(StateCollector())
    text = generate_latest(_counters()) + generate_latest(state)
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


def _counters() -> CollectorRegistry:
    """What the web processes counted: of all of them where they share a directory, else of this."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    shared = CollectorRegistry()
    MultiProcessCollector(shared)
    return shared
