"""/livez, /readyz and /metrics: is the process alive, can it work, how is it doing."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse


def livez(_request: HttpRequest) -> JsonResponse:
    """The process answers. Asks nothing else, so a database that is away restarts no process."""
    return JsonResponse({"status": "ok"})


def readyz(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def metrics(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({})
