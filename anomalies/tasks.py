"""Background work: queue, timeout and retry are declared here and nowhere else.

Every job is a wake-up without arguments worth losing: what is to be done stands in PostgreSQL, and
the sweep finds it when Redis forgot. The agents are imported by the jobs alone: web processes
enqueue, and have no use for the scientific libraries behind them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache
from random import Random

import django_rq
from django.utils import timezone
from redis.exceptions import RedisError
from rq import Queue

from anomalies.models import Anomaly
from sensors import conflicts, ledger, quarantine, retention
from sensors.models import ScoringNote
from sensors.mqtt import arrivals

logger = logging.getLogger(__name__)

# A wake-up that was queued and lost is asked for again after this long.
WAKE_UP_EXPIRES_SECONDS = 20
# A worker that deletes scores nothing meanwhile.
RETENTION_SECONDS = 120
# Less than the training queue's time-out; what is left over comes first the next night.
FORECAST_SECONDS = 3000
# Less than mlops.fleets.SERVES_AFTER.
FLEETS_SECONDS = 1800


def wake_detection() -> None:
    """Ask a worker to look for open notes; at most one such job waits at a time."""
    _wake("detection", run_detection)


def wake_validation() -> None:
    """Ask a worker to look for anomalies that wait for validation."""
    _wake("validation", run_validation)


def wake_sweep() -> None:
    """Ask a worker to look at everything that waits, held notes included."""
    _wake("detection", sweep, flag="sweep")


def wake_previews() -> None:
    """Ask a worker to run the previews that wait."""
    _wake("training", run_previews, flag="previews")


def run_previews() -> int:
    """Run the previews that people asked for; how many."""
    from anomalies.replay import previews

    _awake("previews")
    return previews.run_waiting(now=timezone.now())


def run_detection() -> int:
    """Score until no open note is left; how many sensors were scored."""
    from anomalies import cycle
    from anomalies.ledger import Change

    def hand_on(change: Change) -> None:
        if change:
            wake_validation()
        # There may be more than one worker can take: let an idle one join in.
        wake_detection()

    _awake("detection")
    return cycle.score(timezone.now, after_each=hand_on)


def run_validation() -> int:
    """Judge until no anomaly waits, then put them into episodes; how many were judged."""
    from anomalies import cycle

    _awake("validation")
    return cycle.judge(timezone.now)


def sweep() -> None:
    """What the clock makes sure of: whatever waits in PostgreSQL is picked up."""
    from anomalies import cycle, detection, routing
    from anomalies.machines import judging
    from anomalies.replay import previews

    _awake("sweep")

    released = detection.release_held()
    if released:
        logger.info("%d notes released: their champion is back", released)
    silent = cycle.look(timezone.now)
    if silent:
        logger.info("silent sensors: %s", silent)
    if ScoringNote.objects.open().exists():
        run_detection()
    judging.judge_due(now=timezone.now(), policy=detection.policy())
    routing.route_due(now=timezone.now())
    if (
        Anomaly.objects.awaiting_validation().exists()
        or Anomaly.objects.awaiting_episode().exists()
    ):
        run_validation()
    cycle.settle(timezone.now)
    if previews.waiting(now=timezone.now()):
        wake_previews()


def forecast() -> None:
    """Forecast every sensor that has news, and settle what that says of its limits."""
    from anomalies import predictions
    from mlops import forecasts

    now, began = timezone.now(), time.monotonic()
    policy, change, made = forecasts.policy(), predictions.expire(now=now), 0
    for outcome in predictions.run(forecasts.due(now=now), policy=policy, now=now):
        made += outcome.forecast is not None
        change += outcome.change
        if time.monotonic() - began > FORECAST_SECONDS:
            logger.warning("time is up after %d forecasts; the others are due tomorrow", made)
            break
    if change:
        wake_validation()
    logger.info("%d sensors forecast, predictions: %s", made, change)
    logger.info("%d old forecasts removed", forecasts.prune(now=now))


def run_notification() -> None:
    """Remind, group what is to be told, and send what is due."""
    from anomalies import cycle
    from anomalies.notify.delivery import Delivered

    delivered = cycle.tell(timezone.now, rng=Random())  # noqa: S311
    if delivered != Delivered():
        logger.info("notifications: %s", delivered)


def look_for_drift() -> None:
    """Find sensors that read otherwise than they used to."""
    from mlops import drifts

    found = drifts.look(now=timezone.now())
    if found:
        logger.info("%d sensors drift", len(found))


def learn_fleets() -> None:
    """Learn what the sensors of a kind at a site have in common, where it is not known yet."""
    from mlops import fleets

    made = fleets.learn_due(now=timezone.now(), seconds=FLEETS_SECONDS)
    if made:
        logger.info("%d fleets learnt: %s", len(made), ", ".join(map(str, made)))


def recalibrate() -> None:
    """Let confirmed faults that went on be left out to their end, and verdicts move thresholds."""
    from anomalies import exclusions, recalibration

    now = timezone.now()
    if renewed := exclusions.renew(now=now):
        logger.info("%d periods of confirmed faults reach farther", renewed)
        wake_detection()
    for row in recalibration.run(now=now):
        logger.info("calibrated: %s, %s to %s", row, row.before, row.false_positive_threshold)


def retrain() -> None:
    """Train again the models whose sensors drifted, or that grew old."""
    from mlops import retraining

    for done in retraining.run_due(clock=timezone.now, policy=retraining.policy()):
        logger.info("%s", done)


def housekeeping() -> None:
    """Forget what is past its retention: readings and their minute roll-ups, quarantined readings,
    answers to repeated requests, scores of challengers."""
    from mlops import shadow

    now = timezone.now()
    dropped = retention.drop(now=now, seconds=RETENTION_SECONDS)
    if dropped != retention.Dropped():
        logger.info("retention: %s", dropped)
    logger.info("%d quarantined readings removed", quarantine.prune(now=now))
    logger.info("%d conflicts of readings removed", conflicts.prune(now=now))
    logger.info("%d answers removed from the ledger", ledger.prune(now=now))
    logger.info("%d arrivals of MQTT messages removed", arrivals.prune(now=now))
    logger.info("%d scores of challengers removed", shadow.prune(now=now))


def _wake(queue_name: str, job: Callable[[], int | None], *, flag: str = "") -> None:
    queue = _queue(queue_name)
    try:
        waits = _flag(flag or queue_name)
        if queue.connection.set(waits, 1, nx=True, ex=WAKE_UP_EXPIRES_SECONDS):
            queue.enqueue(job, result_ttl=60, failure_ttl=86_400)
    except RedisError as error:
        logger.warning("Redis is away (%s): the next sweep does this work", error)


def _awake(flag: str) -> None:
    """Let the next wake-up through; before looking, so that nothing noted later is missed."""
    try:
        _queue("detection").connection.delete(_flag(flag))
    except RedisError as error:
        logger.warning("Redis is away (%s)", error)


@cache
def _queue(name: str) -> Queue:
    """One connection pool a process: a new one for each wake-up would cost a batch milliseconds."""
    return django_rq.get_queue(name)


def _flag(name: str) -> str:
    return f"smartmaint:wake:{name}"
