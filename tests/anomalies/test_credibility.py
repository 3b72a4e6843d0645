"""What verdicts say of a detector on a sensor, and how it fades."""

from datetime import timedelta

import numpy as np
import pytest

from anomalies import profiles
from anomalies.credibility import HALF_LIFE_DAYS, Posterior, faded
from anomalies.models import Anomaly, SensorValidationProfile, Verdict
from anomalies.review import review
from sensors.models import Sensor
from tests.factories import NOW, make_anomaly, make_person, make_sensor, make_site

DAY = timedelta(days=1)


def said(sensor: Sensor, verdict: Verdict, *, day: int = 0, detector: str = "core") -> Anomaly:
    start = NOW + day * DAY + Anomaly.objects.count() * timedelta(seconds=1)
    anomaly = make_anomaly(sensor=sensor, start=start, detector=detector)
    person = make_person(sensor.site)
    review(anomaly=anomaly, verdict=verdict, note="", person=person, now=NOW + day * DAY)
    return anomaly


def test_a_verdict_counts_half_after_its_half_life_and_never_more_than_whole() -> None:
    assert faded(np.array([-1.0, 0.0, HALF_LIFE_DAYS])).tolist() == [1.0, 1.0, 0.5]


def test_the_kind_counts_as_one_verdict_at_most_and_the_own_ones_outweigh_it() -> None:
    kind = Posterior(of_kind=(0.0, 50.0)).credibility(2.0, 1.0)
    assert kind == pytest.approx(2 / 5)
    assert Posterior(2.0, 0.0, of_kind=(0.0, 50.0)).credibility(2.0, 1.0) > 0.5


@pytest.mark.django_db
def test_what_is_written_down_is_what_the_verdicts_say_at_any_later_time() -> None:
    site = make_site()
    sensor, twin = make_sensor(site=site), make_sensor(site=site)
    for day, verdict in enumerate([Verdict.CONFIRMED, Verdict.FALSE_POSITIVE, Verdict.UNSURE] * 2):
        said(sensor, verdict, day=day * 20)
        said(twin, Verdict.FALSE_POSITIVE, day=day * 20)
    for day in (100, 200, 400):
        at = NOW + day * DAY
        stored = profiles.posterior_of(sensor, "core", at=at)
        counted = profiles.posterior_then(sensor, "core", at=at)
        assert stored.confirmed == pytest.approx(counted.confirmed)
        assert stored.refuted == pytest.approx(counted.refuted)
        assert stored.of_kind == pytest.approx(counted.of_kind)
        assert stored.of_kind[1] > 0


@pytest.mark.django_db
def test_a_refuted_detector_loses_nothing_of_the_trust_in_another() -> None:
    sensor = make_sensor()
    said(sensor, Verdict.FALSE_POSITIVE, detector="core")
    assert profiles.posterior_of(sensor, "core", at=NOW).refuted == 1.0
    assert profiles.posterior_of(sensor, "local", at=NOW) == Posterior()


@pytest.mark.django_db
def test_verdicts_of_another_site_or_kind_say_nothing() -> None:
    sensor = make_sensor(kind="flow")
    said(make_sensor(kind="flow"), Verdict.FALSE_POSITIVE)
    said(make_sensor(kind="level", site=sensor.site), Verdict.FALSE_POSITIVE)
    assert profiles.posterior_of(sensor, "core", at=NOW) == Posterior()


@pytest.mark.django_db
def test_what_was_said_later_is_not_known_then() -> None:
    sensor = make_sensor()
    said(sensor, Verdict.FALSE_POSITIVE, day=3)
    assert profiles.posterior_then(sensor, "core", at=NOW + 2 * DAY) == Posterior()
    assert profiles.posterior_then(sensor, "core", at=NOW + 3 * DAY).refuted == 1.0


@pytest.mark.django_db
def test_a_profile_stands_for_a_sensor_its_kind_and_a_detector() -> None:
    sensor = make_sensor()
    for detector in ("core", "core", "local"):
        said(sensor, Verdict.CONFIRMED, detector=detector)
    rows = SensorValidationProfile.objects.values_list("kind", "detector", "confirmed")
    assert sorted(rows) == [("vibration", "core", 2.0), ("vibration", "local", 1.0)]
