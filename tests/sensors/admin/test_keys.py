"""Keys of devices: shown once, revoked, never given back."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from sensors import keys
from sensors.models import IngestKey, Site
from tests.factories import make_site
from tests.sensors.admin.staff import boss, key_form, page

pytestmark = pytest.mark.django_db


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
