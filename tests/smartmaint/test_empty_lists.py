"""A list of the admin without rows says what brings rows there."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from sensors.admin.empty import Empty
from tests.factories import make_asset, make_person, make_sensor, make_site

pytestmark = pytest.mark.django_db
APPS = {"sensors", "mlops", "anomalies"}
OURS = {model.__name__: model for model in admin.site._registry if model._meta.app_label in APPS}


def signed_in(person: Any) -> Client:
    client = Client()
    client.force_login(person)
    return client


def boss() -> Client:
    return signed_in(make_person(is_staff=True, is_superuser=True))


def page(client: Client, model: type[Model], **query: str) -> str:
    answer = client.get(reverse(f"admin:{model._meta.db_table}_changelist"), query)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("model", OURS.values(), ids=OURS)
def test_every_list_without_rows_says_what_brings_some(model: type[Model]) -> None:
    page_of: Any = admin.site.get_model_admin(model)
    told = page_of.empty
    assert isinstance(told, Empty)
    text = page(boss(), model)
    assert told.headline in text
    assert told.text in text
    assert told.command in text


def test_what_may_be_added_is_one_click_away_for_those_who_may() -> None:
    assert f'href="{reverse("admin:sensors_asset_add")}">Add asset</a>' in page(
        boss(), OURS["Asset"]
    )
    reader = make_person(make_site(), is_staff=True)
    reader.user_permissions.set(Permission.objects.filter(codename="view_asset"))
    text = page(signed_in(reader), OURS["Asset"])
    assert "A machine groups" in text
    assert "Add asset" not in text


def test_a_search_that_finds_nothing_is_told_from_a_list_that_has_nothing() -> None:
    make_asset()
    text = page(boss(), OURS["Asset"], q="no such machine")
    assert "Nothing matches" in text
    assert "A machine groups" not in text
    assert 'class="empty"' not in page(boss(), OURS["Asset"], o="1")


def test_sorting_is_no_search() -> None:
    assert "Nothing matches" not in page(boss(), OURS["Asset"], o="1")


def test_a_list_that_begins_with_what_waits_leads_to_the_rest() -> None:
    text = page(boss(), OURS["Episode"])
    assert '<a href="?state=resolved">Show what is over</a>' in text


def test_who_belongs_to_no_site_is_told_so_and_of_no_row() -> None:
    make_sensor(external_id="theirs")
    person = make_person(is_staff=True)
    person.user_permissions.set(Permission.objects.all())
    text = page(signed_in(person), OURS["Sensor"])
    assert "You belong to no site" in text
    assert "theirs" not in text
