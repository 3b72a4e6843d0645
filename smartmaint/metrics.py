"""What /metrics reads at the moment it is asked, so that no worker has to keep a figure alive."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Count, Min, Q, Sum
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis import RedisError
from rq import Queue
from rq.registry import FailedJobRegistry

from anomalies.agreement import agreement, last_day
from anomalies.models import Anomaly, Episode, Message
from mlops import served_metrics
from mlops.models import Drift
from sensors.models import QuarantinedReading, RetentionRun, RollupNote, ScoringNote
from smartmaint import probes
from smartmaint.lib import breaker

log = logging.getLogger(__name__)

LEVELS = {breaker.State.CLOSED: 0, breaker.State.HALF_OPEN: 1, breaker.State.OPEN: 2}


class StateCollector(Collector):
    """The state of the stores and of this process. A store that is away costs its figures only."""

    def collect(self) -> Iterator[Metric]:
        now = timezone.now()
        yield from _or_absent("postgresql", lambda: _from_database(now), DatabaseError)
        yield from _or_absent("redis", _from_redis, RedisError)
        yield _breakers()


def _or_absent(
    store: str, read: Callable[[], list[Metric]], error: type[Exception]
) -> Iterable[Metric]:
    up = GaugeMetricFamily(
        "smartmaint_store_up", "1 when the store answered this scrape.", labels=["store"]
    )
    try:
        found = read()
    except error as reason:
        log.warning("no figures from %s: %s", store, reason)
        found = []
    up.add_metric([store], 1.0 if found else 0.0)
    return [up, *found]


def _from_database(now: datetime) -> list[Metric]:
    with transaction.atomic():
        probes.limit_statements()
        return [
            *_notes(now),
            _quarantine(),
            _retention(),
            _anomalies(),
            _drifts(now),
            *_validation(now),
            *_episodes(now),
            *served_metrics.metrics(now),
        ]


def _notes(now: datetime) -> list[Metric]:
    is_open = Q(held=False)
    found = ScoringNote.objects.aggregate(
        open=Count("id", filter=is_open),
        waiting=Count("id", filter=~is_open),
        oldest=Min("created_at", filter=is_open),
    )
    counts = GaugeMetricFamily(
        "smartmaint_scoring_notes",
        "Notes of what needs scoring: open, or held until a champion is back.",
        labels=["state"],
    )
    counts.add_metric(["open"], found["open"])
    counts.add_metric(["held"], found["waiting"])
    oldest = found["oldest"]
    age = GaugeMetricFamily(
        "smartmaint_oldest_open_note_seconds",
        "Age of the oldest open note; 0 when nothing waits.",
        value=(now - oldest).total_seconds() if oldest else 0.0,
    )
    to_roll_up = GaugeMetricFamily(
        "smartmaint_rollup_notes",
        "Notes of what is to be rolled up.",
        value=RollupNote.objects.count(),
    )
    return [counts, age, to_roll_up]


def _retention() -> Metric:
    """A gauge, though it only grows: who counts lives shorter than what is counted."""
    sums = RetentionRun.objects.aggregate(
        *map(Sum, ("readings", "chunks", "bytes", "minute_hours"))
    )
    dropped = GaugeMetricFamily(
        "smartmaint_retention_dropped",
        "Dropped by retention in all: readings deleted, chunks and their bytes, hours of minutes.",
        labels=["what"],
    )
    for name, total in sums.items():
        dropped.add_metric([name.removesuffix("__sum")], total or 0)
    return dropped


def _quarantine() -> Metric:
    waiting = GaugeMetricFamily(
        "smartmaint_quarantine_waiting", "Quarantined readings not replayed.", labels=["category"]
    )
    rows = QuarantinedReading.objects.waiting().order_by().values_list("category")
    found = dict(rows.annotate(Count("id")))
    for category in QuarantinedReading.Category.values:
        waiting.add_metric([category], found.get(category, 0))
    return waiting


def _anomalies() -> Metric:
    standing = GaugeMetricFamily(
        "smartmaint_anomalies",
        "Anomalies that stand, by published status; `pending` is not validated yet.",
        labels=["status"],
    )
    rows = Anomaly.objects.standing().order_by().values_list("status")
    for status, count in rows.annotate(Count("id")):
        standing.add_metric([status or "pending"], count)
    return standing


def _validation(now: datetime) -> list[Metric]:
    """What the validation agent decided lately, how long it took, and what people said to it."""
    decided = GaugeMetricFamily(
        "smartmaint_validations_last_day",
        "Judgements of the validation agent in the last 24 hours.",
        labels=["decision"],
    )
    day = last_day(now=now)
    for decision, count in day.decisions.items():
        decided.add_metric([decision], count)
    took = GaugeMetricFamily(
        "smartmaint_validation_seconds",
        "How long a judgement took in the last 24 hours.",
        labels=["quantile"],
    )
    took.add_metric(["0.5"], day.median_ms / 1000)
    took.add_metric(["0.95"], day.slow_ms / 1000)
    said = GaugeMetricFamily(
        "smartmaint_validation_verdicts",
        "Verdicts of people in the last 90 days, by what had been decided before.",
        labels=["decision", "verdict"],
    )
    for (decision, verdict), count in agreement(now=now).counts.items():
        said.add_metric([decision, verdict], count)
    return [decided, took, said]


def _drifts(now: datetime) -> Metric:
    drifting = GaugeMetricFamily(
        "smartmaint_drifting_sensors",
        "Sensors found to drift within the last 14 days, by kind.",
        labels=["kind"],
    )
    lately = Drift.objects.filter(found_at__gt=now - timedelta(days=14)).order_by()
    counts = lately.values_list("sensor__kind").annotate(Count("sensor", distinct=True))
    for kind, count in counts:
        drifting.add_metric([kind], count)
    return drifting


def _episodes(now: datetime) -> list[Metric]:
    """What people have before them, and what has not reached them yet."""
    standing = GaugeMetricFamily(
        "smartmaint_episodes", "Episodes that are not resolved.", labels=["queue", "state"]
    )
    rows = Episode.objects.open().order_by().values_list("queue", "state").annotate(Count("id"))
    for queue, state, count in rows:
        standing.add_metric([queue, state], count)
    messages = GaugeMetricFamily(
        "smartmaint_notification_messages",
        "Messages that wait to be sent or have failed.",
        labels=["state"],
    )
    found = Message.objects.aggregate(
        waiting=Count("id", filter=Q(state="waiting")),
        failed=Count("id", filter=Q(state="failed")),
        oldest=Min("created_at", filter=Q(state="waiting")),
    )
    for state in ("waiting", "failed"):
        messages.add_metric([state], found[state])
    age = GaugeMetricFamily(
        "smartmaint_oldest_waiting_message_seconds",
        "Age of the oldest message that is not through; 0 when none waits.",
        value=(now - found["oldest"]).total_seconds() if found["oldest"] else 0.0,
    )
    return [standing, messages, age]


def _from_redis() -> list[Metric]:
    waiting = GaugeMetricFamily("smartmaint_jobs_waiting", "Queued jobs.", labels=["queue"])
    failed = GaugeMetricFamily("smartmaint_jobs_failed", "Failed jobs kept.", labels=["queue"])
    with probes.impatient_redis() as client:
        for name in settings.RQ_QUEUES:
            waiting.add_metric([name], Queue(name, connection=client).count)
            registry = FailedJobRegistry(name, connection=client)
            failed.add_metric([name], registry.get_job_count(cleanup=False))
    return [waiting, failed]


def _breakers() -> Metric:
    levels = GaugeMetricFamily(
        "smartmaint_breaker_state",
        "0 closed, 1 half open, 2 open; of the web process that answered.",
        labels=["breaker"],
    )
    for name, state in breaker.states().items():
        levels.add_metric([name], LEVELS[state])
    return levels
