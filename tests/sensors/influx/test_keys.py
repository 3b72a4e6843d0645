"""A key says which site, and what sensors are called."""

from __future__ import annotations

import pytest
import requests
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.utils import timezone

from sensors import quarantine
from sensors.models import IngestKey, QuarantinedReading, Reading, Sensor
from tests.factories import make_key, make_sensor, make_site
from tests.sensors.influx.lines import NS, SECONDS, TIME, V1, V2, post, stored

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_key_is_read_where_clients_put_it(url: str, secret: str) -> None:
    for header in (
        f"Token {secret}",
        f"token name:{secret}",
        f"Bearer {secret}",
        f"Api-Key {secret}",
    ):
        assert post(url, "m f=1 1000", secret, Authorization=header).status_code == 204
    for path in (V1, V2):
        with_p = requests.post(
            f"{url}{path}", params={"u": "x", "p": secret}, data="m f=1 1000", timeout=30
        )
        assert with_p.status_code == 204
    assert Reading.objects.count() == 1


def test_the_key_says_which_site_whatever_bucket_is_named(
    url: str, issued: tuple[IngestKey, str]
) -> None:
    other = make_site(slug="other")
    theirs = make_sensor(site=other, external_id="m.f")
    assert post(url, "m f=1 1000", issued[1], f"{V2}?bucket=other&org=other").status_code == 204
    assert Reading.objects.get().sensor.site == issued[0].site
    assert not Reading.objects.filter(sensor=theirs).exists()


def test_a_key_has_its_own_template(url: str) -> None:
    _, secret = make_key(line_template="{bucket}/{tag:machine}/{measurement}")
    line = f"temperature,machine=mill-9,line=2 value=81.2 {NS}"
    assert post(url, line, secret, f"{V2}?bucket=hall").status_code == 204
    assert post(url, line, secret, f"{V1}?db=cellar").status_code == 204
    assert set(stored()) == {"hall/mill-9/temperature", "cellar/mill-9/temperature"}
    assert set(Sensor.objects.values_list("kind", flat=True)) == {"temperature"}
    missing = post(url, line, secret)
    assert (missing.status_code, missing.json()["code"]) == (400, "invalid")
    assert "bucket" in missing.json()["message"]


def test_a_refused_line_is_accepted_after_its_template_was_mended(url: str) -> None:
    key, secret = make_key(line_template="{tag:machine}.{field}")
    body = f'm,host=a f=1,g=2,s="x" {SECONDS}\nm,host=b f=3\nm,host=c f=oops'
    before = timezone.now()
    assert post(url, body, secret, f"{V2}?precision=s").status_code == 400
    rows = QuarantinedReading.objects.order_by("id")
    assert quarantine.replay(rows, now=timezone.now()).accepted == 0

    key.line_template = "{tag:host}.{field}"
    key.save()
    rows = QuarantinedReading.objects.order_by("id")
    receipt = quarantine.replay(rows, now=timezone.now())
    assert (receipt.accepted, receipt.quarantined) == (3, 1)
    found = stored()
    assert found["a.f"] == (TIME.replace(microsecond=0), 1.0)
    assert found["a.g"][1] == 2.0
    assert before <= found["b.f"][0] <= timezone.now()
    waiting = QuarantinedReading.objects.get(replayed_at=None)
    assert "oops" in waiting.payload


def test_a_template_that_cannot_work_is_not_saved() -> None:
    key, _ = make_key()
    key.line_template = "{host}.{field}"
    with pytest.raises(ValidationError, match="no placeholder"):
        key.full_clean()
    make_site(slug="hall")
    with pytest.raises(CommandError, match="no placeholder"):
        call_command("ingest_key", "create", site="hall", name="x", line_template="{host}")
    assert IngestKey.objects.count() == 1
