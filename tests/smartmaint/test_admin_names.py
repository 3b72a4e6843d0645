"""The admin calls things what people call them, and writes times as the house does."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from sensors.models import IngestKey
from tests.factories import make_key, make_person
from tests.smartmaint.test_empty_lists import OURS

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss() -> Client:
    client = Client()
    client.force_login(make_person(is_staff=True, is_superuser=True))
    return client


@pytest.mark.parametrize("name", OURS)
def test_a_list_is_called_what_it_lists(boss: Client, name: str) -> None:
    meta = OURS[name]._meta
    page = boss.get(reverse(f"admin:{meta.db_table}_changelist")).content.decode()
    called = str(meta.verbose_name_plural)
    assert f"<h1>{escape(called[:1].upper() + called[1:])}</h1>" in page
    assert "Select " not in page.split("<h1>")[1].split("</h1>")[0]


def test_a_time_is_written_with_its_zone_and_24_hours(boss: Client) -> None:
    key, _ = make_key()
    IngestKey.objects.filter(pk=key.pk).update(created_at=datetime(2026, 1, 2, 15, 4, tzinfo=UTC))
    page = boss.get(reverse("admin:sensors_ingestkey_change", args=[key.pk])).content.decode()
    assert "2 Jan 2026 15:04 UTC" in page


def test_the_queues_have_a_name(boss: Client) -> None:
    page = boss.get(reverse("admin:index")).content.decode()
    assert "Queues: what is being done" in page
    assert "Django_Rq" not in page


def test_who_may_not_do_something_is_told_so_on_a_page_of_ours() -> None:
    client = Client()
    client.force_login(make_person(is_staff=True))
    answer = client.get(reverse("admin:sensors_site_add"))
    assert (answer.status_code, "Not allowed</h1>" in answer.content.decode()) == (403, True)
