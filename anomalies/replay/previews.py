"""Previews that people asked for: taken one by one, with progress, by whatever worker is free."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from rq.timeouts import JobTimeoutException

from anomalies.models import Preview
from anomalies.replay import known, running
from anomalies.replay.change import Change, ChangeError
from anomalies.replay.course import LEAD, STEP, Course, CourseError
from anomalies.replay.report import report
from anomalies.replay.session import Lost

logger = logging.getLogger(__name__)

State = Preview.State
SAY_EVERY_S = 1.0
MOST_LISTED = 200
# One that has said nothing for so long was left by a worker that died.
DEAD_AFTER = timedelta(minutes=10)


class Stopped(Exception):
    """A person took it back, or removed it."""


def waiting(*, now: datetime) -> bool:
    return Preview.objects.filter(_free(now)).exists()


def run_waiting(*, now: datetime) -> int:
    """Run what waits, oldest first; how many. Safe to run many times at once."""
    done = 0
    while (preview := _take(now=now)) is not None:
        _run(preview)
        done += 1
    return done


def stop(preview: Preview) -> bool:
    """Take it back; whether it was not over yet. Who is at work on it leaves it within seconds."""
    unfinished = Preview.objects.filter(pk=preview.pk, state__in=(State.WAITING, State.RUNNING))
    return bool(unfinished.update(state=State.STOPPED, seen_at=timezone.now()))


def _free(now: datetime) -> Q:
    return Q(state=State.WAITING) | Q(state=State.RUNNING, seen_at__lt=now - DEAD_AFTER)


@transaction.atomic
def _take(*, now: datetime) -> Preview | None:
    rows = Preview.objects.select_for_update(skip_locked=True, of=("self",)).filter(_free(now))
    preview: Preview | None = rows.order_by("pk").first()
    if preview is not None:
        preview.state, preview.share, preview.seen_at = State.RUNNING, 0.0, timezone.now()
        preview.save(update_fields=["state", "share", "seen_at"])
    return preview


def _run(preview: Preview) -> None:
    # Also of what nobody expected the row says that it ended; its error goes on to the worker.
    state = State.FAILED
    said: dict[str, Any] = {"error": "It failed unexpectedly; the worker's log says how."}
    try:
        state, said = State.DONE, {"share": 1.0, "result": _result(preview)}
    except (ChangeError, CourseError, Lost) as error:
        state, said = State.FAILED, {"error": str(error)[:500]}
    except JobTimeoutException:
        said = {
            "error": "It took too long for a worker; manage.py replay takes as long as it needs."
        }
        raise
    except Stopped:
        state, said = State.STOPPED, {}
    finally:
        _end(preview, state, **said)


def _result(preview: Preview) -> dict[str, Any]:
    sites, change = [preview.site_id], Change.from_json(preview.change)
    course = Course(preview.since, preview.until, lead=LEAD, step=STEP)
    replayed = running.replay(sites, course, change, progress=_progress(preview))
    faults = known.of_verdicts(sites, since=course.since, until=course.until)
    found = report(sites, course, change, replayed, known=faults, known_by="verdicts")
    return found.as_json(most=MOST_LISTED)


def _progress(preview: Preview) -> running.Progress:
    said = time.monotonic()

    def say(share: float, _at: datetime) -> None:
        nonlocal said
        if time.monotonic() - said >= SAY_EVERY_S:
            said = time.monotonic()
            running = Preview.objects.filter(pk=preview.pk, state=State.RUNNING)
            if not running.update(share=share, seen_at=timezone.now()):
                raise Stopped

    return say


def _end(preview: Preview, state: str, **values: Any) -> None:
    running = Preview.objects.filter(pk=preview.pk, state=State.RUNNING)
    running.update(state=state, seen_at=timezone.now(), **values)
    logger.info("%s: %s", preview, state)
