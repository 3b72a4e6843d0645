"""A sensor that falls silent is an instrument anomaly until it speaks again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from io import StringIO
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomalies import detection, silence, tasks, watch
from anomalies.models import Anomaly, AnomalyRevision, SilenceWatch
from anomalies.silence import SilencePolicy
from anomalies.validation import validate_due
from sensors import rhythm
from sensors.acquisition import ingest
from sensors.formats import from_json
from sensors.models import ScoringNote, Sensor, SensorRhythm, Site
from tests.factories import NOW, make_asset, make_sensor, make_site

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
POLICY = SilencePolicy()


def speak(
    sensor: Sensor, minutes: Sequence[float], *, at: float | None = None, backfill: bool = False
) -> None:
    """Readings at these minutes after NOW, received at the minute `at`, else at the last one."""
    rows = [
        {
            "sensor": sensor.external_id,
            "time": (NOW + minute * MINUTE).isoformat(),
            "value": 40.0 + i % 3,
        }
        for i, minute in enumerate(minutes)
    ]
    received = NOW + (max(minutes) if at is None else at) * MINUTE
    batch = from_json(json.dumps(rows).encode())
    ingest(batch, site=sensor.site, source="http", now=received, backfill=backfill)


def past(n: int = 60, every: float = 1.0) -> list[float]:
    """n readings, the last one at the minute 0."""
    return [-every * i for i in range(n)][::-1]


def look(minute: float, policy: SilencePolicy = POLICY) -> None:
    """A sweep at that minute: silence first, then the notes, as the task does it."""
    watch.watch(now=NOW + minute * MINUTE, policy=policy)
    score(minute)


def score(minute: float) -> None:
    now = NOW + minute * MINUTE
    while detection.drain(now=now, policy=detection.policy()).sensors:
        pass


def keep_watch(until: float, since: float = 0.0) -> None:
    """Sweeps without a break, one every four minutes."""
    for minute in np.arange(since, until, 4.0):
        look(float(minute))
    look(until)


def start_afresh() -> None:
    """Between the examples of one test: nobody is watched, nothing was found."""
    SilenceWatch.objects.all().delete()
    Anomaly.objects.all().delete()
    Sensor.objects.update(status=Sensor.Status.RETIRED)


def silences(sensor: Sensor) -> list[Anomaly]:
    return list(Anomaly.objects.silences().filter(sensor=sensor).order_by("start"))


def spans(sensor: Sensor) -> list[tuple[float, float, bool]]:
    """(last reading, end, whether open) of the standing silences, in minutes after NOW."""
    return [
        (
            (datetime.fromisoformat(a.receipt["last"]) - NOW) / MINUTE,
            round((a.end - NOW) / MINUTE, 6),
            a.is_open,
        )
        for a in silences(sensor)
    ]


def test_a_sensor_is_silent_once_its_patience_has_run_out() -> None:
    sensor = make_sensor()
    speak(sensor, past())
    keep_watch(5)
    assert silences(sensor) == []
    look(5.5)
    (found,) = silences(sensor)
    assert (found.is_open, found.nature, found.rung) == (True, "instrument", "statistical")
    assert found.start == NOW + MINUTE
    assert found.explanation["silence"]["intervals_missed"] == 5
    assert "every 1 min" in found.explanation["sentence"]
    assert validate_due(now=NOW + timedelta(hours=1)) == 1
    found.refresh_from_db()
    assert found.status
    assert found.confidence is not None


def test_many_looks_raise_it_once_and_make_it_more_severe() -> None:
    sensor = make_sensor()
    speak(sensor, past())
    keep_watch(240)
    (found,) = silences(sensor)
    assert found.severity == silence.MOST_SEVERE
    assert found.score > 0.9
    assert not AnomalyRevision.objects.filter(anomaly=found).exists()


def test_the_first_reading_after_it_ends_it() -> None:
    sensor = make_sensor()
    speak(sensor, past())
    keep_watch(20)
    speak(sensor, [30.0])
    score(30)
    (found,) = silences(sensor)
    assert (found.is_open, found.end) == (False, NOW + 30 * MINUTE)
    assert "was silent for 30 min" in found.explanation["sentence"]
    assert found.score == pytest.approx(30 / 35)
    look(31)
    assert len(silences(sensor)) == 1
    keep_watch(60, since=31)
    assert spans(sensor)[0] == (0.0, 30.0, False)


def test_the_sweep_alone_ends_it_when_its_note_was_scored_while_it_was_raised() -> None:
    sensor = make_sensor()
    speak(sensor, past())
    keep_watch(10)
    speak(sensor, [11.0])
    ScoringNote.objects.all().delete()
    watch.watch(now=NOW + 12 * MINUTE, policy=POLICY)
    assert spans(sensor) == [(0.0, 11.0, False)]


def test_late_readings_that_fill_the_gap_withdraw_it_with_a_trace() -> None:
    sensor = make_sensor()
    speak(sensor, past())
    keep_watch(20)
    speak(sensor, [float(m) for m in range(1, 21)], at=20.5)
    score(20.5)
    assert silences(sensor) == []
    gone = Anomaly.objects.get(sensor=sensor, detector=silence.DETECTOR)
    assert gone.withdrawn_at is not None
    (trace,) = gone.revisions.all()
    assert (trace.reason, trace.after) == ("late readings", {"withdrawn": True})


def test_late_readings_that_fill_it_in_part_revise_it() -> None:
    sensor = make_sensor()
    speak(sensor, past())
    keep_watch(20)
    speak(sensor, [float(m) for m in range(1, 6)], at=20.5)
    score(20.5)
    (found,) = silences(sensor)
    assert (found.start, found.is_open) == (NOW + 6 * MINUTE, True)
    assert [trace.reason for trace in found.revisions.all()] == ["late readings"]


def test_a_late_reading_in_the_middle_leaves_two() -> None:
    sensor = make_sensor()
    speak(sensor, past())
    keep_watch(60)
    speak(sensor, [60.0])
    score(60)
    speak(sensor, [30.0], at=61)
    score(61)
    assert spans(sensor) == [(0.0, 30.0, False), (30.0, 60.0, False)]


def test_history_raises_none() -> None:
    old, imported, delivered = make_sensor(), make_sensor(), make_sensor()
    speak(old, [m - 60 * 24 * 400 for m in past()], at=0)
    speak(imported, [m - 90 for m in past()], at=0, backfill=True)
    speak(delivered, [m - 90 for m in past()], at=0)
    keep_watch(120)
    assert not Anomaly.objects.silences().exists()


def test_too_few_readings_raise_none_unless_a_person_stated_the_interval() -> None:
    unknown, stated = make_sensor(), make_sensor(expected_interval_s=60)
    for sensor in (unknown, stated):
        speak(sensor, past(n=5))
    keep_watch(30)
    assert silences(unknown) == []
    (found,) = silences(stated)
    assert found.rung == "limits"


def test_a_retired_sensor_raises_none_and_ends_the_one_that_is_open() -> None:
    retired, retiring = make_sensor(status="retired"), make_sensor()
    speak(retiring, past())
    speak(make_sensor(), past())
    keep_watch(10)
    Sensor.objects.filter(pk=retiring.pk).update(status="retired")
    look(12)
    look(14)
    assert silences(retired) == []
    assert spans(retiring) == [(0.0, 12.0, False)]


def test_a_sensor_that_sends_on_change_is_waited_for() -> None:
    rng = np.random.default_rng(5)
    sensor = make_sensor()
    minutes = np.cumsum(rng.exponential(10, 200)).round(3)
    speak(sensor, list(minutes - minutes[-1]))
    keep_watch(60)
    assert silences(sensor) == []


def test_bursts_are_waited_for() -> None:
    sensor = make_sensor()
    bursts = [-60.0 * hour + i / 600 for hour in range(8, -1, -1) for i in range(-29, 1)]
    speak(sensor, bursts)
    keep_watch(150)
    assert silences(sensor) == []
    keep_watch(190, since=150)
    assert len(silences(sensor)) == 1


def test_after_a_break_of_the_watch_sensors_get_their_patience_once_more() -> None:
    sensor = make_sensor()
    speak(sensor, past())
    keep_watch(2)
    look(60)
    assert silences(sensor) == []
    assert SilenceWatch.objects.get().since == NOW + 60 * MINUTE
    keep_watch(66, since=60)
    assert len(silences(sensor)) == 1


def test_no_sensor_is_silent_twice_at_once() -> None:
    sensor = make_sensor()
    speak(sensor, past())
    keep_watch(10)
    (found,) = silences(sensor)
    found.pk, found.start = None, found.start + MINUTE
    with pytest.raises(IntegrityError), transaction.atomic():
        found.save(force_insert=True)


# --- one cause ------------------------------------------------------------------------------------


def place(n: int, **values: Any) -> tuple[Site, list[Sensor]]:
    site = make_site(**values)
    return site, [make_sensor(site=site) for _ in range(n)]


def test_an_outage_of_a_site_is_one_review() -> None:
    site, sensors = place(6, name="North plant")
    for i, sensor in enumerate(sensors):
        speak(sensor, [m + i / 10 for m in past()])
    keep_watch(30)
    rows = Anomaly.objects.silences().filter(sensor__site=site).order_by("pk")
    assert rows.count() == 6
    (leader,) = rows.awaiting_review()
    assert set(rows.exclude(pk=leader.pk).values_list("follows", flat=True)) == {leader.pk}
    assert leader.severity > max(row.severity for row in rows if row.pk != leader.pk)
    assert {row.explanation["common"]["silent"] for row in rows} == {6}
    assert "6 of 6 sensors of North plant fell silent" in leader.explanation["sentence"]


def test_a_slow_sensor_that_stopped_with_the_site_joins_its_outage_later() -> None:
    site, sensors = place(4)
    for sensor in sensors:
        speak(sensor, past())
    slow = make_sensor(site=site)
    speak(slow, [m - 3 for m in past(every=10)])
    keep_watch(70)
    leader = Anomaly.objects.silences().awaiting_review().get()
    (found,) = silences(slow)
    assert found.follows_id == leader.pk


def test_a_machine_that_is_switched_off_is_one_review_and_the_others_are_heard() -> None:
    site = make_site()
    off = make_asset(site=site, name="pump 7")
    silent = [make_sensor(site=site, asset=off) for _ in range(3)]
    talking = [make_sensor(site=site) for _ in range(7)]
    for sensor in (*silent, *talking):
        speak(sensor, past())
    for minute in (4.0, 8.0, 12.0, 16.0):
        for sensor in talking:
            speak(sensor, [minute - 3, minute - 2, minute - 1, minute])
        look(minute)
    (leader,) = Anomaly.objects.silences().awaiting_review()
    assert leader.explanation["common"] == {
        "scope": "asset",
        "name": "pump 7",
        "silent": 3,
        "of": 3,
    }
    assert Anomaly.objects.silences().count() == 3


def test_sensors_that_stop_at_different_times_are_reviewed_apart() -> None:
    _, sensors = place(4)
    for i, sensor in enumerate(sensors):
        speak(sensor, [m - 20 * i for m in past()], at=-20 * i)
    keep_watch(30, since=-60)
    assert Anomaly.objects.silences().awaiting_review().count() == 4


def test_when_the_leader_is_withdrawn_the_first_that_follows_leads() -> None:
    _, sensors = place(4)
    for sensor in sensors:
        speak(sensor, past())
    keep_watch(20)
    leader = Anomaly.objects.silences().awaiting_review().get()
    speak(leader.sensor, [float(m) for m in range(1, 21)], at=20.5)
    score(20.5)
    heir = Anomaly.objects.silences().awaiting_review().get()
    assert heir.pk != leader.pk
    assert heir.followers.count() == 2


# --- proof ----------------------------------------------------------------------------------------


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
                speak(sensors[i % 12], [5.5], at=6 + i)
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
