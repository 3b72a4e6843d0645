"""Whose fault an anomaly is, on machines with one fault each. Seeds from 100 up are development's;
the figures that are reported come from others (bench/routing.py)."""

from __future__ import annotations

import numpy as np
import pytest

from anomalies import nature
from anomalies.nature import Bounds, Track, decide
from bench.routing import on_machine
from sensors.generator.machines import INSTRUMENTS, SORTS, machine

UNTIL = np.datetime64("2026-05-04T00:00", "us")
STEP = np.timedelta64(10, "m")
N, AT = 700, 660


@pytest.mark.parametrize("seed", [131, 132])
def test_each_sort_of_fault_goes_to_its_queue(seed: int):
    routed = on_machine(seed)
    assert {one.sort for one in routed} == set(SORTS)
    assert [one.sort for one in routed if one.is_diverted] == []
    assert sum(one.is_right for one in routed) >= len(routed) - 1


def track(name: str, values: np.ndarray, kind: str = "pressure") -> Track:
    times = np.datetime64("2026-01-01", "us") + np.arange(len(values)) * STEP
    return Track(name, kind, times, values, AT - nature.MARGIN_ROWS)


def calm(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(40, 1, N).round(2)


def ruling(own: Track, *others: Track, first: int = AT, last: int = AT, bounds=None):
    return decide(
        own, others, start=own.times[first], end=own.times[last], bounds=bounds or Bounds()
    )


def spiked(seed: int) -> np.ndarray:
    values = calm(seed)
    values[AT] += 15
    return values


def test_a_leap_that_is_back_at_once_is_the_sensors():
    found = ruling(track("a", spiked(1)), track("b", calm(2)))
    assert (found.nature, found.sort) == ("instrument", "spike")


def test_a_leap_that_others_show_too_is_the_machines():
    found = ruling(track("a", spiked(1)), track("b", spiked(2)))
    assert (found.nature, found.sort) == ("machine", "together")
    assert found.reason == "b moved with it"


def test_a_leap_that_is_not_over_yet_is_nobodys_spike():
    values = spiked(1)[: AT + 3]
    assert ruling(track("a", values)).nature == "machine"


def test_a_stuck_sensor_is_the_sensors_and_a_machine_that_stands_still_is_not():
    stuck = calm(1)
    stuck[AT:] = stuck[AT]
    alone = ruling(track("a", stuck), track("b", calm(2)), last=AT + 30)
    assert (alone.nature, alone.sort) == ("instrument", "stuck")
    stopped = calm(2)
    stopped[AT + 1 :] = 3.0
    assert ruling(track("a", stuck), track("b", stopped), last=AT + 30).nature == "machine"


def test_an_impossible_value_needs_no_history():
    short = Track("a", "pressure", np.array([UNTIL]), np.array([900.0]), 0)
    found = decide(short, (), start=UNTIL, end=UNTIL, bounds=Bounds(0.0, 500.0))
    assert (found.nature, found.sort) == ("instrument", "out_of_range")


def test_a_sensor_that_leaves_its_twin_is_out_of_calibration():
    truth = 40 + 5 * np.sin(np.arange(N) / 20)
    one, two = (truth + np.random.default_rng(s).normal(0, 0.3, N) for s in (1, 2))
    drifted = one.copy()
    drifted[AT - 20 :] += np.linspace(0, 8, N - AT + 20)
    assert ruling(track("a", drifted), track("b", two), last=N - 1).sort == "calibration"
    both = track("b", two + (drifted - one))
    assert ruling(track("a", drifted), both, last=N - 1).nature == "machine"


def test_without_company_a_slow_change_is_the_machines():
    drifted = calm(1)
    drifted[AT - 20 :] += np.linspace(0, 12, N - AT + 20)
    assert ruling(track("a", drifted), last=N - 1).nature == "machine"


@pytest.mark.parametrize("sort", SORTS)
def test_a_generated_machine_is_a_function_of_its_seed_and_labels_what_it_changed(sort: str):
    one, again = (machine(sort, seed=105, until=UNTIL) for _ in range(2))
    for stream, same in zip(one.streams, again.streams, strict=True):
        np.testing.assert_array_equal(stream.values, same.values)
    faulty = [stream for stream in one.streams if stream.faults]
    assert len(one.streams) == len(INSTRUMENTS)
    assert (len(faulty) == 1) if one.is_instrument else faulty
