"""Verdicts in small: a sensor next to a door, four weeks, the production path. bench/learning.py is
the measurement; this says that every part of it is connected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pytest

from anomalies import detection, exclusions, recalibration, validation
from anomalies.episodes import placing
from anomalies.models import Anomaly, Calibration, Verdict
from anomalies.review import review
from bench.plant import A_DAY, STEP
from sensors.models import Sensor
from sensors.series import to_datetime
from tests.anomalies import production
from tests.factories import make_asset, make_person, make_sensor

pytestmark = pytest.mark.django_db
BEGIN = np.datetime64("2026-01-05", "us")
WEEKS, SAID_WEEKS = 4, 2
# The same fault twice: before the verdicts end, and after.
FAULTS = (11 * A_DAY, 24 * A_DAY)
FAULT_ROWS = 36


@dataclass(frozen=True)
class Outcome:
    false: int
    second_fault: bool


def values() -> np.ndarray:
    """Calm; a door that opens about daily in working hours, faults that go the other way."""
    rng = np.random.default_rng(11)
    found = rng.normal(20.0, 0.2, WEEKS * 7 * A_DAY)
    for day in range(WEEKS * 7):
        row = day * A_DAY + int(rng.uniform(42, 108))
        opened = np.exp(-np.arange(4) / 2)
        found[row : row + 4] -= rng.uniform(2.4, 3.0) * opened
    for first in FAULTS:
        found[first : first + FAULT_ROWS] += np.linspace(1.5, 4.0, FAULT_ROWS)
    return found.round(2)


def run(*, verdicts: bool) -> Outcome:
    sensor = make_sensor(kind="temperature", unit="°C", asset=make_asset())
    person, read = make_person(sensor.site), values()
    for week in range(WEEKS):
        rows = np.arange(week * 7 * A_DAY, (week + 1) * 7 * A_DAY)
        store(sensor, rows, read)
        now = to_datetime(BEGIN + (rows[-1] + 1) * STEP)
        production.drain(now=now, policy=detection.policy())
        while validation.validate_due(now=now):
            pass
        placing.place_due(now=now, policies=placing.policies())
        if verdicts and week < SAID_WEEKS:
            for anomaly in listed(sensor):
                verdict = Verdict.CONFIRMED if is_fault(anomaly) else Verdict.FALSE_POSITIVE
                review(anomaly=anomaly, verdict=verdict, note="", person=person, now=now)
            exclusions.renew(now=now)
            recalibration.run(now=now)
    said_until = to_datetime(BEGIN + SAID_WEEKS * 7 * A_DAY * STEP)
    late = [a for a in listed(sensor) if a.episode_id and a.start >= said_until]
    return Outcome(
        false=len({a.episode_id for a in late if not is_fault(a)}),
        second_fault=any(is_fault(a) for a in late),
    )


def store(sensor: Sensor, rows: np.ndarray, read: np.ndarray) -> None:
    times = [to_datetime(BEGIN + row * STEP) for row in rows.tolist()]
    production.commit(sensor, times, read[rows].tolist())


def listed(sensor: Sensor) -> list[Anomaly]:
    """What the list of the admin shows to who reviews, suspected false positives among it."""
    return list(Anomaly.objects.awaiting_review().filter(sensor=sensor).order_by("start"))


def is_fault(anomaly: Anomaly) -> bool:
    after = timedelta(hours=2)
    spans = [
        (to_datetime(BEGIN + first * STEP), to_datetime(BEGIN + (first + FAULT_ROWS) * STEP))
        for first in FAULTS
    ]
    return any(anomaly.start <= end + after and anomaly.end >= start for start, end in spans)


def test_verdicts_halve_the_false_episodes_and_the_fault_is_told_of_again() -> None:
    without, said = run(verdicts=False), run(verdicts=True)
    assert without.false >= 4
    assert said.false <= without.false / 2
    assert without.second_fault
    assert said.second_fault
    assert Anomaly.objects.filter(verdict=Verdict.CONFIRMED, fault_period__isnull=False).exists()
    assert Calibration.objects.in_force().exists()
