"""Credentials of devices: shown once, kept as a digest, refused when they should be."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from sensors import keys
from sensors.models import IngestKey
from tests.factories import NOW, make_key, make_site

pytestmark = pytest.mark.django_db


def test_the_secret_is_not_stored() -> None:
    key, text = make_key()
    prefix, secret = text.split(".")
    row = IngestKey.objects.filter(pk=key.pk).values().get()
    assert prefix == key.prefix
    assert secret not in repr(row)
    assert secret.encode() not in bytes(row["digest"])
    assert len(bytes(row["digest"])) == 32


def test_a_key_is_found_by_its_text() -> None:
    key, text = make_key()
    assert keys.find(text, now=NOW) == key
    assert keys.find(text[:-1], now=NOW) is None
    assert keys.find(text[:-1] + ("A" if text[-1] != "A" else "B"), now=NOW) is None


def test_expiry_is_exclusive() -> None:
    _, text = make_key(expires_at=NOW)
    assert keys.find(text, now=NOW - timedelta(seconds=1)) is not None
    assert keys.find(text, now=NOW) is None


def test_finding_a_key_writes_at_most_once_a_minute() -> None:
    _, text = make_key()
    for seconds, statements in ((0, 2), (30, 1), (61, 2)):
        with CaptureQueriesContext(connection) as queries:
            keys.find(text, now=NOW + timedelta(seconds=seconds))
        assert len(queries) == statements


@pytest.mark.parametrize("scopes", [[], ["everything"]])
def test_a_key_needs_scopes_that_exist(scopes: list[str]) -> None:
    with pytest.raises(ValueError, match="scopes"):
        keys.issue(site=make_site(), name="x", scopes=scopes)


def test_the_command_issues_lists_and_revokes() -> None:
    site = make_site(slug="hall")
    out, err = StringIO(), StringIO()
    call_command("ingest_key", "create", site="hall", name="gateway", stdout=out, stderr=err)
    text = out.getvalue().strip()
    key = keys.find(text, now=timezone.now())
    assert key is not None
    assert (key.site, key.scopes) == (site, ["readings:write"])

    listed = StringIO()
    call_command("ingest_key", "list", stdout=listed)
    assert key.prefix in listed.getvalue()
    assert text.partition(".")[2] not in listed.getvalue()

    call_command("ingest_key", "revoke", key.prefix, stdout=StringIO())
    assert keys.find(text, now=timezone.now()) is None


def test_the_command_names_the_sites_there_are() -> None:
    make_site(slug="hall")
    with pytest.raises(CommandError, match="hall"):
        call_command("ingest_key", "create", site="hal", name="x")
