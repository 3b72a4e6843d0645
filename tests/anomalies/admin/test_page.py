"""The page of an anomaly: what was seen, why it was flagged, how sure we are."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from anomalies.models import Anomaly, AnomalyRevision
from tests.anomalies.admin.workplace import (
    HOSTILE,
    LIST,
    boss,
    listed,
    make_validation,
    page_of,
    review_on_page,
)
from tests.factories import (
    NOW,
    make_anomaly,
    make_asset,
    make_readings,
    make_sensor,
    make_silence,
    make_site,
)

pytestmark = pytest.mark.django_db


def make_explained() -> Anomaly:
    sensor = make_sensor(alarm_high=70.0, unit="mm/s")
    make_readings(sensor, [50.0 + i % 3 for i in range(90)] + [77.7, 50.0], until=NOW)
    peak = NOW - timedelta(minutes=1)
    anomaly = make_anomaly(
        sensor=sensor,
        start=peak,
        observed=77.7,
        explanation={
            "sentence": "It shook hard.",
            "contributions": [
                {"feature": "spike", "share": 0.8, "value": 12.345},
                {"feature": "something_new", "share": 0.2, "value": -2.0},
            ],
        },
        receipt={"window_sha256": "ab" * 32},
    )
    make_validation(anomaly)
    return anomaly


def test_the_page_says_what_was_seen_why_it_was_flagged_and_how_sure_we_are() -> None:
    text = page_of(boss(), make_explained())
    for said in (
        "It shook hard.",
        "jump from the readings just before",
        "something_new",
        "+12.3",
        "80 %",
        "score 0.8",
        "−0.20",
        "Credible from 0.66, probably false below 0.33",
        "alarm high 70 mm/s",
        "anomaly-vibration v1",
        "the champion model of its kind",
        "ab" * 32,
    ):
        assert said in text


def test_the_chart_marks_the_peak_the_range_and_what_was_expected() -> None:
    text = page_of(boss(), make_explained())
    for part in ('class="peak"', 'class="stretch"', 'class="band"', 'class="level"'):
        assert part in text


def test_a_page_can_be_read_before_validation_and_without_readings() -> None:
    anomaly = make_anomaly(explanation={"sentence": "Odd."}, expected_low=None, expected_high=None)
    text = page_of(boss(), anomaly)
    assert "has not judged it yet" in text
    assert "No readings in this range" in text


def test_revisions_and_verdicts_leave_their_trace_on_the_page() -> None:
    anomaly = make_anomaly(revision=2)
    AnomalyRevision.objects.create(
        anomaly=anomaly,
        revision=1,
        reason="late readings",
        before={"score": 0.61234567, "severity": 2, "readings": 4},
        after={"score": 0.5, "severity": 3, "readings": 4},
        at=NOW,
    )
    client = boss()
    review_on_page(client, anomaly, verdict="unsure", note="ask the night shift")
    text = page_of(client, anomaly)
    for said in ("late readings", "0.6123", "→ 0.5", "ask the night shift"):
        assert said in text
    assert '<th scope="row">readings</th>' not in text


def test_hostile_ids_notes_and_explanations_are_only_text() -> None:
    anomaly = make_anomaly(
        sensor=make_sensor(external_id=HOSTILE, unit=HOSTILE[:20], asset=make_asset(name=HOSTILE)),
        explanation={"sentence": HOSTILE, "contributions": [
            {"feature": HOSTILE, "share": 1.0, "value": 1.0}]},
        receipt={"note": HOSTILE},
        detector=HOSTILE,
        model_name=HOSTILE,
    )  # fmt: skip
    make_readings(anomaly.sensor, [50.0, 80.0], until=NOW)
    term = {"source": HOSTILE, "name": HOSTILE, "value": 0.1, "reason": HOSTILE}
    make_validation(anomaly, terms=[term])
    client = boss()
    review_on_page(client, anomaly, verdict="unsure", note=HOSTILE)
    selected = client.post(
        f"{reverse(LIST)}?review=all", {"action": "confirm", "_selected_action": [anomaly.pk]}
    )
    sensor = client.get(reverse("admin:sensors_sensor_change", args=[anomaly.sensor_id]))
    for text in (
        page_of(client, anomaly),
        client.get(reverse(LIST), {"review": "all"}).content.decode(),
        selected.content.decode(),
        sensor.content.decode(),
    ):
        assert HOSTILE not in text
        assert "&lt;script&gt;" in text


def test_the_page_of_a_silence_says_what_was_missed_and_draws_the_emptiness() -> None:
    sensor = make_sensor()
    make_readings(sensor, [40.0, 41.0] * 30)
    row = make_silence(sensor=sensor)
    text = boss().get(reverse("admin:anomalies_anomaly_change", args=[row.pk])).content.decode()
    assert "silent now" in text
    assert "a reading every 1 min, as observed before" in text
    assert "<title>this anomaly</title>" in text
    assert "Nothing is known of" not in text


def test_an_outage_stands_in_the_list_once_and_its_page_names_the_others() -> None:
    site = make_site()
    leader = make_silence(sensor=make_sensor(site=site))
    leader.explanation["common"] = {"scope": "site", "name": site.name, "silent": 3, "of": 3}
    leader.save()
    others = [make_silence(sensor=make_sensor(site=site), follows=leader) for _ in range(2)]
    client = boss()
    assert listed(client) == [leader.pk]
    assert set(listed(client, review="all")) == {leader.pk, *(row.pk for row in others)}
    text = client.get(reverse("admin:anomalies_anomaly_change", args=[leader.pk])).content.decode()
    assert "3 of 3 sensors" in text
    for row in others:
        assert row.sensor.external_id in text
