"""The admin of sites, machines, sensors, quarantine and keys, site by site."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from sensors import keys
from sensors.formats import DEFAULT_TEMPLATE
from sensors.models import (
    Asset,
    IngestKey,
    QuarantinedReading,
    ReadingConflict,
    Sensor,
    SensorProfile,
    Site,
)
from tests.factories import make_asset, make_person, make_readings, make_sensor, make_site

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"


def make_staff(*sites: Site, **values: object) -> User:
    """Staff of these sites with every permission there is, which is no permission to see others."""
    person = make_person(*sites, is_staff=True, **values)
    person.user_permissions.set(Permission.objects.all())
    return person


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def page(client: Client, name: str, *args: object, **query: Any) -> str:
    answer = client.get(reverse(f"admin:{name}", args=args), query)
    assert answer.status_code == 200
    return answer.content.decode()


def make_quarantined(site: Site, **values: object) -> QuarantinedReading:
    n = QuarantinedReading.objects.count()
    return QuarantinedReading.objects.create(
        **{
            "site": site,
            "sensor_ref": "pump-9",
            "category": "validation",
            "code": "time_invalid",
            "detail": "no time",
            "payload": '{"sensor": "pump-9", "time": "2026-03-01T11:00:00Z", "value": 4}',
            "digest": n.to_bytes(32, "big"),
            "source": "http",
            "received_at": timezone.now(),
            **values,
        }
    )


def make_profile(sensor: Sensor, **values: object) -> SensorProfile:
    now = timezone.now()
    return SensorProfile.objects.create(
        **{
            "sensor": sensor,
            "count": 60,
            "mean": 40.0,
            "minimum": 30.0,
            "maximum": 50.0,
            "first_time": now - timedelta(hours=1),
            "last_time": now,
            "last_value": 41.23456,
            "interval_s": 60.0,
            "updated_at": now,
            **values,
        }
    )


# --- one site never sees another -----------------------------------------------------------------

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


# --- sensors -------------------------------------------------------------------------------------


def boss() -> Client:
    return signed_in(make_person(is_staff=True, is_superuser=True))


def test_the_list_shows_the_newest_value_with_its_unit_and_age() -> None:
    make_profile(make_sensor(), last_time=timezone.now() - timedelta(seconds=90))
    text = page(boss(), "sensors_sensor_changelist")
    assert "41.23 mm/s" in text
    assert "1 min ago" in text


def test_the_list_takes_as_many_queries_for_many_sensors_as_for_one(
    django_assert_max_num_queries,
) -> None:
    site = make_site()
    for _ in range(12):
        make_profile(make_sensor(asset=make_asset(site=site)))
    client = boss()
    page(client, "sensors_sensor_changelist")
    with django_assert_max_num_queries(9):
        page(client, "sensors_sensor_changelist")


def test_the_page_of_a_sensor_draws_its_readings_over_the_asked_range() -> None:
    sensor = make_sensor(alarm_high=90.0)
    now = timezone.now()
    make_readings(sensor, [40.0] * 118 + [77.77, 41.0], until=now)
    make_profile(sensor, last_time=now)
    client = boss()
    assert "120 readings" in page(client, "sensors_sensor_change", sensor.pk)
    hour = page(client, "sensors_sensor_change", sensor.pk, range="1h")
    assert "61 readings" in hour
    assert "77.77 mm/s" in hour
    assert "alarm high 90 mm/s" in hour


def test_a_range_nobody_offers_shows_the_newest_readings() -> None:
    sensor = make_sensor()
    make_readings(sensor, [1.0, 2.0], until=timezone.now())
    make_profile(sensor, last_time=timezone.now())
    assert "2 readings" in page(boss(), "sensors_sensor_change", sensor.pk, range="-1' OR 1=1")


def test_a_sensor_without_readings_has_a_page() -> None:
    assert "No readings" in page(boss(), "sensors_sensor_change", make_sensor().pk)


def test_a_hostile_sensor_id_is_only_text() -> None:
    sensor = make_sensor(external_id=HOSTILE, unit="<b>", asset=make_asset(name=HOSTILE))
    make_readings(sensor, [1.0, 2.0], until=timezone.now())
    make_profile(sensor, last_time=timezone.now())
    client = boss()
    for text in (
        page(client, "sensors_sensor_changelist"),
        page(client, "sensors_sensor_change", sensor.pk),
    ):
        assert HOSTILE not in text
        assert "&lt;script&gt;alert(1)" in text


def test_changing_the_kind_notes_that_a_person_did() -> None:
    sensor = make_sensor(kind="other", kind_source="inferred")
    address = reverse("admin:sensors_sensor_change", args=[sensor.pk])
    boss().post(address, {"status": "active", "kind": "pressure", "metadata": "{}"})
    sensor.refresh_from_db()
    assert (sensor.kind, sensor.kind_source) == ("pressure", "person")


def test_limits_the_wrong_way_round_are_refused() -> None:
    sensor = make_sensor()
    address = reverse("admin:sensors_sensor_change", args=[sensor.pk])
    form = {"status": "active", "kind": "pressure", "metadata": "{}", "alarm_low": 9,
            "alarm_high": 1}  # fmt: skip
    answer = boss().post(address, form)
    assert answer.context["adminform"].form.errors["alarm_high"]


def test_retiring_keeps_the_sensor() -> None:
    sensor = make_sensor()
    form = {"action": "retire", "_selected_action": [sensor.pk]}
    boss().post(reverse("admin:sensors_sensor_changelist"), form)
    sensor.refresh_from_db()
    assert sensor.status == "retired"


def test_a_time_zone_that_does_not_exist_is_refused() -> None:
    form = {"name": "A", "slug": "a", "timezone": "Mars/Olympus"}
    answer = boss().post(reverse("admin:sensors_site_add"), form)
    assert "no IANA time zone" in answer.content.decode()


# --- quarantine ----------------------------------------------------------------------------------


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


# --- keys ----------------------------------------------------------------------------------------


def key_form(name: str, site: Site) -> dict[str, object]:
    return {
        "name": name,
        "site": site.pk,
        "scopes": ["readings:write"],
        "line_template": DEFAULT_TEMPLATE,
    }


def issued(client: Client, site: Site) -> str:
    form = key_form("gateway", site)
    answer = client.post(reverse("admin:sensors_ingestkey_add"), form)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    return answer.context["secret"]


def test_a_new_key_is_shown_once_and_works() -> None:
    client = boss()
    secret = issued(client, make_site())
    key = keys.find(secret, now=timezone.now())
    assert key is not None
    assert key.scopes == ["readings:write"]
    hidden = secret.partition(".")[2]
    for name, args in (("changelist", []), ("change", [key.pk]), ("history", [key.pk])):
        assert hidden not in page(client, f"sensors_ingestkey_{name}", *args)
    assert not any(hidden in str(value) for value in client.session.values())


def test_the_digest_of_a_key_is_on_no_page() -> None:
    client = boss()
    key = keys.find(issued(client, make_site()), now=timezone.now())
    assert key is not None
    assert "digest" not in page(client, "sensors_ingestkey_change", key.pk)


def test_a_revoked_key_is_refused_from_then_on() -> None:
    client = boss()
    secret = issued(client, make_site())
    key = keys.find(secret, now=timezone.now())
    assert key is not None
    form = {"action": "revoke", "_selected_action": [key.pk]}
    client.post(reverse("admin:sensors_ingestkey_changelist"), form)
    assert keys.find(secret, now=timezone.now()) is None


def test_editing_a_key_leaves_its_secret_and_site_as_they_are() -> None:
    client, site = boss(), make_site()
    secret = issued(client, site)
    key = keys.find(secret, now=timezone.now())
    assert key is not None
    form = key_form("renamed", make_site()) | {"scopes": ["read"]}
    client.post(reverse("admin:sensors_ingestkey_change", args=[key.pk]), form)
    found = keys.find(secret, now=timezone.now())
    assert found is not None
    assert (found.name, found.site, found.scopes) == ("renamed", site, ["read"])


def test_a_template_that_cannot_work_is_explained_in_the_form() -> None:
    form = key_form("gateway", make_site()) | {"line_template": "{host}.{field}"}
    answer = boss().post(reverse("admin:sensors_ingestkey_add"), form)
    assert "{host} is no placeholder" in answer.content.decode()
    assert not IngestKey.objects.exists()


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
