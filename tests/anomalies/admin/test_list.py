"""The list of anomalies: what it begins with, its filters, what it says when it is empty."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from tests.anomalies.admin.workplace import LIST, boss, listed
from tests.factories import NOW, make_anomaly, make_asset, make_sensor, make_site

pytestmark = pytest.mark.django_db


def test_the_list_begins_with_what_awaits_review_gravest_and_newest_first() -> None:
    sensor = make_sensor()
    old = make_anomaly(sensor=sensor, severity=5, start=NOW - timedelta(days=2))
    slight = make_anomaly(sensor=sensor, severity=1, start=NOW)
    new = make_anomaly(sensor=sensor, severity=5, start=NOW - timedelta(days=1))
    make_anomaly(sensor=sensor, start=NOW - timedelta(days=3), verdict="confirmed")
    make_anomaly(sensor=sensor, start=NOW - timedelta(days=4), withdrawn_at=NOW)
    assert listed(boss()) == [new.pk, old.pk, slight.pk]


def test_the_filters_bring_back_what_the_list_leaves_out() -> None:
    sensor = make_sensor()
    judged = make_anomaly(sensor=sensor, start=NOW, verdict="confirmed")
    withdrawn = make_anomaly(sensor=sensor, start=NOW - timedelta(hours=1), withdrawn_at=NOW)
    client = boss()
    assert listed(client, review="confirmed") == [judged.pk]
    assert listed(client, review="unsure") == []
    assert listed(client, standing="withdrawn") == [withdrawn.pk]
    assert listed(client, review="all", standing="all") == [judged.pk, withdrawn.pk]


@pytest.mark.parametrize(
    "query",
    [
        {"severity": "4"},
        {"status": "credible_anomaly"},
        {"nature__exact": "instrument"},
        {"kind": "pressure"},
        {"rung__exact": "limits"},
        {"q": "press-7"},
    ],
)
def test_each_filter_tells_one_from_the_other(query: dict[str, str]) -> None:
    make_anomaly(severity=3, status="further_investigation_needed")
    wanted = make_anomaly(
        sensor=make_sensor(kind="pressure", external_id="press-7"),
        severity=4,
        status="credible_anomaly",
        nature="instrument",
        rung="limits",
    )
    assert listed(boss(), **query) == [wanted.pk]


def test_times_are_those_of_the_site_and_values_bear_their_unit() -> None:
    asset = make_asset(site=make_site(timezone="Asia/Tokyo"), name="kiln")
    make_anomaly(sensor=make_sensor(asset=asset), observed=81.23456)
    text = boss().get(reverse(LIST)).content.decode()
    assert "1 Mar 2026 21:00 JST" in text
    assert "81.23 mm/s" in text
    assert "expected 40 – 60 mm/s" in text


def test_an_empty_list_says_why() -> None:
    client = boss()
    assert "Nothing awaits review" in client.get(reverse(LIST)).content.decode()
    assert "Nothing matches" in client.get(reverse(LIST), {"q": "nope"}).content.decode()


def test_the_list_takes_as_many_queries_for_many_anomalies_as_for_one(
    django_assert_num_queries,
) -> None:
    for _ in range(10):
        make_anomaly(sensor=make_sensor(asset=make_asset()))
    client = boss()
    client.get(reverse(LIST))
    # Session, person; kinds, sites and machines of the filters; the count; the rows; first and last
    # day of the date hierarchy and the days between.
    with django_assert_num_queries(9):
        assert len(listed(client)) == 10
