"""What could not be accepted: shown as it came, and tried again."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.factories import make_sensor, make_site
from tests.sensors.admin.staff import HOSTILE, boss, make_quarantined, page

pytestmark = pytest.mark.django_db


def test_a_quarantined_payload_is_shown_as_text_with_its_lines_broken() -> None:
    row = make_quarantined(make_site(), payload=f'{{"sensor": "{HOSTILE}", "value": null}}')
    text = page(boss(), "sensors_quarantinedreading_change", row.pk)
    assert HOSTILE not in text
    assert "\n  &quot;value&quot;: null" in text


def test_a_payload_that_is_no_json_is_shown_as_it_came() -> None:
    row = make_quarantined(make_site(), payload="{broken")
    assert "{broken" in page(boss(), "sensors_quarantinedreading_change", row.pk)


def test_replaying_accepts_what_is_acceptable_now_and_says_so() -> None:
    site = make_site()
    make_sensor(site=site, external_id="pump-9")
    row = make_quarantined(site)
    form = {"action": "replay", "_selected_action": [row.pk]}
    address = reverse("admin:sensors_quarantinedreading_changelist")
    answer = boss().post(address, form, follow=True)
    row.refresh_from_db()
    assert "1 accepted" in answer.content.decode()
    assert row.replayed_at is not None


def test_quarantine_can_be_neither_written_nor_deleted() -> None:
    row = make_quarantined(make_site())
    client = boss()
    assert client.get(reverse("admin:sensors_quarantinedreading_add")).status_code == 403
    address = reverse("admin:sensors_quarantinedreading_delete", args=[row.pk])
    assert client.post(address, {"post": "yes"}).status_code == 403
