"""The pages of challengers: what they say of live readings beside the champion."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from anomalies.models import DetectionLease
from mlops import serving
from mlops.models import Promotion, ShadowScores
from sensors.models import Sensor, Site
from tests.factories import NOW, make_person, make_sensor, make_site

pytestmark = pytest.mark.django_db
NAME = "anomaly-vibration"
LIST = "admin:mlops_shadowscores_changelist"
MINUTE = timedelta(minutes=1)


def make_scores(
    sensor: Sensor, champion: list[float], challenger: list[float], **values: Any
) -> ShadowScores:
    """A minute between two readings, the last one at NOW."""
    times = [NOW - i * MINUTE for i in range(len(champion))][::-1]
    return ShadowScores.objects.create(
        **{
            "sensor": sensor,
            "name": NAME,
            "version": 4,
            "champion_version": 3,
            "since": times[0],
            "until": times[-1],
            "times": [int(time.timestamp() * 1e6) for time in times],
            "champion_scores": champion,
            "challenger_scores": challenger,
            "scored_at": NOW,
            **values,
        }
    )


def signed_in(*sites: Site, **values: Any) -> Client:
    person = make_person(*sites, is_staff=True, **values)
    person.user_permissions.set(Permission.objects.all())
    client = Client()
    client.force_login(person)
    return client


def boss() -> Client:
    return signed_in(is_superuser=True)


def test_a_challenger_has_one_row_for_each_sensor_with_what_both_said() -> None:
    sensor, other = make_sensor(), make_sensor()
    make_scores(sensor, [0.1, 0.6, 0.2], [0.1, 0.7, 0.5])
    newest = make_scores(sensor, [0.5], [0.4])
    elsewhere = make_scores(other, [0.1], [0.1], version=5)
    rows = boss().get(reverse(LIST)).context["cl"].result_list
    assert {row.pk for row in rows} == {newest.pk, elsewhere.pk}
    (row,) = (row for row in rows if row.pk == newest.pk)
    counts = row.counted
    said = (counts.readings, counts.champion, counts.challenger, counts.both)
    assert said == (4, 2, 2, 1)


def test_the_list_takes_as_many_queries_for_many_as_for_one(
    django_assert_max_num_queries: Any,
) -> None:
    for _ in range(10):
        make_scores(make_sensor(), [0.1], [0.1])
    client = boss()
    client.get(reverse(LIST))
    with django_assert_max_num_queries(9):
        assert len(client.get(reverse(LIST)).context["cl"].result_list) == 10


def test_a_page_shows_both_scores_and_what_each_would_have_raised() -> None:
    quiet = [0.1] * 20
    row = make_scores(
        make_sensor(external_id="<b>pump</b>"),
        [*quiet, 0.9, *quiet, 0.1], [*quiet, 0.8, *quiet, 0.7],
    )  # fmt: skip
    answer = boss().get(reverse("admin:mlops_shadowscores_change", args=[row.pk]))
    facts = dict(answer.context["facts"])
    assert (facts["episodes of the champion"], facts["of the challenger"]) == ("1", "2")
    assert facts["of those in common"] == "1"
    text = answer.content.decode()
    assert text.count('class="line ahead"') == 1
    assert "an episode of the challenger" in text
    assert "<b>pump</b>" not in text


def test_scores_of_another_site_are_neither_listed_nor_shown() -> None:
    row = make_scores(make_sensor(external_id="theirs"), [0.9], [0.9])
    client = signed_in(make_site())
    assert "theirs" not in client.get(reverse(LIST)).content.decode()
    page = reverse("admin:mlops_shadowscores_change", args=[row.pk])
    assert client.get(page).status_code == 302


def test_nothing_can_be_written_here() -> None:
    row = make_scores(make_sensor(), [0.1], [0.1])
    page = reverse("admin:mlops_shadowscores_change", args=[row.pk])
    assert boss().post(page, {"version": 9}).status_code == 403
    assert boss().get(reverse("admin:mlops_shadowscores_add")).status_code == 403


# --- a sensor's page -----------------------------------------------------------------------------


def promote(name: str, version: int) -> None:
    Promotion.objects.create(name=name, version=version, promoted_at=NOW + version * MINUTE)


def test_a_sensors_page_says_which_champion_judges_it_and_why_that_one() -> None:
    sensor = make_sensor(kind="vibration")
    DetectionLease.objects.create(sensor=sensor, rung="champion", scored_until=NOW)
    page = reverse("admin:sensors_sensor_change", args=[sensor.pk])
    promote(NAME, 2)
    promote(NAME, 3)
    client = boss()
    text = client.get(page).content.decode()
    assert f"{NAME} v3, that of vibration, for the sensor has none of its own" in text
    own = serving.model_for_sensor(sensor.pk)
    promote(own, 1)
    assert f"{own} v1, the sensor&#x27;s own" in client.get(page).content.decode()


def test_a_sensors_page_leads_to_its_challengers() -> None:
    sensor = make_sensor(kind="vibration")
    DetectionLease.objects.create(sensor=sensor, rung="champion", scored_until=NOW)
    row = make_scores(sensor, [0.1, 0.2], [0.1, 0.2])
    text = boss().get(reverse("admin:sensors_sensor_change", args=[sensor.pk])).content.decode()
    address = reverse("admin:mlops_shadowscores_change", args=[row.pk])
    assert f'<a href="{address}">{NAME} v4</a>, 2 readings beside v3' in text
