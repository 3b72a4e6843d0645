"""What stands in the end are the gaps of the stored readings, whatever came when."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from itertools import pairwise

import numpy as np
import pytest
from django.core.management import call_command
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomalies import detection, silence, tasks, watch
from anomalies.models import SilenceWatch
from sensors import rhythm
from sensors.models import SensorRhythm
from tests.anomalies.silence.speaking import (
    MINUTE,
    POLICY,
    keep_watch,
    look,
    past,
    place,
    silences,
    spans,
    speak,
    start_afresh,
)
from tests.factories import NOW, make_sensor

pytestmark = pytest.mark.django_db


def test_its_score_can_be_computed_again() -> None:
    sensor = make_sensor()
    speak(sensor, past())
    keep_watch(33)
    (found,) = silences(sensor)
    out = StringIO()
    call_command("explain_anomaly", found.pk, "--json", stdout=out)
    said = json.loads(out.getvalue())
    assert said["difference"] == 0
    assert not said["readings_changed"]
    call_command("explain_anomaly", found.pk, stdout=out)
    assert "intervals missed" in out.getvalue()


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 10_000), spoken=st.floats(0.1, 0.7), late=st.just(0) | st.floats(0, 0.6))
def test_what_stands_in_the_end_is_the_gaps_of_the_stored_readings(
    seed: int, spoken: float, late: float
) -> None:
    """A stream with gaps arrives live, late and in any order, while the watch looks on."""
    start_afresh()
    rng, sensor = np.random.default_rng(seed), make_sensor()
    speak(sensor, past(n=100))
    look(0)
    sent = [m for m in range(1, 60) if rng.random() < spoken and not 20 < m < 40]
    kept_back = {m for m in sent if rng.random() < late}
    for minute in range(1, 60):
        if minute in sent and minute not in kept_back:
            speak(sensor, [float(minute)])
        if minute % 4 == 0:
            look(float(minute))
        arriving = [m for m in kept_back if m < minute and rng.random() < 0.1]
        if arriving:
            kept_back -= set(arriving)
            speak(sensor, [float(m) for m in arriving], at=minute)
    if kept_back:
        speak(sensor, [float(m) for m in kept_back], at=59.5)
    look(59.5)
    heard = [*past(n=100), *sent, 59.5]
    waited = {(a, b): b - a - patience_at(heard, a) for a, b in pairwise(heard) if a >= 0}
    found = {(last, end if not is_open else 59.5) for last, end, is_open in spans(sensor)}
    assert found <= {gap for gap, over in waited.items() if over > 0}
    if not late:
        # A look comes every four minutes.
        assert found >= {gap for gap, over in waited.items() if over > 4}


def patience_at(heard: Sequence[float], last: float) -> float:
    """In minutes, as the readings up to `last` give it."""
    minutes = np.array([m for m in heard if m <= last][-rhythm.WINDOW :])
    times = np.datetime64(0, "us") + (minutes * 6e7).round().astype("timedelta64[us]")
    expected = silence.expectation(rhythm.rhythm_of(times), None, POLICY)
    assert expected is not None
    return expected.patience_s / 60


@given(
    intervals=st.lists(st.floats(0.1, 5000), min_size=60, max_size=90),
    stated=st.none() | st.floats(0.5, 4000),
    quiet=st.floats(1, 100_000),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_set_based_rule_and_the_pure_one_agree(
    intervals: list[float], stated: float | None, quiet: float
) -> None:
    start_afresh()
    sensor = make_sensor(expected_interval_s=stated)
    times = np.cumsum(intervals) / 60
    speak(sensor, list(times - times[-1]))
    now = NOW + timedelta(seconds=quiet)
    SilenceWatch.objects.create(id=1, since=NOW - timedelta(days=900), seen=now)
    watch.watch(now=now, policy=POLICY)
    row = SensorRhythm.objects.filter(sensor=sensor).first()
    patience = max(
        POLICY.floor_s,
        *((POLICY.intervals * stated,) if stated else
          (POLICY.intervals * row.interval_s, POLICY.pauses * row.pause_s) if row else ()),
    )  # fmt: skip
    assert bool(silences(sensor)) == (quiet > patience and row is not None)


def test_the_sweep_looks_for_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    sensor = make_sensor()
    speak(sensor, past())
    keep_watch(4)
    monkeypatch.setattr("anomalies.tasks.timezone.now", lambda: NOW + 7 * MINUTE)
    tasks.sweep()
    assert len(silences(sensor)) == 1


@pytest.mark.django_db(transaction=True)
def test_sweeps_and_drains_at_once_store_each_silence_once() -> None:
    _, sensors = place(12)
    for sensor in sensors:
        speak(sensor, past())
    keep_watch(4)

    def work(i: int) -> None:
        try:
            now = NOW + (6 + i) * MINUTE
            if i % 3 == 2:
                # Two say the same thing; whoever comes first, it is not long under way.
                speak(sensors[i % 12], [5.5], at=6)
                detection.drain(now=now, policy=detection.policy())
            else:
                watch.watch(now=now, policy=POLICY)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(18)))
    keep_watch(40, since=24)
    for i, sensor in enumerate(sensors):
        *before, newest = [(last, is_open) for last, _, is_open in spans(sensor)]
        # Whether a sensor that spoke late was seen silent before depends on who came first.
        assert newest == ((5.5, True) if i % 3 == 2 else (0.0, True))
        assert before in ([], [(0.0, False)])
