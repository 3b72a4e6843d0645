"""A machine's sensors learn nothing together from a confirmed fault, whenever it is confirmed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from anomalies import recomputing
from anomalies.machines import fold
from anomalies.machines.grid import Era, Rows
from anomalies.models import Anomaly, FaultPeriod, Verdict
from anomalies.review import review
from mlops.detectors.streaming.contract import dumped
from sensors.models import Asset
from sensors.series import to_datetime
from tests.anomalies.machines.makers import (
    BEGIN,
    BROKEN,
    NOW,
    POLICY,
    ROWS,
    STEP,
    found_of,
    in_order,
    judge_all,
    make_machine,
    outcome,
    readings,
    states,
    store,
)
from tests.factories import make_anomaly, make_person

ERA = Era(BEGIN, 600, (1, 2, 3))
FAULT = slice(700, 760)
MANY = replace(POLICY, false_alarms=20.0)


def rows_of(faulty: np.ndarray | None) -> Rows:
    return Rows(BEGIN + np.arange(ROWS) * STEP, readings(), faulty)


def marked() -> np.ndarray:
    mask = np.zeros(ROWS, np.bool_)
    mask[FAULT] = True
    return mask


def test_what_comes_after_a_fault_is_judged_as_if_the_fault_had_not_been() -> None:
    whole, end, _ = fold.fold(ERA, fold.beginning(ERA), rows_of(marked()))
    without, other, _ = fold.fold(ERA, fold.beginning(ERA), rows_of(None)[~marked()])
    assert np.array_equal(whole.parts[FAULT.stop :], without.parts[FAULT.start :])
    assert dumped(end.state) == dumped(other.state)
    learnt, _, _ = fold.fold(ERA, fold.beginning(ERA), rows_of(None))
    assert np.array_equal(whole.parts[: FAULT.stop], learnt.parts[: FAULT.stop])


@pytest.mark.parametrize("size", [1, 37])
def test_pieces_of_any_size_end_as_the_whole_and_leave_no_state_within_a_fault(size: int) -> None:
    rows = rows_of(marked())[600:900]
    _, start, _ = fold.fold(ERA, fold.beginning(ERA), rows_of(marked())[:600])
    whole, end, _ = fold.fold(ERA, start, rows)
    at, parts, passed = start, [], []
    for begin in range(0, len(rows), size):
        judged, at, among = fold.fold(ERA, at, rows[begin : begin + size])
        parts.append(judged.parts)
        passed += among
    assert np.array_equal(np.concatenate(parts), whole.parts)
    assert dumped(at.state) == dumped(end.state)
    assert not [one for one in passed if FAULT.start < one.rows <= FAULT.stop]


def say(asset: Asset, verdict: Verdict) -> Anomaly:
    """A verdict on what was found where the relation broke."""
    begun = to_datetime(BEGIN + (BROKEN.start + 30) * STEP)
    found = next(one for one in found_of(asset) if one.start <= begun <= one.end)
    person = make_person(asset.site)
    review(anomaly=found, verdict=verdict, note="", person=person, now=NOW)
    return found


@pytest.mark.django_db
def test_early_or_late_verdict_and_any_batches_end_alike() -> None:
    late, _ = in_order(MANY)
    before = outcome(late)
    fault = say(late, Verdict.CONFIRMED)
    judge_all(MANY)
    assert outcome(late) != before
    assert Anomaly.objects.get(pk=fault.pk).score == fault.score
    early, sensors = make_machine()
    cut = BROKEN.stop + 100  # its echo in the references is over
    for column, sensor in enumerate(sensors):
        store(sensor, column, range(cut))
    judge_all(MANY)
    say(early, Verdict.CONFIRMED)
    rng = np.random.default_rng(5)
    rest = np.array_split(np.arange(cut, ROWS), 3)
    batches = [(column, part) for column in range(len(sensors)) for part in rest]
    for number in rng.permutation(len(batches)):
        column, part = batches[number]
        store(sensors[column], column, part.tolist())
        judge_all(MANY)
    assert outcome(early) == outcome(late)
    assert states(early) == states(late)


@pytest.mark.django_db
def test_a_verdict_that_is_taken_back_leaves_nothing_behind_and_all_is_computed_again() -> None:
    asset, _ = in_order(MANY)
    before, kept = outcome(asset), states(asset)
    say(asset, Verdict.CONFIRMED)
    judge_all(MANY)
    assert outcome(asset) != before
    for anomaly in found_of(asset):
        assert recomputing.recompute(anomaly).score == pytest.approx(anomaly.score, abs=1e-9)
    fault = Anomaly.objects.get(fault_period__isnull=False)
    person = make_person(asset.site)
    review(anomaly=fault, verdict=Verdict.UNSURE, note="", person=person, now=NOW)
    judge_all(MANY)
    assert (outcome(asset), states(asset)) == (before, kept)


@pytest.mark.django_db
def test_a_confirmed_fault_of_one_sensor_is_left_out_of_what_its_machine_learns() -> None:
    asset, sensors = in_order()
    kept = states(asset)
    start, end = (to_datetime(BEGIN + row * STEP) for row in (800, 820))
    own = make_anomaly(sensor=sensors[0], start=start, end=end - timedelta(seconds=1), readings=20)
    review(anomaly=own, verdict=Verdict.CONFIRMED, note="", person=make_person(asset.site), now=NOW)
    judge_all()
    assert FaultPeriod.objects.count() == 1
    assert [rows for rows, _, _ in states(asset)] == [rows for rows, _, _ in kept]
    assert states(asset) != kept
