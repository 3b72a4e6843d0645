"""Two values for one time, side by side."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from sensors.models import ReadingConflict
from tests.factories import make_sensor, make_site
from tests.sensors.admin.staff import make_staff, page, signed_in

pytestmark = pytest.mark.django_db


def test_conflicts_are_listed_with_both_values_for_ones_own_sites() -> None:
    mine, other = make_site(), make_site()
    for site, value in ((mine, 4.25), (other, 7.75)):
        ReadingConflict.objects.create(
            sensor=make_sensor(site=site, unit="V"), time=timezone.now(), kept=value, other=-value,
            resolution="keep_first", source="http", received_at=timezone.now(),
        )  # fmt: skip
    client = signed_in(make_staff(mine))
    listed = page(client, "sensors_readingconflict_changelist")
    assert "4.25 V" in listed
    assert "−4.25 V" in listed
    assert "7.75" not in listed
    assert "1 reading conflict" in listed
    hidden = ReadingConflict.objects.get(sensor__site=other)
    address = reverse("admin:sensors_readingconflict_change", args=[hidden.pk])
    assert client.get(address).status_code == 302
    shown = ReadingConflict.objects.get(sensor__site=mine)
    assert "the first was kept" in page(client, "sensors_readingconflict_change", shown.pk)


def test_conflicts_can_be_filtered_by_how_they_were_settled() -> None:
    site = make_site()
    ReadingConflict.objects.create(
        sensor=make_sensor(site=site), time=timezone.now(), kept=4.25, other=1.0,
        resolution="keep_last", source="http", received_at=timezone.now(),
    )  # fmt: skip
    client = signed_in(make_staff(site))
    name = "sensors_readingconflict_changelist"
    assert "4.25" in page(client, name, resolution="keep_last")
    assert "4.25" not in page(client, name, resolution="keep_first")
