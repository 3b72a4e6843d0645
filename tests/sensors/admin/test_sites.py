"""In the admin of what was measured one site never sees another."""

from __future__ import annotations

import pytest
from django.urls import reverse

from sensors import keys
from sensors.models import Asset, IngestKey, Sensor, Site
from tests.factories import make_asset, make_person, make_sensor, make_site
from tests.sensors.admin.staff import key_form, make_quarantined, make_staff, page, signed_in

pytestmark = pytest.mark.django_db


LISTS = [
    "sensors_site_changelist",
    "sensors_asset_changelist",
    "sensors_sensor_changelist",
    "sensors_quarantinedreading_changelist",
    "sensors_ingestkey_changelist",
]


def furnish(site: Site, word: str) -> dict[str, object]:
    asset = make_asset(site=site, name=f"{word}-asset")
    return {
        "site": site,
        "asset": asset,
        "sensor": make_sensor(asset=asset, external_id=f"{word}-sensor"),
        "quarantinedreading": make_quarantined(site, sensor_ref=f"{word}-ref"),
        "ingestkey": keys.issue(site=site, name=f"{word}-key")[0],
    }


@pytest.fixture
def two_sites() -> tuple[dict[str, object], dict[str, object]]:
    mine = furnish(make_site(slug="mine", name="mine-site"), "mine")
    return mine, furnish(make_site(slug="theirs", name="theirs-site"), "theirs")


@pytest.mark.parametrize("name", LISTS)
def test_a_list_shows_only_rows_of_ones_own_sites(two_sites, name: str) -> None:
    text = page(signed_in(make_staff(two_sites[0]["site"])), name)
    assert "mine-" in text
    assert "theirs" not in text


@pytest.mark.parametrize("name", LISTS)
def test_a_superuser_sees_every_site(two_sites, name: str) -> None:
    person = make_person(is_staff=True, is_superuser=True)
    assert "theirs" in page(signed_in(person), name)


@pytest.mark.parametrize("model", ["site", "asset", "sensor", "quarantinedreading", "ingestkey"])
@pytest.mark.parametrize("view", ["change", "history", "delete"])
def test_the_pages_of_another_sites_row_cannot_be_opened(two_sites, model: str, view: str) -> None:
    mine, theirs = two_sites
    client = signed_in(make_staff(mine["site"]))
    name = f"admin:sensors_{model}_{view}"
    answer = client.get(reverse(name, args=[theirs[model].pk]))
    assert answer.status_code in {302, 403}
    assert b"theirs" not in answer.content
    if view != "delete":
        assert client.get(reverse(name, args=[mine[model].pk])).status_code == 200


def test_an_action_leaves_the_rows_of_another_site_alone(two_sites) -> None:
    mine, theirs = two_sites
    Sensor.objects.update(status="discovered")
    client = signed_in(make_staff(mine["site"]))
    chosen = [mine["sensor"].pk, theirs["sensor"].pk]
    client.post(
        reverse("admin:sensors_sensor_changelist"),
        {"action": "activate", "_selected_action": chosen},
    )
    mine["sensor"].refresh_from_db()
    theirs["sensor"].refresh_from_db()
    assert (mine["sensor"].status, theirs["sensor"].status) == ("active", "discovered")


def test_deleting_machines_takes_only_those_of_ones_own_sites(two_sites) -> None:
    mine, theirs = two_sites
    chosen = [mine["asset"].pk, theirs["asset"].pk]
    form = {"action": "delete_selected", "_selected_action": chosen, "post": "yes"}
    signed_in(make_staff(mine["site"])).post(reverse("admin:sensors_asset_changelist"), form)
    assert list(Asset.objects.values_list("pk", flat=True)) == [theirs["asset"].pk]


def test_completion_offers_no_machine_of_another_site(two_sites) -> None:
    client = signed_in(make_staff(two_sites[0]["site"]))
    query = {"app_label": "sensors", "model_name": "sensor", "field_name": "asset", "term": "asset"}
    found = client.get(reverse("admin:autocomplete"), query).json()["results"]
    assert [row["text"] for row in found] == ["mine-asset"]


def test_a_machine_of_another_site_cannot_be_chosen(two_sites) -> None:
    mine, theirs = two_sites
    client = signed_in(make_staff(mine["site"]))
    address = reverse("admin:sensors_sensor_change", args=[mine["sensor"].pk])
    answer = client.post(address, {"asset": theirs["asset"].pk, "status": "active",
                                   "kind": "vibration", "metadata": "{}"})  # fmt: skip
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors["asset"]


def test_even_a_superuser_cannot_put_a_sensor_on_a_machine_of_another_site(two_sites) -> None:
    mine, theirs = two_sites
    client = signed_in(make_person(is_staff=True, is_superuser=True))
    address = reverse("admin:sensors_sensor_change", args=[mine["sensor"].pk])
    answer = client.post(address, {"asset": theirs["asset"].pk, "status": "active",
                                   "kind": "vibration", "metadata": "{}"})  # fmt: skip
    assert "belong to one site" in str(answer.context["adminform"].form.errors["asset"])


def test_staff_cannot_put_themselves_into_a_site(two_sites) -> None:
    mine = two_sites[0]
    person = make_staff(mine["site"])
    address = reverse("admin:sensors_site_change", args=[mine["site"].pk])
    form = {"name": "mine", "slug": "mine", "timezone": "UTC", "members": [person.pk, 1]}
    assert signed_in(person).post(address, form).status_code == 302
    assert list(mine["site"].members.all()) == [person]


def test_a_site_states_the_false_alarms_its_sensors_can_bear(two_sites) -> None:
    site = two_sites[0]["site"]
    client = signed_in(make_staff(site))
    address = reverse("admin:sensors_site_change", args=[site.pk])
    form = {"name": "mine", "slug": "mine", "timezone": "UTC", "false_alarms": "1000"}
    assert "100" in str(client.post(address, form).context["adminform"].form.errors["false_alarms"])
    assert client.post(address, form | {"false_alarms": "2.5"}).status_code == 302
    site.refresh_from_db()
    assert site.false_alarms == 2.5


def test_a_key_cannot_be_issued_for_another_site(two_sites) -> None:
    mine, theirs = two_sites
    client = signed_in(make_staff(mine["site"]))
    form = key_form("mole", theirs["site"])
    client.post(reverse("admin:sensors_ingestkey_add"), form)
    assert not IngestKey.objects.filter(name="mole").exists()
