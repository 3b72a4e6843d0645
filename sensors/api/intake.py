"""What every endpoint that takes readings does before and while it reads a body."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.conf import settings
from rest_framework.exceptions import ParseError, Throttled

from sensors import limits
from sensors.formats import FormatError, TooManyReadings
from sensors.models import IngestKey
from smartmaint.api import TooLarge, Unavailable

T = TypeVar("T")


def hold_back(key: IngestKey) -> None:
    """Refuse before anything is read or written: 429 or 503."""
    if wait := limits.seconds_to_wait(key):
        raise Throttled(wait)
    if wait := limits.seconds_to_wait_for_all():
        raise Unavailable("All devices together send too often.", "global_rate", wait=wait)
    if limits.backlog.is_full():
        raise Unavailable(
            "Scoring is far behind; nothing was written.", "backlog", wait=limits.BACKLOG_RETRY_S
        )


def read_document(read: Callable[..., T], body: bytes) -> T:
    """What one of the formats reads; what it cannot read is answered with 400 or 413."""
    try:
        return read(body, max_readings=settings.INGEST_MAX_READINGS)
    except TooManyReadings as error:
        raise TooLarge(str(error), error.code) from error
    except FormatError as error:
        raise ParseError(f"{error}{_where(error)}", error.code) from error


def _where(error: FormatError) -> str:
    at = {"line": error.line, "at": error.position}
    found = ", ".join(f"{name} {place}" for name, place in at.items() if place is not None)
    return f" ({found})" if found else ""
