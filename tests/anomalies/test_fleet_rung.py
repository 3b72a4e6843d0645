"""A new sensor is judged by what the sensors of its kind at its site have in common."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from unittest.mock import patch

import numpy as np
import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from anomalies import exclusions, recomputing
from anomalies.admin.sensors import scoring
from anomalies.models import Anomaly, AnomalyRevision, Verdict
from mlops import fleets
from mlops.detectors.newcomer import ROWS
from mlops.models import FleetPrior
from sensors.models import Sensor, SensorProfile
from tests.anomalies.recruits import (
    BEGUN,
    EVERY,
    LENT,
    MADE,
    NOW,
    drain,
    fleet,
    learn,
    newcomer,
    store,
    veteran,
)
from tests.factories import make_anomaly, make_person, make_site

pytestmark = pytest.mark.django_db


def found_of_a_newcomer() -> Anomaly:
    """What the fleet's prior finds among the first readings of a new sensor."""
    site = fleet()
    learn()
    sensor = newcomer(site)
    store(sensor, np.arange(70))
    drain()
    return Anomaly.objects.standing().get(sensor=sensor, start=BEGUN + 20 * EVERY)


def outcome(sensor: Sensor) -> list[tuple[object, ...]]:
    found = Anomaly.objects.standing().filter(sensor=sensor).order_by("start")
    return [
        (a.start, a.peak, a.end, a.readings, a.score, a.rung, a.detector, a.expected_low)
        for a in found
    ]


def test_a_jump_of_the_twentieth_reading_is_found_explained_and_computed_again() -> None:
    site = fleet()
    (prior,) = learn()
    sensor = newcomer(site)
    store(sensor, np.arange(70))
    drain()
    found = Anomaly.objects.standing().get(sensor=sensor, start=BEGUN + 20 * EVERY)
    assert (found.rung, found.detector, found.nature) == ("fleet", "fleet", "machine")
    assert (found.model_name, found.model_version) == ("fleet-pressure", prior.pk)
    parts = found.explanation["contributions"]
    assert parts[0]["feature"] == "fleet.spike"
    assert sum(part["share"] for part in parts) == pytest.approx(1.0, abs=1e-9)
    assert "it jumped farther than sensors like it do" in found.sentence
    assert found.expected_low is not None
    assert found.expected_high is not None
    assert found.expected_low < found.observed - 6.0 < found.expected_high < found.observed
    again = recomputing.recompute(found)
    assert again.score == pytest.approx(found.score, abs=1e-9)
    assert not again.readings_changed
    out = StringIO()
    call_command("explain_anomaly", str(found.pk), stdout=out)
    assert f"fleet (fleet-pressure v{prior.pk}), rung fleet" in out.getvalue()


def test_without_a_fleet_and_at_another_site_it_is_judged_as_before() -> None:
    fleet()
    learn()
    strange, alone = newcomer(make_site()), newcomer(make_site())
    store(strange, np.arange(70))
    drain()
    FleetPrior.objects.all().delete()
    store(alone, np.arange(70))
    drain()
    assert outcome(strange) == outcome(alone)
    assert not Anomaly.objects.filter(rung="fleet").exists()


@pytest.mark.parametrize("seed", range(2))
def test_shuffled_readings_and_newer_priors_end_as_in_order(seed: int) -> None:
    site = fleet()
    learn()
    clean, sensor = newcomer(site), newcomer(site)
    Sensor.objects.filter(pk=sensor.pk).update(created_at=BEGUN)
    Sensor.objects.filter(pk=clean.pk).update(created_at=BEGUN)
    store(clean, np.arange(70))
    drain()
    rng = np.random.default_rng(seed)
    batches = np.array_split(rng.permutation(70), 6)
    for number, batch in enumerate(batches):
        store(sensor, np.sort(batch))
        if number == 3:
            for another in (3, 4):
                veteran(site, another)
            assert learn(BEGUN + 30 * EVERY)
        drain()
    assert outcome(sensor) == outcome(clean)
    assert "fleet" in {one[5] for one in outcome(clean)}


def test_a_prior_that_is_made_later_leaves_what_was_found_as_it_is() -> None:
    site = fleet()
    sensor = newcomer(site)
    store(sensor, np.arange(70))
    drain()
    before = outcome(sensor)
    assert learn(BEGUN + 70 * EVERY)
    since = BEGUN.isoformat()
    call_command("detect", "--since", since, "--site", site.slug, stdout=StringIO())
    assert outcome(sensor) == before
    assert not AnomalyRevision.objects.exists()


def test_a_confirmed_anomaly_of_a_newcomer_keeps_its_score() -> None:
    found = found_of_a_newcomer()
    score, found.verdict = found.score, Verdict.CONFIRMED
    found.save()
    exclusions.settle(found, now=NOW)
    drain()
    found.refresh_from_db()
    assert (found.score, found.withdrawn_at) == (score, None)
    assert recomputing.recompute(found).score == pytest.approx(score, abs=1e-9)


def test_the_first_readings_gone_it_says_so() -> None:
    found = found_of_a_newcomer()
    SensorProfile.objects.create(
        sensor=found.sensor,
        count=70,
        first_time=BEGUN,
        last_time=BEGUN + 69 * EVERY,
        kept_from=BEGUN + timedelta(hours=1),
        updated_at=NOW,
    )
    with pytest.raises(recomputing.ReadingsDropped):
        recomputing.recompute(found)


