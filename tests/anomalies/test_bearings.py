"""Readings of bearings as the product's users meet them, in small: bench/bearings.py measures."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from anomalies import tables
from anomalies.tables import Table
from bench.bearings import DATA, FILE, Found, Life, Outcome, lived, table_of, tracks_of
from sensors.series import to_datetime

STEP = np.timedelta64(600, "s")
ROWS = 100
TIMES = np.datetime64("2004-02-12T10:00", "us") + np.arange(ROWS) * STEP
LIFE = Life(TIMES)


def at(row: int) -> datetime:
    return to_datetime(TIMES[row])


def found(row: int, *, credible: int | None = None, told: int | None = None) -> Found:
    return Found(
        bearing="Bearing 1",
        level="sensor",
        given_by="local (local)",
        start=at(row),
        end=at(row),
        detected=at(row),
        score=0.7,
        nature="machine",
        decision="further_investigation_needed",
        confidence=0.6,
        episode=None if told is None else 1,
        credible=None if credible is None else at(credible),
        told=None if told is None else at(told),
        withdrawn=False,
    )


def table(values: dict[str, np.ndarray]) -> Table:
    rows = len(next(iter(values.values())))
    return Table(",", (), [[]] * rows, TIMES[:rows], values, (), ())


def test_early_is_from_15_percent_to_half_of_life() -> None:
    inside = [row for row in range(ROWS) if LIFE.is_early(at(row), at(row))]
    assert inside == list(range(15, 50))


def test_a_range_is_early_if_any_of_it_is() -> None:
    assert LIFE.is_early(at(10), at(15))
    assert not LIFE.is_early(at(10), at(14))
    assert LIFE.is_early(at(49), at(80))


def test_the_table_counts_early_ones_and_says_when_the_first_late_one_was_told_of() -> None:
    early = found(20), found(30, credible=30, told=31), found(40, credible=41)
    late = found(60), found(70, credible=71, told=76), found(80, credible=80, told=80)
    *_, row = table_of(Outcome((*early, *late), (), "", 0.0), LIFE)
    hours = [(at(ROWS - 1) - at(place)) / timedelta(hours=1) for place in (60, 71, 76)]
    assert row == f"| Bearing 1 | 3 | 2 | 1 | {' | '.join(f'{each:.0f}' for each in hours)} |"


def test_bearings_are_sensors_of_one_machine_or_of_one_each() -> None:
    both = table({"Bearing 1": np.ones(3), "Bearing 2": np.ones(3)})
    assert {track.machine for track in tracks_of(both, together=True)} == {"machine"}
    assert [track.machine for track in tracks_of(both, together=False)] == list(both.values)


@pytest.mark.django_db
def test_a_bearing_that_fails_is_found_judged_and_told_of() -> None:
    values = np.random.default_rng(5).normal(0.06, 0.001, 64)
    values[-6:] *= 5
    outcome = lived(table({"Bearing 1": values}), together=True)
    (one,) = outcome.found
    assert one.credible is not None
    assert outcome.said[0].at == one.told
    assert one.start == at(58)
    assert outcome.champion.endswith("no champion")


def test_the_published_run_is_read_as_four_bearings() -> None:
    path = DATA / FILE
    if not path.exists():
        pytest.skip(f"the run to failure is not at {path}: it is not seen how it is read")
    read = tables.read(path)
    assert [track.name for track in tracks_of(read, together=True)] == list(read.values)
    assert (len(read), len(read.values)) == (984, 4)
