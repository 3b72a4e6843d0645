"""`manage.py simulate` against a running server."""

import signal
import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from sensors import keys
from sensors.models import IngestKey, Reading, Sensor
from tests.factories import make_site

pytestmark = pytest.mark.django_db(transaction=True)


def _simulate(url: str, *arguments: str) -> str:
    said = StringIO()
    call_command("simulate", "--url", url, *arguments, stdout=said)
    return said.getvalue()


def test_what_it_sends_is_stored_by_sensors_it_made_known(live_server):
    said = _simulate(live_server.url, "--sensors", "5", "--rate", "4", "--for", "2")
    stored = Reading.objects.count()
    assert 30 <= stored <= 45
    assert said.strip() == f"{stored} accepted, 0 duplicates, 0 quarantined"
    assert Sensor.objects.filter(status=Sensor.Status.DISCOVERED).count() == 5
    assert Sensor.objects.values("kind").distinct().count() == 5


def test_its_own_key_is_revoked_when_it_ends(live_server):
    _simulate(live_server.url, "--sensors", "1", "--for", "0.5")
    assert IngestKey.objects.get().revoked_at is not None


def test_a_given_key_is_used_and_left_alone(live_server):
    site = make_site()
    key, secret = keys.issue(site=site, name="gateway")
    _simulate(live_server.url, "--sensors", "2", "--for", "1", "--key", secret)
    assert set(Sensor.objects.values_list("site", flat=True)) == {site.pk}
    key.refresh_from_db()
    assert key.revoked_at is None


def test_ctrl_c_ends_it_cleanly_and_sends_what_had_gathered(live_server):
    threading.Timer(2.0, signal.raise_signal, [signal.SIGINT]).start()
    said = _simulate(
        live_server.url, "--sensors", "2", "--rate", "5", "--batch-timeout-seconds", "60"
    )
    assert Reading.objects.count() > 5
    assert f"{Reading.objects.count()} accepted" in said


def test_a_wrong_key_is_a_clear_message(live_server):
    with pytest.raises(CommandError, match="401"):
        _simulate(live_server.url, "--sensors", "1", "--for", "1", "--key", "wrong.key")


@pytest.mark.parametrize("arguments", [["--sensors", "0"], ["--rate", "0"]])
def test_nothing_to_send_is_refused(arguments):
    with pytest.raises(CommandError, match=r"is not above 0|from 1 on"):
        _simulate("http://127.0.0.1:9", *arguments)
