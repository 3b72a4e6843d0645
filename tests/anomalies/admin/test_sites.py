"""In the review workplace one site never sees another."""

from __future__ import annotations

import pytest
from django.urls import reverse

from anomalies.models import Anomaly, Review
from tests.anomalies.admin.workplace import (
    LIST,
    boss,
    listed,
    make_engineer,
    page_of,
    review_on_page,
    signed_in,
)
from tests.factories import make_anomaly, make_asset, make_sensor, make_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_sites() -> tuple[Anomaly, Anomaly]:
    mine = make_sensor(asset=make_asset(site=make_site(name="mine-site"), name="mine-asset"))
    theirs = make_sensor(
        asset=make_asset(site=make_site(name="theirs-site"), name="theirs-asset"),
        external_id="theirs-sensor",
    )
    return make_anomaly(sensor=mine, severity=2), make_anomaly(sensor=theirs)


def test_neither_list_nor_filters_name_another_site(two_sites: tuple[Anomaly, Anomaly]) -> None:
    mine = two_sites[0]
    client = signed_in(make_engineer(mine.sensor.site))
    assert listed(client) == [mine.pk]
    text = client.get(reverse(LIST), {"review": "all", "standing": "all"}).content.decode()
    assert "mine-asset" in text
    assert "theirs" not in text


def test_filtering_by_another_sites_row_brings_none_of_it_up(
    two_sites: tuple[Anomaly, Anomaly],
) -> None:
    mine, theirs = two_sites
    client = signed_in(make_engineer(mine.sensor.site))
    assert theirs.pk not in listed(client, sensor__site__id__exact=theirs.sensor.site_id)
    assert listed(client, sensor__id__exact=theirs.sensor_id) == []


def test_an_anomaly_of_another_site_can_be_neither_read_nor_judged(
    two_sites: tuple[Anomaly, Anomaly],
) -> None:
    mine, theirs = two_sites
    client = signed_in(make_engineer(mine.sensor.site))
    answer = client.get(reverse("admin:anomalies_anomaly_change", args=[theirs.pk]))
    assert answer.status_code == 302
    assert review_on_page(client, theirs, verdict="confirmed") == 404
    chosen = [mine.pk, theirs.pk]
    form = {"action": "confirm", "_selected_action": chosen, "apply": "1", "note": ""}
    client.post(reverse(LIST), form)
    assert list(Review.objects.values_list("anomaly", flat=True)) == [mine.pk]


def test_next_and_previous_stay_within_ones_sites(two_sites: tuple[Anomaly, Anomaly]) -> None:
    mine = two_sites[0]
    text = page_of(signed_in(make_engineer(mine.sensor.site)), mine)
    assert "1 await review" in text
    assert 'id="next"' not in text
    assert 'id="previous"' not in text


def test_the_dashboard_counts_only_ones_own(two_sites: tuple[Anomaly, Anomaly]) -> None:
    mine = two_sites[0]
    everyone = boss().get(reverse("admin:index"))
    own = signed_in(make_engineer(mine.sensor.site)).get(reverse("admin:index"))
    assert everyone.context["board"].open_anomalies == 2
    assert (own.context["board"].open_anomalies, own.context["board"].active) == (1, 1)
