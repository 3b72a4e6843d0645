"""A machine's sensors judged together: what is found, what it says, and that it converges."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from anomalies import recomputing, routing
from anomalies.machines import grid, judging, works
from anomalies.machines import readings as machine_readings
from anomalies.machines.grid import Era, Rows
from anomalies.models import Anomaly, AnomalyRevision, MachineDetection, MachineNote
from anomalies.validation import validate_due
from sensors import states as operating
from sensors.models import Asset, ScoringNote, Sensor
from sensors.series import to_datetime
from tests.anomalies.machines.makers import (
    BEGIN,
    BROKEN,
    NOW,
    POLICY,
    ROWS,
    STEP,
    drain_all,
    found_of,
    in_order,
    judge_all,
    make_machine,
    outcome,
    readings,
    states,
    store,
)
from tests.factories import make_readings, make_sensor

pytestmark = pytest.mark.django_db
# Low enough that there is more than the one anomaly to agree on.
MANY = replace(POLICY, false_alarms=20.0)


def test_a_broken_relation_of_sensors_within_their_own_ranges_is_found_by_the_machine_alone() -> (
    None
):
    asset, sensors = make_machine()
    for column, sensor in enumerate(sensors):
        store(sensor, column, range(ROWS))
    drain_all()
    values = readings()
    whole, broken = values[: BROKEN.start], values[BROKEN]
    assert (broken.min(axis=0) > whole.min(axis=0)).all()
    assert (broken.max(axis=0) < whole.max(axis=0)).all()
    start, end = (to_datetime(BEGIN + row * STEP) for row in (BROKEN.start, BROKEN.stop))
    alone = Anomaly.objects.filter(asset__isnull=True, end__gte=start, start__lte=end)
    assert not alone.exists()
    (found,) = found_of(asset)
    assert start <= found.start < start + timedelta(hours=5)
    assert start < found.end < end + timedelta(hours=10)  # a mean of five hours, and its echo
    assert (found.detector, found.level, found.nature) == ("joint", "asset", "machine")


def test_it_says_in_units_what_was_seen_and_what_the_others_led_to_expect() -> None:
    asset, _ = in_order()
    (found,) = found_of(asset)
    assert found.sensor.external_id == "motor"
    assert found.expected_low is not None
    assert found.expected_high is not None
    assert not found.expected_low <= found.observed <= found.expected_high
    shares = [part["share"] for part in found.explanation["contributions"]]
    assert sum(shares) == pytest.approx(1.0, abs=1e-9)
    assert shares == sorted(shares, reverse=True)
    told = found.explanation["machine"]
    assert told["moved_first"] in {"bearing", "motor", "oil"}
    assert told["step_s"] == 600
    assert found.explanation["sentence"].startswith(
        "The sensors of pump do not move together as usual, 26 Feb 2026"
    )
    assert f"motor was {found.observed:.4g} mm/s on average where" in found.sentence


def test_its_score_is_computed_again_and_explained() -> None:
    asset, _ = in_order(MANY)
    for anomaly in found_of(asset):
        again = recomputing.recompute(anomaly)
        assert again.score == pytest.approx(anomaly.score, abs=1e-9)
        assert not again.readings_changed
        out = StringIO()
        call_command("explain_anomaly", str(anomaly.pk), stdout=out)
        assert "do not move together" in out.getvalue()


def test_it_is_validated_and_joins_the_episode_of_its_machine() -> None:
    from anomalies.episodes import placing

    asset, _ = in_order()
    while validate_due(now=NOW):
        pass
    placing.place_due(now=NOW, policies=placing.policies())
    (found,) = found_of(asset)
    assert found.confidence is not None
    assert found.episode is not None
    assert (found.episode.asset, found.episode.queue) == (asset, "machine")


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_batches_with_5_percent_late_end_as_in_order(seed: int) -> None:
    clean, _ = in_order(MANY)
    asset, sensors = make_machine()
    rng = np.random.default_rng(seed)
    batches = []
    for column, sensor in enumerate(sensors):
        late = rng.random(ROWS) < 0.05
        parts = np.array_split(np.flatnonzero(~late), rng.integers(3, 7))
        batches += [(sensor, column, part.tolist()) for part in (*parts, np.flatnonzero(late))]
    for number in rng.permutation(len(batches)):
        store(*batches[number])
        if rng.random() < 0.5:
            judge_all(MANY)
    judge_all(MANY)
    assert outcome(asset) == outcome(clean)
    assert [rows for rows, _, _ in states(asset)] == [rows for rows, _, _ in states(clean)]
    assert states(asset) == states(clean)
    assert len(outcome(clean)) > 1


def test_readings_that_come_live_raise_the_same_and_leave_no_trace_but_of_routing() -> None:
    clean, _ = in_order()
    asset, sensors = make_machine()
    begun, over = BROKEN.start - 8, BROKEN.start + 52
    live = np.array_split(np.arange(begun, over), 15)
    for rows in (np.arange(begun), *live, np.arange(over, ROWS)):
        for column, sensor in enumerate(sensors):
            store(sensor, column, rows.tolist())
            if begun <= rows[0] < over:
                judge_all()
        judge_all()
    assert outcome(asset) == outcome(clean)
    assert states(asset) == states(clean)
    changes = AnomalyRevision.objects.filter(anomaly__asset=asset)
    assert {one.reason for one in changes} <= {routing.REASON}


def test_a_backlog_too_large_for_one_pass_ends_as_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    clean, _ = in_order(MANY)
    monkeypatch.setattr(works, "MAX_ROWS", 130)
    asset, _ = in_order(MANY)
    assert outcome(asset) == outcome(clean)
    assert states(asset) == states(clean)


def test_a_worker_that_dies_leaves_the_notes_and_the_states_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clean, _ = in_order()
    asset, sensors = make_machine()

    class Killed(BaseException):
        pass

    def die(*args: object, **kwargs: object) -> None:
        raise Killed

    for column, sensor in enumerate(sensors):
        store(sensor, column, range(ROWS))
    with monkeypatch.context() as patch:
        patch.setattr(judging.checkpoints, "replace", die)
        with pytest.raises(Killed):
            judge_all()
    assert MachineNote.objects.filter(asset=asset).exists()
    assert outcome(asset) == states(asset) == []
    judging.judge_due(now=NOW, policy=POLICY)
    routing.route_due(now=NOW)
    assert outcome(asset) == outcome(clean)


def test_a_late_reading_that_changes_it_leaves_a_trace() -> None:
    clean, _ = in_order()
    asset, sensors = make_machine()
    late = range(BROKEN.start - 5, BROKEN.stop, 7)
    for column, sensor in enumerate(sensors):
        store(sensor, column, [row for row in range(ROWS) if column != 1 or row not in late])
    judge_all()
    before = outcome(asset)
    store(sensors[1], 1, list(late))
    judge_all()
    assert before != outcome(asset) == outcome(clean)
    assert {r.reason for r in AnomalyRevision.objects.filter(anomaly__asset=asset)} == {
        "late readings"
    }


def test_a_sensor_that_stops_is_missing_and_not_waited_for_long() -> None:
    asset, sensors = make_machine()
    for column, sensor in enumerate(sensors):
        store(sensor, column, range(ROWS if column != 2 else 900))
    judge_all()
    (found,) = found_of(asset)
    shares = {part["feature"]: part["share"] for part in found.explanation["contributions"]}
    assert shares.get("oil", 0.0) == 0.0
    assert MachineDetection.objects.get(asset=asset).judged_until == to_datetime(
        BEGIN + (ROWS - 1) * STEP - STEP // 2
    )  # a row begins in the middle between two readings


def test_a_machine_with_one_sensor_costs_nothing() -> None:
    sensor = make_machine()[1][0]
    Sensor.objects.exclude(pk=sensor.pk).delete()
    store(sensor, 0, range(ROWS))
    judge_all()
    assert not MachineNote.objects.exists()
    assert not MachineDetection.objects.exists()


def test_another_sensor_begins_an_era_and_leaves_what_was_found_before() -> None:
    asset, _ = in_order()
    before = outcome(asset)
    assert before
    newcomer = make_sensor(asset=asset, kind="temperature", external_id="valve")
    until = to_datetime(BEGIN + (ROWS - 1) * STEP)
    make_readings(
        newcomer, [20.0 + i % 3 for i in range(70)], until=until, every=timedelta(minutes=1)
    )
    ScoringNote.objects.create(sensor=newcomer, since=until - timedelta(minutes=69), until=until)
    judge_all()
    assert outcome(asset) == before


def test_a_sensor_that_leaves_takes_back_what_was_found_with_it() -> None:
    asset, sensors = in_order()
    assert found_of(asset)
    for sensor in sensors[1:]:
        sensor.asset = None
        sensor.save()
    store(sensors[0], 0, [ROWS - 1])
    MachineNote.objects.create(asset=asset, since=NOW, reason="late readings", created_at=NOW)
    judge_all()
    judging.judge_due(now=NOW, policy=POLICY)
    assert not found_of(asset)
    assert Anomaly.objects.filter(asset=asset, withdrawn_at__isnull=False).exists()


def test_rows_in_which_the_machine_does_not_run_are_left_out() -> None:
    asset, _ = in_order()
    assert found_of(asset)
    start, end = (to_datetime(BEGIN + row * STEP) for row in (BROKEN.start, BROKEN.stop))
    operating.tag(asset=asset, state="off", start=start, end=end, source="test", now=NOW)
    judge_all()
    assert not found_of(asset)


def test_the_false_alarms_that_a_site_can_bear_move_the_level() -> None:
    asset, _ = in_order()
    few = sum(one.readings for one in found_of(asset))
    asset.site.false_alarms = 30.0
    asset.site.save()
    since = to_datetime(BEGIN).isoformat()
    call_command("detect", "--since", since, "--site", asset.site.slug, stdout=StringIO())
    assert sum(one.readings for one in found_of(asset)) > few


def make_note(asset: Asset) -> None:
    since = to_datetime(BEGIN)
    MachineNote.objects.create(asset=asset, since=since, reason="late readings", created_at=NOW)


def test_a_machine_that_fails_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = range(100)
    broken, sensors = make_machine()
    asset, others = make_machine()
    for column, pair in enumerate(zip(sensors, others, strict=True)):
        for sensor in pair:
            store(sensor, column, rows)
    ScoringNote.objects.all().delete()
    for one in (broken, asset):
        make_note(one)

    def table(era: Era, *columns: Any) -> Rows:
        if sensors[0].pk in era.sensors:
            raise ZeroDivisionError
        return grid.table(era, *columns)

    monkeypatch.setattr(machine_readings, "table", table)
    for minutes in range(3):
        with pytest.raises(ZeroDivisionError):
            judging.judge_due(now=NOW + timedelta(minutes=minutes), policy=POLICY)
    assert {note.asset_id for note in MachineNote.objects.all()} == {broken.pk}
    assert MachineDetection.objects.get(asset=asset).judged_until is not None
    monkeypatch.undo()
    judging.judge_due(now=NOW, policy=POLICY)
    assert not MachineNote.objects.exists()
    assert MachineDetection.objects.filter(tried_at__isnull=False).count() == 0


def test_a_note_from_before_the_first_year_is_worked_off() -> None:
    asset, sensors = make_machine()
    for column, sensor in enumerate(sensors):
        store(sensor, column, range(100))
    ScoringNote.objects.all().delete()
    long_ago = datetime(1, 1, 1, tzinfo=UTC)
    MachineNote.objects.create(asset=asset, since=long_ago, reason="states", created_at=NOW)
    judging.judge_due(now=NOW + timedelta(minutes=5), policy=POLICY)
    assert not MachineNote.objects.exists()


def statements_for(machines: int) -> int:
    for _ in range(machines):
        asset, sensors = make_machine()
        for column, sensor in enumerate(sensors):
            store(sensor, column, range(100))
        make_note(asset)
    ScoringNote.objects.all().delete()
    with CaptureQueriesContext(connection) as captured:
        judging.judge_due(now=NOW, policy=POLICY)
    assert not MachineNote.objects.exists()
    return len(captured)


def test_quiet_machines_are_judged_together_with_the_statements_of_one() -> None:
    assert statements_for(1) == statements_for(4)
