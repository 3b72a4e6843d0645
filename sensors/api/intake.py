"""What every endpoint that takes readings does before and while it reads a body."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.conf import settings
from rest_framework.exceptions import ParseError, Throttled

from sensors import limits, streaming
from sensors.acquisition import Promise, Receipt, ingest
from sensors.formats import LEAST_BYTES, Batch, FormatError, TooManyReadings
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


@dataclass(frozen=True, slots=True)
class Form:
    """How documents of one form become batches; both as `sensors.formats` has them."""

    whole: Callable[..., Batch]
    parts: Callable[..., Iterator[Batch]]


def ingest_document(
    body: bytes,
    form: Form,
    *,
    key: IngestKey,
    source: str,
    now: datetime,
    promise: Promise | None = None,
) -> Receipt:
    """The readings of a document, stored: a large one while it is read, if it is a plain one."""
    site, is_stored = key.site, False
    if len(body) >= LEAST_BYTES:
        parts = form.parts(body, max_readings=settings.INGEST_MAX_READINGS)
        try:
            return streaming.ingest(
                parts, site=site, key=key, source=source, now=now, promise=promise
            )
        except streaming.AsAWhole as why:
            is_stored = why.is_stored
    batch = read_document(form.whole, body)
    return ingest(
        batch, site=site, key=key, source=source, now=now, promise=promise, expect_new=not is_stored
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
