"""One turn of the clock: the agents, in the order in which one leaves work to the next.

Live, the jobs run it by the wall clock; a replay runs it by the clock of the past. What is done is
the same, so what a replay says is what would have been.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from random import Random

from anomalies import detection, routing, validation, watch
from anomalies.episodes import closing, placing
from anomalies.ledger import Change
from anomalies.notify import delivery, grouping, outbox
from anomalies.notify.delivery import Delivered
from anomalies.windows import keeping

Clock = Callable[[], datetime]
PASSES = 200


def look(clock: Clock) -> Change:
    """Find who fell silent."""
    return watch.watch(now=clock(), policy=watch.policy())


def score(clock: Clock, *, after_each: Callable[[Change], None] = lambda _: None) -> int:
    """Score until no open note is left; how many sensors were scored.

    after_each: called after each pass that found work; a caller lets others join in.
    """
    policy, sensors = detection.policy(), 0
    for _ in range(PASSES):
        drained = detection.drain(now=clock(), policy=policy)
        if not drained.sensors:
            break
        sensors += drained.sensors
        after_each(drained.change)
    return sensors


def judge(clock: Clock) -> int:
    """Judge until no anomaly waits, then put them into episodes; how many were judged."""
    judged = 0
    while done := validation.validate_due(now=clock()):
        judged += done
    placing.place_due(now=clock(), policies=placing.policies())
    return judged


def settle(clock: Clock) -> None:
    """What time alone brings: episodes calm down, snoozes and windows end."""
    closing.settle(now=clock(), policies=placing.policies())
    keeping.keep(now=clock())


def act(clock: Clock) -> None:
    """All that waits, once, by one process."""
    score(clock)
    routing.route_due(now=clock())
    judge(clock)
    settle(clock)


def tell(
    clock: Clock,
    *,
    rng: Random,
    channels: Mapping[str, delivery.Send] = delivery.CHANNELS,
) -> Delivered:
    """Remind, group what is to be told, and send what is due."""
    pacing = outbox.pacing()
    outbox.remind(now=clock())
    grouping.gather(now=clock(), pacing=pacing)
    return delivery.deliver(now=clock(), pacing=pacing, rng=rng, channels=channels)
