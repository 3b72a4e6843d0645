"""A machine that starts and stops all day, of which nobody told: it is no episode."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from anomalies.models import Anomaly, Episode
from sensors.series import FloatArray, TimeArray
from tests.anomalies.calendar import grid, post, work
from tests.factories import make_asset, make_sensor

pytestmark = pytest.mark.django_db

CYCLES, A_CYCLE, ON, START = 50, 36, 22, 2
FIRST = datetime(2026, 3, 2, tzinfo=UTC)


def cycles(rng: np.random.Generator) -> tuple[TimeArray, FloatArray]:
    """Vibration in mm/s: 12 while it runs, up to three times that at a start, 0.3 at rest."""
    times = grid(FIRST, CYCLES * A_CYCLE / 144)
    phase = np.arange(len(times)) % A_CYCLE
    values = np.where(
        phase < ON, rng.normal(12, 0.5, len(times)), rng.normal(0.3, 0.02, len(times))
    )
    values[phase < START] = rng.uniform(15, 36, int((phase < START).sum()))
    return times, values.round(2)


@pytest.mark.parametrize("seed", [1, 2])
def test_fifty_starts_and_stops_are_no_episode_and_no_anomaly(seed: int) -> None:
    sensor = make_sensor(asset=make_asset(), kind="vibration")
    post(sensor, *cycles(np.random.default_rng(seed)))
    work()
    assert not Anomaly.objects.standing().filter(sensor=sensor).exists()
    assert not Episode.objects.exists()


def test_a_bearing_that_gets_louder_between_two_of_them_is_one() -> None:
    sensor = make_sensor(asset=make_asset(), kind="vibration")
    times, values = cycles(np.random.default_rng(3))
    first = 46 * A_CYCLE + 13
    values[first : first + 8] += 5.0
    post(sensor, times, values)
    work()
    anomaly = Anomaly.objects.standing().get(sensor=sensor)
    assert anomaly.start >= FIRST
    assert Episode.objects.filter(asset=sensor.asset).count() == 1
