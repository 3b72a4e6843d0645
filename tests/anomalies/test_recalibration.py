"""Thresholds that verdicts move: proposed, tried on others, refused, applied and reverted."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from anomalies import recalibration, tasks, thresholds, validation
from anomalies.calibration import FEWEST, MARGIN, Said, Thresholds, propose
from anomalies.models import Anomaly, Calibration, Verdict
from anomalies.review import review
from sensors.models import Sensor
from tests.factories import NOW, make_anomaly, make_person, make_readings, make_sensor

DAY = timedelta(days=1)
BEFORE = Thresholds(0.4, 0.7)


def said(confidences: list[float], confirmed: bool = False, first: int = 0) -> list[Said]:
    return [
        Said(first + day, confidence, confirmed, NOW + (first + day) * DAY)
        for day, confidence in enumerate(confidences)
    ]


# --- the proposal ---------------------------------------------------------------------------------


def test_it_moves_just_above_what_was_refuted() -> None:
    found = propose(said([0.5] * 10), BEFORE)
    assert found.after.false_positive == pytest.approx(0.5 + MARGIN)
    assert (found.tried_before.spared, found.tried_after.spared) == (0, 3)
    assert found.refusal == ""


def test_it_stays_below_all_that_was_confirmed() -> None:
    found = propose([*said([0.45, 0.6] * 5), *said([0.55], confirmed=True)], BEFORE)
    assert found.after.false_positive == pytest.approx(0.45 + MARGIN)


def test_it_falls_where_a_confirmed_fault_is_left_out_now() -> None:
    found = propose([*said([0.5] * 10), *said([0.3], confirmed=True)], BEFORE)
    assert found.after.false_positive == pytest.approx(0.3 - MARGIN)


def test_it_is_refused_where_a_confirmed_fault_that_was_held_back_would_be_missed() -> None:
    late = said([0.45], confirmed=True, first=20)
    found = propose([*said([0.5] * 10), *late], BEFORE)
    assert found.tried_after.missed == (20,)
    assert "1 confirmed faults would be missed: anomalies 20" in found.refusal


def test_it_is_refused_where_a_confirmed_fault_of_another_sensor_of_the_kind_would_be() -> None:
    other = Said(99, 0.45, True, NOW + 9 * DAY, own=False)
    assert "would be missed" in propose([*said([0.5] * 10), other], BEFORE).refusal


def test_what_is_missed_already_is_not_held_against_it() -> None:
    late = said([0.2], confirmed=True, first=20)
    assert propose([*said([0.5] * 10), *late], BEFORE).refusal == ""


def test_one_verdict_less_than_needed_is_refused_and_as_many_are_enough() -> None:
    assert propose(said([0.5] * FEWEST), BEFORE).refusal == ""
    assert "7 verdicts, 8 are needed" in propose(said([0.5] * (FEWEST - 1)), BEFORE).refusal


def test_a_proposal_knows_nothing_of_what_is_held_back() -> None:
    early = said([0.5] * 10)
    late = said([0.62] * 3, first=20)
    known = propose([*early, *late], BEFORE).after
    assert known == propose([*early, *said([0.41] * 3, first=20)], BEFORE).after


# --- rows -----------------------------------------------------------------------------------------


def refuted_sensor(n: int = 10, **values: Any) -> Sensor:
    """A sensor with anomalies that nobody minds, each unlike those before it."""
    sensor = make_sensor(**values)
    person = make_person(sensor.site)
    for day in range(n):
        give(sensor, person, day, Verdict.FALSE_POSITIVE)
    return sensor


def give(sensor: Sensor, person: Any, day: int, verdict: Verdict, score: float = 0.52) -> Anomaly:
    when = NOW + day * DAY
    make_readings(sensor, [50.0, 50.2, 49.8, 50.1, 49.9] * 4, until=when - timedelta(minutes=1))
    anomaly = make_anomaly(
        sensor=sensor, start=when, score=score, observed=62.0, detector=f"detector {day}",
    )  # fmt: skip
    policy = thresholds.in_force().of(sensor_id=sensor.pk, kind=sensor.kind)
    validation.validate(anomaly=anomaly, policy=policy, now=when)
    review(anomaly=anomaly, verdict=verdict, note="", person=person, now=when)
    return anomaly


def proposals() -> dict[str, recalibration.Proposed]:
    return {one.scope.name: one for one in recalibration.propose(Sensor.objects.all())}


def status(sensor: Sensor, day: int) -> str:
    when = NOW + day * DAY
    make_readings(sensor, [50.0, 50.2, 49.8, 50.1, 49.9] * 4, until=when - timedelta(minutes=1))
    anomaly = make_anomaly(
        sensor=sensor, start=when, score=0.52, observed=62.0, validation_due_at=when
    )
    validation.validate_due(now=when)
    anomaly.refresh_from_db()
    return anomaly.status


def command(*args: str) -> str:
    out = StringIO()
    call_command("recalibrate", *args, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_a_calibration_changes_what_is_decided_later_and_reverting_it_changes_it_back() -> None:
    sensor = refuted_sensor()
    assert status(sensor, 20) == "further_investigation_needed"
    assert "not applied" in command("--sensors", sensor.external_id)
    assert not Calibration.objects.exists()
    assert "applied as" in command("--sensors", sensor.external_id, "--apply")
    assert status(sensor, 21) == "false_positive_suspected"
    rows = Calibration.objects.in_force()
    assert "by the scheduler" in command("--list")
    command("--revert", *(str(row.pk) for row in rows))
    assert status(sensor, 22) == "further_investigation_needed"
    assert "Nothing is calibrated." in command("--list")


@pytest.mark.django_db
def test_what_was_reverted_comes_back_only_with_new_verdicts() -> None:
    sensor = refuted_sensor()
    applied = recalibration.run(now=NOW + 11 * DAY)
    assert {row.sensor_id for row in applied} == {sensor.pk, None}
    person = make_person(sensor.site)
    recalibration.revert([row.pk for row in applied], person=person, now=NOW + 12 * DAY)
    assert Calibration.objects.filter(reverted_by=person).count() == 2
    assert recalibration.run(now=NOW + 13 * DAY) == []
    give(sensor, person, 14, Verdict.FALSE_POSITIVE)
    assert recalibration.run(now=NOW + 15 * DAY)


@pytest.mark.django_db
def test_reverting_the_newest_leaves_the_one_before_in_force() -> None:
    sensor = make_sensor()
    for number, level in enumerate((0.45, 0.55)):
        Calibration.objects.create(
            site=sensor.site, kind=sensor.kind, sensor=sensor, false_positive_threshold=level,
            credible_threshold=0.7, before={}, report={}, newest_verdict_at=NOW,
            made_at=NOW + number * DAY,
        )  # fmt: skip
    assert _level(sensor) == 0.55
    newest = Calibration.objects.latest("made_at")
    recalibration.revert([newest.pk], person=None, now=NOW)
    assert _level(sensor) == 0.45


def _level(sensor: Sensor) -> float:
    policy = thresholds.in_force().of(sensor_id=sensor.pk, kind=sensor.kind)
    return policy.false_positive_threshold


@pytest.mark.django_db
def test_a_sensors_own_outranks_its_kinds_and_what_is_stated_for_it_outranks_both(
    settings: Settings,
) -> None:
    sensor, twin = make_sensor(), make_sensor()
    for own, level in ((None, 0.5), (sensor, 0.6)):
        Calibration.objects.create(
            site=sensor.site, kind=sensor.kind, sensor=own, false_positive_threshold=level,
            credible_threshold=0.7, before={}, report={}, newest_verdict_at=NOW, made_at=NOW,
        )  # fmt: skip
    other = make_sensor(site=sensor.site)
    assert [_level(one) for one in (sensor, other, twin)] == [0.6, 0.5, 0.4]
    settings.VALIDATION_POLICY = {"sensors": {str(sensor.pk): {"credible_threshold": 0.55}}}
    assert _level(sensor) == 0.4


@pytest.mark.django_db
def test_a_confirmed_fault_that_would_be_missed_refuses_and_nothing_is_applied() -> None:
    sensor = refuted_sensor()
    fault = give(sensor, make_person(sensor.site), 12, Verdict.CONFIRMED)
    said_of = proposals()[sensor.external_id].proposal
    assert str(fault.pk) in said_of.refusal
    assert "refused" in command("--apply")
    assert not Calibration.objects.exists()
    with pytest.raises(ValueError, match="would be missed"):
        recalibration.apply(proposals()[sensor.external_id], person=None, now=NOW)


@pytest.mark.django_db
def test_the_night_applies_what_may_be_and_once_is_enough() -> None:
    refuted_sensor()
    tasks.recalibrate()
    rows = Calibration.objects.count()
    tasks.recalibrate()
    assert rows == Calibration.objects.count() == 2


@pytest.mark.django_db
def test_an_unknown_site_or_number_is_an_error_with_its_own_exit_status() -> None:
    for args in (["--site", "nowhere"], ["--revert", "99"]):
        with pytest.raises(CommandError) as refused:
            command(*args)
        assert refused.value.returncode == 2


@pytest.mark.django_db
def test_without_verdicts_there_is_nothing_to_propose() -> None:
    make_sensor()
    assert "Nobody has said anything yet" in command()


# --- what people see ------------------------------------------------------------------------------


def sign_in(*sites: Any, may: tuple[str, ...]) -> Client:
    person = make_person(*sites, is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=may))
    client = Client()
    client.force_login(person)
    return client


@pytest.mark.django_db
def test_the_admin_shows_what_was_calibrated_and_takes_it_back() -> None:
    sensor, other = refuted_sensor(), refuted_sensor()
    recalibration.run(now=NOW + 11 * DAY)
    client = sign_in(sensor.site, may=("view_calibration", "change_calibration"))
    address = reverse("admin:anomalies_calibration_changelist")
    page = client.get(address).content.decode()
    assert "0.40 → 0.56" in page
    assert "0 → 3 of 3 refuted left out" in page
    assert sensor.external_id in page
    assert other.external_id not in page
    rows = Calibration.objects.all()
    taken = {"action": "revert", "_selected_action": [row.pk for row in rows]}
    client.post(address, taken)
    assert set(rows.filter(reverted_at__isnull=False)) == set(rows.filter(site=sensor.site))
    assert "taken back" in client.get(address).content.decode()


@pytest.mark.django_db
def test_who_may_only_look_takes_nothing_back() -> None:
    sensor = refuted_sensor()
    recalibration.run(now=NOW + 11 * DAY)
    client = sign_in(sensor.site, may=("view_calibration",))
    row = Calibration.objects.first()
    assert row is not None
    address = reverse("admin:anomalies_calibration_changelist")
    client.post(address, {"action": "revert", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert row.reverted_at is None