# --- priors ---------------------------------------------------------------------------------------


def test_what_it_was_made_of_and_when_is_stored_and_it_is_not_made_again_at_once() -> None:
    site = fleet()
    (prior,) = learn()
    assert (prior.site, prior.kind, prior.unit, prior.made_at) == (site, "pressure", "kPa", MADE)
    assert [readings for _, readings, _ in prior.sensors] == [LENT] * 3
    assert prior.serves_from == MADE + fleets.SERVES_AFTER
    assert learn(MADE + timedelta(days=1)) == []
    for seed in (3, 4):
        veteran(site, seed)
    assert len(learn(MADE + timedelta(days=1))[0].sensors) == 5
    assert FleetPrior.objects.count() == 2


def test_a_sensor_keeps_the_prior_that_served_when_it_was_registered() -> None:
    site = fleet()
    (first,) = learn()
    for seed in (3, 4):
        veteran(site, seed)
    later = MADE + timedelta(days=1)
    (second,) = learn(later)
    served = timedelta(minutes=30)
    for registered, prior in (
        (MADE - timedelta(days=1), first),
        (MADE + served, first),
        (later + served, first),  # it may have been scored before that one was stored
        (later + fleets.SERVES_AFTER, second),
    ):
        sensor = newcomer(site)
        Sensor.objects.filter(pk=sensor.pk).update(created_at=registered)
        sensor.refresh_from_db()
        assert fleets.of_sensors([sensor]) == {sensor.pk: prior}


def test_two_sensors_of_a_kind_sensors_of_no_kind_and_other_units_make_none() -> None:
    site = fleet(sensors=2)
    veteran(site, 2, unit="bar")
    for seed in range(3):
        veteran(site, seed, kind="other")
    assert learn() == []


def test_confirmed_faults_are_not_learnt_from() -> None:
    site = fleet()
    sensor = Sensor.objects.filter(site=site).earliest("pk")
    start = MADE - 200 * EVERY
    fault = make_anomaly(
        sensor=sensor, start=start, end=start + 40 * EVERY, readings=41, verdict=Verdict.CONFIRMED
    )
    exclusions.settle(fault, now=MADE)
    (prior,) = learn()
    assert sorted(readings for _, readings, _ in prior.sensors) == [LENT - 41, LENT, LENT]


def test_learning_stops_when_its_time_is_up_and_goes_on_the_next_night() -> None:
    fleet()
    assert fleets.learn_due(now=MADE, seconds=-1) == []
    assert len(learn()) == 1


def test_the_command_learns_what_is_due_and_says_so_first_if_asked() -> None:
    site = fleet()
    out = StringIO()
    with patch.object(timezone, "now", return_value=MADE):
        call_command("fleets", "--dry-run", stdout=out)
        assert not FleetPrior.objects.exists()
        call_command("fleets", stdout=out)
        call_command("fleets", stdout=out)
    assert FleetPrior.objects.count() == 1
    told = out.getvalue()
    assert f"due: pressure in kPa, site {site.pk}: 3" in told
    assert f"of {site}: 3 sensors" in told
    assert told.endswith("No fleet is due.\n")


# --- the ladder -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("readings", "rung", "next_rung", "missing", "lent"),
    [
        (0, "limits", "fleet", "1 reading", 3),
        (50, "fleet", "local", "150 readings", 3),
        (5000, "local", "champion", "a model of kind pressure that is trained and promoted", None),
    ],
)
def test_a_sensor_reports_its_rung_and_the_fleet_that_helps(
    readings: int, rung: str, next_rung: str, missing: str, lent: int | None
) -> None:
    site = fleet()
    learn()
    sensor = newcomer(site)
    if readings:
        last = BEGUN + readings * EVERY
        SensorProfile.objects.create(
            sensor=sensor, count=readings, first_time=BEGUN, last_time=last, updated_at=NOW
        )
    client = APIClient()
    client.force_authenticate(make_person(site))
    found = client.get(f"/api/v1/sensors/{sensor.pk}/detection").json()
    assert (found["rung"], found["next_rung"]) == (rung, next_rung)
    assert found["missing"] == missing
    assert (found["fleet"] or {}).get("sensors") == lent
    shown = dict(scoring(Sensor.objects.get(pk=sensor.pk)))
    assert next_rung in shown["next rung"]
    assert ("fleet" in shown) == (lent is not None)
    if lent:
        assert f"first {ROWS} readings" in shown["fleet"]


def test_the_rung_that_serves_is_the_fleet_until_the_sensor_has_its_own() -> None:
    site = fleet()
    learn()
    sensor = newcomer(site)
    store(sensor, np.arange(10))
    drain()
    assert Sensor.objects.get(pk=sensor.pk).detection.rung == "fleet"


def test_people_see_the_priors_of_their_sites_alone(client: Client) -> None:
    site = fleet()
    learn()
    address = reverse("admin:mlops_fleetprior_changelist")
    for person, seen in ((make_person(site), True), (make_person(make_site()), False)):
        person.is_staff = True
        person.is_superuser = False
        person.save()
        person.user_permissions.set(Permission.objects.filter(codename="view_fleetprior"))
        client.force_login(person)
        page = client.get(address)
        assert page.status_code == 200
        assert ("3 sensors, 3300 readings" in page.content.decode()) == seen
