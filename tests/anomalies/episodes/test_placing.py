"""Anomalies become episodes: one open a machine, first mover first, convergent after the fact."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import IntegrityError, transaction

from anomalies import ledger, tasks
from anomalies.episodes import acting, closing, evidence, placing
from anomalies.episodes.policy import EpisodePolicies, EpisodePolicy
from anomalies.models import Anomaly, Episode, EpisodeEvent, Verdict
from anomalies.review import review
from anomalies.validation import validate_due
from sensors.models import Asset, Sensor
from tests.factories import (
    NOW,
    make_asset,
    make_evidence,
    make_person,
    make_readings,
    make_scored,
    make_sensor,
    make_silence,
)

pytestmark = pytest.mark.django_db

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def place(now: datetime = NOW, **policy: Any) -> int:
    return placing.place_due(now=now, policies=EpisodePolicies(EpisodePolicy(**policy)))


def settle(now: datetime = NOW, **policy: Any) -> int:
    return closing.settle(now=now, policies=EpisodePolicies(EpisodePolicy(**policy)))


def kinds(episode: Episode) -> list[str]:
    return list(episode.events.values_list("kind", flat=True))


def quiet_after(sensor: Sensor, last: datetime, hours: float = 2) -> None:
    """Readings every minute after `last`, all of them scored."""
    until = last + hours * HOUR
    make_readings(sensor, [40.0] * int(60 * hours), until=until)
    make_scored(sensor, until)


@pytest.fixture
def machine() -> tuple[Asset, Sensor, Sensor]:
    asset = make_asset(criticality=3)
    return asset, make_sensor(asset=asset), make_sensor(asset=asset)


def test_anomalies_of_one_machine_are_one_episode_with_the_first_mover_first(machine: Any) -> None:
    asset, one, other = machine
    make_evidence(sensor=one, start=NOW)
    make_evidence(sensor=other, start=NOW - 3 * MINUTE, score=0.9)
    assert place() == 2
    episode = Episode.objects.get()
    assert (episode.asset, episode.sensor, episode.site) == (asset, None, asset.site)
    assert (episode.first_sensor, episode.started_at) == (other, NOW - 3 * MINUTE)
    assert (episode.sensors, episode.anomalies_count, episode.severity) == (2, 2, 5)
    assert [(m.sensor, m.after) for m in evidence.order_of(episode)] == [
        (other.pk, timedelta(0)),
        (one.pk, 3 * MINUTE),
    ]
    assert kinds(episode) == ["opened"]


def test_sensors_without_a_machine_have_episodes_of_their_own() -> None:
    first, second = make_evidence(), make_evidence()
    place()
    assert not Episode.objects.filter(asset__isnull=False).exists()
    assert set(Episode.objects.values_list("sensor", flat=True)) == {
        first.sensor_id,
        second.sensor_id,
    }


@pytest.mark.parametrize(
    "weak",
    [
        {"status": "false_positive_suspected"},
        {"verdict": "false_positive"},
        {"score": 0.59},
        {"status": ""},
    ],
)
def test_what_is_too_weak_opens_none(weak: dict[str, Any]) -> None:
    anomaly = make_evidence(**weak)
    assert place() == 1
    assert not Episode.objects.exists()
    anomaly.refresh_from_db()
    assert anomaly.episode_due_at is None


def test_a_person_outranks_the_validation_agent() -> None:
    make_evidence(status="false_positive_suspected", verdict="confirmed")
    place()
    assert Episode.objects.count() == 1


def test_what_is_too_weak_to_open_one_keeps_it_open(machine: Any) -> None:
    _, one, other = machine
    make_evidence(sensor=one)
    place()
    make_evidence(sensor=other, start=NOW + MINUTE, score=0.55)
    place()
    assert Episode.objects.get().anomalies_count == 2


def test_two_anomalies_open_one_where_two_are_asked_for_in_either_order(machine: Any) -> None:
    _, one, other = machine
    make_evidence(sensor=one, start=NOW)
    place(enter_anomalies=2)
    assert not Episode.objects.exists()
    make_evidence(sensor=other, start=NOW - 10 * MINUTE)
    place(enter_anomalies=2)
    episode = Episode.objects.get()
    assert (episode.anomalies_count, episode.first_sensor) == (2, other)


def test_the_database_refuses_a_second_open_episode_of_a_machine(machine: Any) -> None:
    make_evidence(sensor=machine[1])
    place()
    second = Episode.objects.get()
    second.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        second.save(force_insert=True)


def test_a_sensor_at_fault_has_an_episode_in_the_queue_of_instruments(machine: Any) -> None:
    asset, one, _ = machine
    make_evidence(sensor=one)
    make_evidence(sensor=one, start=NOW - MINUTE, nature="instrument")
    place()
    assert set(Episode.objects.values_list("queue", "asset", "sensor")) == {
        ("machine", asset.pk, None),
        ("instrument", None, one.pk),
    }


def test_an_outage_of_many_sensors_is_one_episode() -> None:
    asset = make_asset()
    told: dict[str, Any] = {
        "status": "credible_anomaly",
        "validation_due_at": None,
        "episode_due_at": NOW,
    }
    leader = make_silence(sensor=make_sensor(asset=asset), **told, score=0.7)
    for _ in range(3):
        make_silence(sensor=make_sensor(asset=asset), follows=leader, **told, score=0.7)
    place()
    episode = Episode.objects.get()
    assert (episode.queue, episode.sensor, episode.sensors) == ("instrument", leader.sensor, 4)
    assert settle(NOW + 5 * HOUR) == 0, "they are still silent"


# --- the course -----------------------------------------------------------------------------------


def test_it_calms_down_once_its_sensors_were_quiet_long_enough(machine: Any) -> None:
    _, one, _ = machine
    make_evidence(sensor=one)
    place()
    make_scored(one, NOW + 2 * HOUR)
    assert settle() == 0, "no reading says that it is well"
    quiet_after(one, NOW)
    assert settle() == 1
    episode = Episode.objects.get()
    assert (episode.state, episode.resolution) == ("resolved", "calmed")
    assert kinds(episode) == ["opened", "resolved"]
    assert settle() == 0


def test_it_does_not_calm_down_while_an_anomaly_waits_to_be_judged(machine: Any) -> None:
    _, one, _ = machine
    make_evidence(sensor=one)
    place()
    quiet_after(one, NOW)
    make_evidence(sensor=one, start=NOW + HOUR, validation_due_at=NOW, status="")
    assert settle() == 0


def test_what_comes_back_within_a_day_is_the_same_episode(machine: Any) -> None:
    _, one, _ = machine
    make_evidence(sensor=one)
    place()
    quiet_after(one, NOW)
    settle()
    make_evidence(sensor=one, start=NOW + 3 * HOUR)
    place()
    episode = Episode.objects.get()
    assert episode.state == "reopened"
    assert kinds(episode) == ["opened", "resolved", "reopened"]


def test_a_history_read_at_once_ends_in_the_episodes_it_would_have_made_live() -> None:
    starts = [0, 0.5, 4, 60, 61, 200]

    def episodes(batches: list[list[float]]) -> list[tuple[Any, ...]]:
        sensor = make_sensor(asset=make_asset())
        make_readings(sensor, [40.0] * 260, until=NOW + 259 * HOUR, every=HOUR)
        for batch in batches:
            for hour in batch:
                make_evidence(sensor=sensor, start=NOW + hour * HOUR, episode_due_at=NOW)
            place(exit_readings=1)
            make_scored(sensor, NOW + (max(batch) + 2) * HOUR)
            settle(exit_readings=1)
        rows = Episode.objects.filter(asset=sensor.asset).order_by("started_at")
        return list(rows.values_list("state", "started_at", "last_at", "anomalies_count"))

    live = episodes([[hour] for hour in starts])
    assert [row[3] for row in live] == [3, 2, 1]
    assert episodes([starts]) == live
    assert episodes([starts[:2], starts[2:]]) == live


def test_what_a_person_has_in_hand_is_never_resolved_by_the_system(machine: Any) -> None:
    _, one, _ = machine
    anomaly = make_evidence(sensor=one)
    place()
    acting.acknowledge(Episode.objects.get(), person=make_person(), now=NOW)
    quiet_after(one, NOW)
    settle()
    ledger.withdraw(anomaly, reason="late readings", now=NOW)
    place()
    episode = Episode.objects.get()
    assert (episode.state, episode.anomalies_count) == ("acknowledged", 0)
    assert kinds(episode) == ["opened", "acknowledged", "left"]


def test_a_snooze_ends_by_the_clock(machine: Any) -> None:
    make_evidence(sensor=machine[1])
    place()
    episode = Episode.objects.get()
    acting.snooze(episode, until=NOW + HOUR, person=make_person(), now=NOW)
    assert settle(NOW + HOUR - MINUTE) == 0
    assert settle(NOW + HOUR) == 1
    assert kinds(episode)[-1] == "woke"


# --- after the fact -------------------------------------------------------------------------------


def test_withdrawn_evidence_leaves_with_a_trace_and_the_rest_says_what_it_says(
    machine: Any,
) -> None:
    _, one, other = machine
    strong = make_evidence(sensor=other, start=NOW - MINUTE, score=0.95)
    make_evidence(sensor=one)
    place()
    ledger.withdraw(strong, reason="late readings", now=NOW + HOUR)
    place(NOW + HOUR)
    episode = Episode.objects.get()
    assert (episode.first_sensor, episode.severity, episode.anomalies_count) == (one, 3, 1)
    assert kinds(episode) == ["opened", "left", "origin", "severity"]
    left = EpisodeEvent.objects.get(kind="left")
    assert (left.anomaly, left.text) == (strong, "detection took it back")


def test_an_episode_without_evidence_is_retracted_and_comes_back_with_new_one(
    machine: Any,
) -> None:
    _, one, _ = machine
    ledger.withdraw(make_evidence(sensor=one), reason="late readings", now=NOW)
    assert place() == 1
    assert not Episode.objects.exists(), "it never was evidence"
    anomaly = make_evidence(sensor=one)
    place()
    ledger.withdraw(anomaly, reason="late readings", now=NOW)
    place()
    assert Episode.objects.get().resolution == "retracted"
    make_evidence(sensor=one, start=NOW + MINUTE)
    place()
    assert Episode.objects.get().state == "reopened"


def test_a_false_positive_verdict_takes_the_evidence_out(machine: Any) -> None:
    anomaly = make_evidence(sensor=machine[1])
    place()
    review(anomaly=anomaly, verdict=Verdict.FALSE_POSITIVE, note="", person=make_person(), now=NOW)
    place()
    assert Episode.objects.get().resolution == "retracted"


def test_an_earlier_anomaly_that_comes_late_becomes_the_first_mover(machine: Any) -> None:
    _, one, other = machine
    make_evidence(sensor=one)
    place()
    make_evidence(sensor=other, start=NOW - 10 * MINUTE)
    place()
    episode = Episode.objects.get()
    assert episode.first_sensor == other
    assert kinds(episode) == ["opened", "joined", "origin"]
    origin = EpisodeEvent.objects.get(kind="origin")
    assert origin.data == {"before": one.external_id, "after": other.external_id}


def test_an_anomaly_that_turns_out_to_be_the_sensors_moves_to_the_other_queue(
    machine: Any,
) -> None:
    anomaly = make_evidence(sensor=machine[1])
    place()
    Anomaly.objects.filter(pk=anomaly.pk).update(nature="instrument", episode_due_at=NOW)
    place()
    assert list(Episode.objects.order_by("pk").values_list("queue", "state")) == [
        ("machine", "resolved"),
        ("instrument", "open"),
    ]


def test_placing_again_changes_nothing(machine: Any) -> None:
    _, one, other = machine
    make_evidence(sensor=one)
    make_evidence(sensor=other, start=NOW + MINUTE)
    place()

    def stand() -> list[Any]:
        return [*Episode.objects.values(), *EpisodeEvent.objects.values()]

    before = stand()
    Anomaly.objects.update(episode_due_at=NOW)
    place()
    assert stand() == before


# --- the jobs -------------------------------------------------------------------------------------


def test_the_validation_job_makes_the_episode_and_the_sweep_what_was_lost() -> None:
    sensor = make_sensor()
    make_readings(sensor, list(np.linspace(40, 41, 30)), until=NOW - MINUTE)
    make_evidence(sensor=sensor, score=0.9, validation_due_at=NOW, episode_due_at=None)
    tasks.run_validation()
    assert Episode.objects.count() == 1
    make_evidence(start=NOW)
    tasks.sweep()
    assert Episode.objects.count() == 2
    assert validate_due(now=NOW) == 0
