"""Messages reach real receivers, signed and once; what must not be called is not called."""

from __future__ import annotations

import base64
import email
import json
import socket
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from anomalies.models import Message, NotificationRoute
from anomalies.notify import delivery, grouping
from anomalies.notify.pacing import Pacing
from anomalies.notify.targets import CHAT
from tests.anomalies.notify.receivers import MailReceiver, WebhookReceiver
from tests.anomalies.notify.test_outbox import RNG, make_route, raise_anomaly
from tests.factories import NOW, make_asset, make_sensor

pytestmark = pytest.mark.django_db

SECRET = "whsec_" + base64.b64encode(b"a secret of a webhook in tests").decode()
MINUTE = timedelta(minutes=1)


def send(now: datetime = NOW + MINUTE) -> delivery.Delivered:
    return delivery.deliver(now=now, pacing=Pacing(), rng=RNG)


def make_message(target: str, channel: str = "webhook") -> Message:
    make_route(channel=channel, target=target, secret=SECRET)
    raise_anomaly(make_sensor(asset=make_asset()), NOW)
    grouping.gather(now=NOW + MINUTE, pacing=Pacing())
    found: Message = Message.objects.get()
    return found


@pytest.fixture
def loopback_allowed(settings: Any) -> None:
    settings.NOTIFY_ALLOWED_NETWORKS = ["127.0.0.1/32"]


@pytest.mark.usefixtures("loopback_allowed")
def test_a_webhook_is_signed_so_that_the_library_verifies_it() -> None:
    with WebhookReceiver() as receiver:
        message = make_message(receiver.url)
        assert send().sent == 1
    ((path, headers, body),) = receiver.got
    verified = Webhook(SECRET).verify(body, headers)
    assert path == "/hook"
    assert headers["webhook-id"] == str(message.key)
    assert verified["type"] == "episode.opened"
    assert verified["data"]["episodes"][0]["severity"] == 3
    tampered = body.replace(b"opened", b"0pened")
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(tampered, headers)


REFUSED = {
    "loopback": "127.0.0.1",
    "all of loopback": "127.9.9.9",
    "link-local": "169.254.169.254",
    "private 10": "10.1.2.3",
    "private 172": "172.16.0.1",
    "private 192": "192.168.1.1",
    "carrier": "100.64.0.1",
    "this host": "0.0.0.0",  # noqa: S104
    "multicast": "224.0.0.1",
    "broadcast": "255.255.255.255",
    "IPv6 loopback": "::1",
    "unique local": "fd12:3456::1",
    "IPv6 link-local": "fe80::1",
    "site-local": "fec0::1",
    "mapped": "::ffff:127.0.0.1",
    "6to4": "2002:7f00:1::1",
    "NAT64": "64:ff9b::a9fe:a9fe",
}


@pytest.mark.parametrize("address", REFUSED.values(), ids=REFUSED.keys())
def test_an_address_outside_the_internet_is_refused_without_a_request(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _self, where: calls.append(where))
    host = f"[{address}]" if ":" in address else address
    message = make_message(f"http://{host}/hook")
    assert send().failed == 1
    message.refresh_from_db()
    assert "is not an address of the Internet" in message.error
    assert [call for call in calls if "127.0.0.1" not in str(call) or address in str(call)] == []


def resolving(*answers: str) -> Any:
    """A resolver that answers differently each time, the last answer for ever."""
    left = list(answers)

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> Any:
        address = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    return getaddrinfo


def test_a_name_with_a_private_address_among_public_ones_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def both(host: str, port: int, *_: Any, **__: Any) -> Any:
        found = ("93.184.216.34", "10.0.0.1")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in found]

    message = make_message("http://rebinding.example/hook")
    monkeypatch.setattr(socket, "getaddrinfo", both)
    assert send().failed == 1
    message.refresh_from_db()
    assert message.error == "10.0.0.1 is not an address of the Internet"


