"""A limit that a sensor is heading for is an anomaly until it is not."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.urls import reverse

from anomalies import detection, predictions, recomputing, tasks
from anomalies.models import Anomaly, AnomalyRevision, PredictedCrossing
from anomalies.validation import validate_due
from mlops import forecasts
from mlops.forecasting.policy import parse
from mlops.models import Forecast
from sensors.acquisition import ingest
from sensors.formats import from_json
from sensors.models import Sensor
from tests.factories import NOW, make_key, make_person, make_sensor, make_site

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FAST = parse({"forecasters": ["seasonal_naive", "seasonal_mean", "linear"]})
rng = np.random.default_rng(5)
NOISE = 0.2 * rng.normal(size=40 * 24)


def hours(days: float, *, slope: float, first_day: float = 0.0, level: float = 40.0) -> np.ndarray:
    at = np.arange(round(first_day * 24), round((first_day + days) * 24))
    return level + slope * at / 24 + np.sin(2 * np.pi * at / 24) + NOISE[at]


def send(sensor: Sensor, values: np.ndarray, *, since: float) -> None:
    """A reading an hour, beginning `since` days after NOW."""
    rows = [
        {
            "sensor": sensor.external_id,
            "time": (NOW + since * DAY + i * HOUR).isoformat(),
            "value": float(value),
        }
        for i, value in enumerate(values)
    ]
    batch = from_json(json.dumps(rows).encode())
    received = NOW + since * DAY + len(rows) * HOUR
    ingest(batch, site=sensor.site, source="http", now=received, backfill=True)


def night(sensor: Sensor, day: float) -> Forecast:
    """The nightly forecast so many days after NOW."""
    fresh = Sensor.objects.select_related("site", "profile").get(pk=sensor.pk)
    (outcome,) = predictions.run([fresh], policy=FAST, now=NOW + day * DAY)
    assert outcome.forecast is not None
    return outcome.forecast


@pytest.fixture
def rising() -> Sensor:
    """Ten days at 2 a day from 40 on, a limit that it meets on the eleventh."""
    sensor = make_sensor(kind="temperature", unit="°C", alarm_high=61.0)
    send(sensor, hours(10, slope=2.0), since=0)
    return sensor


def predicted() -> Anomaly:
    return Anomaly.objects.standing().get(detector="forecast")


def test_a_rising_sensor_gets_one_predicted_anomaly(rising):
    made = night(rising, 10)
    found = predicted()
    assert found.nature == "predicted"
    assert found.start == found.end == made.as_of
    assert found.score > 0.5
    told = found.explanation["predicted"]
    assert NOW + 10 * DAY < datetime.fromisoformat(told["at"]) < NOW + 11 * DAY
    assert "heading for its alarm high limit of 61 °C" in found.explanation["sentence"]
    night(rising, 10)
    assert Anomaly.objects.count() == 1


def test_a_newer_forecast_moves_it_with_a_trace(rising):
    first = night(rising, 10)
    send(rising, hours(0.1, slope=2.0, first_day=10), since=10)
    second = night(rising, 10.1)
    found = predicted()
    assert (found.start, found.end) == (first.as_of, second.as_of)
    trace = AnomalyRevision.objects.get(anomaly=found)
    assert trace.reason.startswith("forecast from 2026-03-1")
    assert trace.before["end"] != trace.after["end"]


def test_an_older_forecast_changes_nothing(rising):
    first = night(rising, 10)
    send(rising, hours(0.1, slope=2.0, first_day=10), since=10)
    night(rising, 10.1)
    before = predicted().end
    assert not predictions.settle(rising, first, now=NOW + 11 * DAY)
    assert predicted().end == before


def test_it_is_withdrawn_when_the_sensor_turns_back(rising):
    night(rising, 10)
    falling = hours(4, slope=-3.0, first_day=10, level=40.0 + 5 * 10)
    send(rising, falling, since=10)
    night(rising, 14)
    gone = Anomaly.objects.get(detector="forecast")
    assert gone.withdrawn_at is not None
    assert not PredictedCrossing.objects.exists()
    assert AnomalyRevision.objects.get(anomaly=gone).after == {"withdrawn": True}


def test_it_stands_when_it_came_true(rising):
    night(rising, 10)
    send(rising, hours(2, slope=2.0, first_day=10), since=10)
    made = night(rising, 12)
    assert made.estimates[0]["reason"] == "it was met within the last day"
    assert predicted().withdrawn_at is None
    assert not PredictedCrossing.objects.exists()


def test_it_is_withdrawn_with_its_limit(rising):
    night(rising, 10)
    Sensor.objects.filter(pk=rising.pk).update(alarm_high=None)
    night(rising, 10)
    assert not Anomaly.objects.standing().exists()


def test_it_expires_when_no_forecast_follows(rising):
    night(rising, 10)
    assert not predictions.expire(now=NOW + 12 * DAY)
    assert predictions.expire(now=NOW + 14 * DAY).withdrawn == 1


@pytest.mark.parametrize("name", ["linear", "lightgbm", "prophet"])
def test_its_score_is_computed_again_from_the_readings(rising, name):
    policy = parse({"forecasters": ["seasonal_naive", name]})
    fresh = Sensor.objects.select_related("site", "profile").get(pk=rising.pk)
    list(predictions.run([fresh], policy=policy, now=NOW + 10 * DAY))
    found = predicted()
    assert found.receipt["forecaster"] == name
    again = recomputing.recompute(found)
    assert abs(again.score - found.score) < 1e-9
    assert not again.readings_changed


def test_explain_anomaly_says_what_is_ahead(rising):
    night(rising, 10)
    out = StringIO()
    call_command("explain_anomaly", predicted().pk, stdout=out)
    assert "alarm_high 61 met at" in out.getvalue()
    with_late = hours(1, slope=2.0, first_day=4) + 9
    rows = [
        {
            "sensor": rising.external_id,
            "time": (NOW + 4 * DAY + i * HOUR + HOUR / 2).isoformat(),
            "value": float(v),
        }
        for i, v in enumerate(with_late)
    ]
    batch = from_json(json.dumps(rows).encode())
    ingest(batch, site=rising.site, source="http", now=NOW + 11 * DAY, backfill=True)
    assert recomputing.recompute(predicted()).readings_changed


def test_scoring_again_leaves_it_alone(rising):
    night(rising, 10)
    found = predicted()
    before = (found.start, found.end, found.score, found.revision)
    while detection.drain(now=NOW + 10 * DAY, policy=detection.policy()).sensors:
        pass
    found = predicted()
    assert (found.start, found.end, found.score, found.revision) == before


def test_it_is_validated_like_any_other(rising):
    night(rising, 10)
    assert validate_due(now=NOW + 11 * DAY)
    assert predicted().decision not in {"", "validation_error"}


def test_two_predictions_of_one_limit_cannot_be_stored(rising):
    night(rising, 10)
    other = predicted()
    other.pk = None
    other.save()
    with pytest.raises(IntegrityError), transaction.atomic():
        PredictedCrossing.objects.create(sensor=rising, limit="alarm_high", anomaly=other)


def test_the_task_forecasts_what_has_news_once(rising, settings, monkeypatch):
    settings.FORECAST_POLICY = {"forecasters": ["seasonal_naive", "linear"]}
    monkeypatch.setattr(tasks.timezone, "now", lambda: NOW + 10 * DAY)
    tasks.forecast()
    assert Forecast.objects.count() == 1
    assert not list(forecasts.due(now=NOW + 10 * DAY))


def test_the_command_says_what_it_made_and_why_not(rising, settings):
    settings.FORECAST_POLICY = {"forecasters": ["seasonal_naive", "linear"]}
    short = make_sensor()
    send(short, np.ones(5), since=0)
    out = StringIO()
    call_command("forecast", "--sensors", rising.external_id, str(short.pk), stdout=out)
    assert "alarm_high 61 met at" in out.getvalue()
    assert "4 steps were measured, 96 are needed" in out.getvalue()
    with pytest.raises(CommandError, match="no sensor nothing"):
        call_command("forecast", "--sensors", "nothing")


def test_the_api_tells_the_newest_forecast_to_its_own_site_alone(rising, client):
    address = reverse("sensor-forecast", args=[rising.pk])
    _, own = make_key(site=rising.site, scopes=["read"])
    headers = {"Authorization": f"Api-Key {own}"}
    assert client.get(address, headers=headers, secure=True).json() == {"forecast": None}
    made = night(rising, 10)
    told = client.get(address, headers=headers, secure=True).json()["forecast"]
    assert len(told["steps"]) == made.horizon == len(made.mean)
    first = told["steps"][0]
    assert first["low"] <= first["mean"] <= first["high"]
    assert told["limits"][0]["at"] is not None
    assert told["record"]["sentence"]
    _, foreign = make_key(site=make_site(), scopes=["read"])
    answer = client.get(address, headers={"Authorization": f"Api-Key {foreign}"}, secure=True)
    assert answer.status_code == 404
    assert client.get(address, secure=True).status_code == 401


def test_the_page_of_the_sensor_shows_it(rising, client):
    night(rising, 10)
    client.force_login(make_person(is_staff=True, is_superuser=True))
    page = client.get(reverse("admin:sensors_sensor_change", args=[rising.pk]), secure=True)
    assert 'aria-label="Forecast"' in page.text
    assert "is met on" in page.text
    detail = reverse("admin:anomalies_anomaly_change", args=[predicted().pk])
    page = client.get(detail, secure=True)
    assert "forecast by" in page.text
    assert "Nothing is known of" not in page.text
