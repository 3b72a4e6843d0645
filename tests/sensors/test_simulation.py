"""Live sensors: evenly paced, never the same time twice, faults only when asked for."""

from itertools import islice
from typing import Any

import numpy as np
import pytest

from sensors import simulation
from sensors.simulation import Simulation

START = np.datetime64("2026-05-04T12:00", "ms")


def _rows(count: int, **changed: Any) -> list:
    asked: dict[str, Any] = {"sensors": 5, "interval_s": 1.0, "seed": 100, **changed}
    return list(islice(Simulation(**asked).rows(START), count))


def test_a_seed_gives_the_same_stream_again():
    assert _rows(500) == _rows(500)
    assert _rows(500) != _rows(500, seed=101)


def test_rows_come_in_the_order_of_sending_at_the_asked_rate():
    rows = _rows(2_000, interval_s=0.5)
    sent = np.array([time for time, _ in rows])
    assert (np.diff(sent) >= np.timedelta64(0)).all()
    seconds = (sent[-1] - sent[0]) / np.timedelta64(1, "s")
    assert pytest.approx(seconds, rel=0.03) == 2_000 / 5 * 0.5


def test_a_healthy_reading_says_when_it_was_sent():
    assert all(np.datetime64(row["time"][:-1]) == sent for sent, row in _rows(1_000))


def test_the_stream_goes_on_after_a_block_without_a_jump_or_a_repeated_time(monkeypatch):
    monkeypatch.setattr(simulation, "BLOCK_READINGS", 200)
    rows = _rows(1_500, sensors=1)
    times = [row["time"] for _, row in rows]
    assert len(set(times)) == len(times)
    values = np.array([row["value"] for _, row in rows])
    assert np.abs(np.diff(values)).max() < 6 * np.median(np.abs(np.diff(values))) + 3


def test_faults_come_when_they_are_asked_for(monkeypatch):
    monkeypatch.setattr(simulation, "BLOCK_READINGS", 1_000)
    healthy = {row["time"]: row["value"] for _, row in _rows(4_500)}
    faulty = {row["time"]: row["value"] for _, row in _rows(4_500, fault_every_s=100.0)}
    changed = sum(faulty.get(time) != value for time, value in healthy.items())
    assert changed > 50