def test_a_name_that_answers_differently_the_second_time_gains_nothing(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """The first answer is allowed and listens; a second look-up would lead elsewhere."""
    settings.NOTIFY_ALLOWED_NETWORKS = ["127.0.0.2/32"]
    with WebhookReceiver() as private:
        make_message(f"http://rebinding.example:{private.port}/hook")
        real = socket.getaddrinfo
        asked: list[str] = []

        def rebinding(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
            if host != "rebinding.example":
                return real(host, port, *args, **kwargs)
            asked.append(host)
            return resolving("127.0.0.2" if len(asked) == 1 else "127.0.0.1")(host, port)

        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        assert send().retried == 1, "nobody listens at the address that was looked at"
    assert len(asked) == 1
    assert private.got == []


@pytest.mark.usefixtures("loopback_allowed")
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with WebhookReceiver() as elsewhere, WebhookReceiver(status, elsewhere.url) as receiver:
        message = make_message(receiver.url)
        assert send().retried == 1
    assert (len(receiver.got), len(elsewhere.got)) == (1, 0)
    message.refresh_from_db()
    assert message.error == f"127.0.0.1 answered {status} (redirects are not followed)"


@pytest.mark.usefixtures("loopback_allowed")
def test_receivers_that_were_down_for_ten_minutes_get_everything_once(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_USE_TLS = "127.0.0.1", False
    with MailReceiver(down=True) as post, WebhookReceiver(status=503) as hook:
        settings.EMAIL_PORT = post.port
        make_route()
        make_route(channel="webhook", target=hook.url, secret=SECRET)
        for number in range(5):
            raise_anomaly(make_sensor(asset=make_asset()), NOW + number * MINUTE)
        now = NOW
        while now < NOW + timedelta(minutes=30):
            if now >= NOW + timedelta(minutes=10):
                post.down, hook.status = False, 200
            grouping.gather(now=now, pacing=Pacing())
            send(now)
            now += timedelta(seconds=15)
    assert set(Message.objects.values_list("state", flat=True)) == {"sent"}
    assert Message.objects.count() == 10, "five sites, two routes"
    ids = [email.message_from_bytes(mail)["X-Smartmaint-Id"] for mail in post.got]
    assert len(ids) == len(set(ids)) == 5
    taken: dict[str, set[int]] = {}
    for _, headers, body in hook.got:
        episodes = {one["id"] for one in json.loads(body)["data"]["episodes"]}
        taken.setdefault(headers["webhook-id"], set()).update(episodes)
    assert len(taken) == 5, "the attempts in vain had the same ids"
    assert len(set.union(*taken.values())) == 5
    assert min(Message.objects.values_list("attempts", flat=True)) > 1


@pytest.mark.usefixtures("loopback_allowed")
def test_what_is_in_vain_for_a_day_has_failed_and_says_why() -> None:
    with WebhookReceiver(status=500) as receiver:
        message = make_message(receiver.url)
        assert send(NOW + timedelta(hours=23)).retried == 1
        assert send(NOW + timedelta(days=2)).failed == 1
    message.refresh_from_db()
    assert (message.state, message.error) == ("failed", "127.0.0.1 answered 500")


@pytest.mark.usefixtures("loopback_allowed")
def test_a_chat_is_told_through_apprise() -> None:
    with WebhookReceiver() as receiver:
        make_message(f"ntfy://127.0.0.1:{receiver.port}/plant", channel="chat")
        assert send().sent == 1
    assert b"moderate" in receiver.got[0][2]


@pytest.mark.parametrize("target", ["ntfy://10.0.0.1/plant", "json://1.1.1.1/x", "syslog://"])
def test_a_chat_in_a_private_network_or_of_no_listed_service_is_refused(target: str) -> None:
    make_message(target, channel="chat")
    assert send().failed == 1


@pytest.mark.parametrize(
    ("channel", "target", "secret"),
    [
        ("email", "nobody", ""),
        ("email", "", ""),
        ("webhook", "ftp://plant.example/x", SECRET),
        ("webhook", "https://user:word@plant.example/x", SECRET),
        ("webhook", "https://plant.example/x", "whsec_short"),
        ("webhook", "https://plant.example/x", ""),
        ("chat", "json://plant.example", ""),
        ("chat", "exec://rm", ""),
    ],
)
def test_a_route_that_leads_nowhere_is_refused_at_saving(
    channel: str, target: str, secret: str
) -> None:
    route = NotificationRoute(name="x", channel=channel, target=target, secret=secret)
    with pytest.raises(ValidationError):
        route.full_clean()


def test_no_listed_service_runs_programs_or_speaks_to_this_machine() -> None:
    assert not CHAT & {"json", "jsons", "xml", "xmls", "form", "forms", "syslog", "dbus", "exec"}
