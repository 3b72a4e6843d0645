"""Rules are shown with what they would have changed before they are saved."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from anomalies.models import ValidationRule
from tests.anomalies.admin.workplace import boss, make_engineer, signed_in
from tests.factories import make_anomaly, make_readings, make_sensor, make_site

pytestmark = pytest.mark.django_db


def rule_form(**values: object) -> dict[str, object]:
    return {
        "name": "far off",
        "conditions": '[{"field": "value_delta_pct", "op": ">", "value": 50}]',
        "adjustment": "0.1",
        "priority": "10",
        "enabled": "on",
        **values,
    }


def save_rule(client: Client, address: str, form: dict[str, object]) -> Any:
    """The form, then the page that says what it would have changed."""
    shown = client.post(address, form)
    found = re.search(r'name="_shown" value="(\w+)"', shown.content.decode())
    return client.post(address, {**form, "_shown": found[1]}) if found else shown


def test_a_rule_is_not_saved_before_it_was_shown_what_it_would_have_changed() -> None:
    anomaly = make_anomaly(
        start=timezone.now() - timedelta(days=3), decision="credible_anomaly",
        status="credible_anomaly", verdict="confirmed", reviewed_at=timezone.now(),
    )  # fmt: skip
    make_readings(
        anomaly.sensor, [50.0, 50.2, 49.9] * 8, until=anomaly.start - timedelta(minutes=1)
    )
    client, address = boss(), reverse("admin:anomalies_validationrule_add")
    form = rule_form(conditions="[]", forced_decision="false_positive_suspected")
    shown = client.post(address, form).content.decode()
    assert not ValidationRule.objects.exists()
    assert "Of 1 anomalies of the last 14 days, 1 would have been published otherwise" in shown
    assert "1 of them is a confirmed fault" in shown
    assert reverse("admin:anomalies_anomaly_change", args=[anomaly.pk]) in shown
    anomaly.refresh_from_db()
    assert anomaly.decision == "credible_anomaly"
    stale = re.search(r'name="_shown" value="(\w+)"', shown)
    assert stale is not None
    other = {**form, "adjustment": "0.2", "_shown": stale[1]}
    assert client.post(address, other).status_code == 200
    assert not ValidationRule.objects.exists()
    assert save_rule(client, address, form).status_code == 302
    assert ValidationRule.objects.get().forced_decision == "false_positive_suspected"


def test_what_a_rule_would_have_changed_shows_nothing_of_another_site() -> None:
    own, other = make_site(), make_site()
    for site in (own, other):
        make_anomaly(
            sensor=make_sensor(site=site, external_id=f"pump of {site.slug}"),
            start=timezone.now() - timedelta(days=1), decision="credible_anomaly",
            status="credible_anomaly",
        )  # fmt: skip
    may = tuple(f"{verb}_validationrule" for verb in ("view", "add", "change"))
    client = signed_in(make_engineer(own, may=may))
    form = rule_form(
        conditions="[]", forced_decision="false_positive_suspected", site=own.pk, _days="30"
    )
    shown = client.post(reverse("admin:anomalies_validationrule_add"), form).content.decode()
    assert "Of 1 anomalies of the last 30 days" in shown
    assert f"pump of {own.slug}" in shown
    assert f"pump of {other.slug}" not in shown


def test_a_rule_that_could_not_be_applied_is_refused_at_saving() -> None:
    client, address = boss(), reverse("admin:anomalies_validationrule_add")
    bad = rule_form(conditions='[{"field": "mood", "op": ">", "value": 1}]')
    answer = client.post(address, bad)
    assert "unknown field" in answer.content.decode()
    assert save_rule(client, address, rule_form()).status_code == 302
    assert (
        "value_delta_pct &gt; 50"
        in client.get(reverse("admin:anomalies_validationrule_changelist")).content.decode()
    )


def test_a_rule_for_every_site_is_a_superusers_to_make() -> None:
    site, other = make_site(), make_site()
    may = tuple(f"{verb}_validationrule" for verb in ("view", "add", "change", "delete"))
    client = signed_in(make_engineer(site, may=may))
    address = reverse("admin:anomalies_validationrule_add")
    save_rule(client, address, rule_form())
    save_rule(client, address, rule_form(site=other.pk))
    assert not ValidationRule.objects.exists()
    save_rule(client, address, rule_form(site=site.pk))
    assert ValidationRule.objects.get().site == site
    shared = ValidationRule.objects.create(name="shared", conditions=[])
    change = reverse("admin:anomalies_validationrule_change", args=[shared.pk])
    assert client.get(change).status_code == 200
    assert client.post(change, rule_form(name="mine now", site=site.pk)).status_code == 403
    erase = {"action": "delete_selected", "_selected_action": [shared.pk], "post": "yes"}
    client.post(reverse("admin:anomalies_validationrule_changelist"), erase)
    assert ValidationRule.objects.filter(name="shared").exists()
