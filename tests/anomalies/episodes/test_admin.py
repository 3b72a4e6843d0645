"""Episodes, routes and messages in the admin."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from anomalies.episodes import placing
from anomalies.episodes.policy import EpisodePolicies
from anomalies.models import Episode, Message, NotificationRoute
from anomalies.notify import delivery, grouping
from anomalies.notify.pacing import Pacing
from tests.factories import make_asset, make_evidence, make_person, make_readings, make_sensor

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss() -> User:
    return make_person(username="boss", is_staff=True, is_superuser=True)


@pytest.fixture
def episode() -> Episode:
    now = timezone.now()
    first, other = (make_sensor(asset=asset) for asset in [make_asset(name="pump 7")] * 2)
    NotificationRoute.objects.create(name="duty", channel="email", target="a@plant.example")
    make_readings(first, [40.0, 41.0, 80.0], until=now)
    make_evidence(sensor=first, start=now - timedelta(minutes=2))
    make_evidence(sensor=other, start=now)
    placing.place_due(now=now, policies=EpisodePolicies())
    found: Episode = Episode.objects.get()
    return found


def page_of(episode: Episode) -> str:
    return reverse("admin:anomalies_episode_change", args=[episode.pk])


def act(client: Client, episode: Episode, name: str, **said: Any) -> str:
    address = reverse("admin:anomalies_episode_act", args=[episode.pk])
    return client.post(address, {"act": name, **said}, follow=True).content.decode()


def test_the_list_is_empty_in_words(client: Client, boss: User) -> None:
    client.force_login(boss)
    address = reverse("admin:anomalies_episode_changelist")
    assert "Nothing is open." in client.get(address).content.decode()
    assert "Nothing matches." in client.get(f"{address}?state=all").content.decode()


def test_the_list_shows_what_is_not_resolved(client: Client, boss: User, episode: Episode) -> None:
    client.force_login(boss)
    address = reverse("admin:anomalies_episode_changelist")
    page = client.get(address).content.decode()
    assert "pump 7" in page
    assert "and 1 more" in page
    Episode.objects.update(state="resolved")
    assert "pump 7" not in client.get(address).content.decode().partition('id="result_list"')[2]
    assert "pump 7" in client.get(f"{address}?state=resolved").content.decode()


def test_the_page_shows_who_moved_first_what_happened_and_who_was_told(
    client: Client, boss: User, episode: Episode
) -> None:
    client.force_login(boss)
    page = client.get(page_of(episode)).content.decode()
    for text in ("2 min later", "svg", "duty (opened)", "waits", "the system", "Acknowledge"):
        assert text in page, text
    assert ">Reopen<" not in page


def test_an_engineer_works_on_it_from_the_page(
    client: Client, boss: User, episode: Episode
) -> None:
    client.force_login(boss)
    act(client, episode, "acknowledge", text="on it")
    act(client, episode, "assign", to=boss.pk)
    act(client, episode, "snooze", hours=8)
    act(client, episode, "link", url="https://cmms.example/42", text="Order 42")
    page = act(client, episode, "comment", text="<b>belt</b>")
    assert "&lt;b&gt;belt&lt;/b&gt;" in page
    assert 'href="https://cmms.example/42"' in page
    episode.refresh_from_db()
    assert (episode.state, episode.assignee) == ("acknowledged", boss)
    assert episode.snoozed_until is not None
    assert "Nothing is changed" in act(client, episode, "link", url="javascript:alert(1)")
    assert "Nothing is changed" in act(client, episode, "nonsense")


def test_a_person_of_another_site_finds_nothing(client: Client, episode: Episode) -> None:
    stranger = make_person(is_staff=True)
    from django.contrib.auth.models import Permission

    names = ("view_episode", "change_episode", "view_message", "view_notificationroute")
    stranger.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(stranger)
    assert client.get(page_of(episode)).status_code == 302
    address = reverse("admin:anomalies_episode_act", args=[episode.pk])
    assert client.post(address, {"act": "resolve"}).status_code == 404
    routes = client.get(reverse("admin:anomalies_notificationroute_changelist"))
    assert "duty" not in routes.content.decode().partition('id="result_list"')[2]
    episode.refresh_from_db()
    assert episode.state == "open"


def test_who_may_only_look_cannot_act(client: Client, episode: Episode) -> None:
    from django.contrib.auth.models import Permission

    person = make_person(episode.site, is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename="view_episode"))
    client.force_login(person)
    assert "What do you do?" not in client.get(page_of(episode)).content.decode()
    address = reverse("admin:anomalies_episode_act", args=[episode.pk])
    assert client.post(address, {"act": "resolve"}).status_code == 403


def test_a_secret_is_taken_and_never_shown(client: Client, boss: User) -> None:
    client.force_login(boss)
    secret = "whsec_" + "QUJD" * 8
    said = {
        "name": "cmms", "enabled": "on", "queue": "machine", "min_severity": 3,
        "channel": "webhook", "target": "https://cmms.example/hook", "secret": secret,
        "weekdays": [0, 1, 2, 3, 4], "after_minutes": 0, "repeat_minutes": 240,
    }  # fmt: skip
    answer = client.post(reverse("admin:anomalies_notificationroute_add"), said)
    assert answer.status_code == 302, answer.content.decode()
    route = NotificationRoute.objects.get()
    address = reverse("admin:anomalies_notificationroute_change", args=[route.pk])
    assert secret not in client.get(address).content.decode()
    client.post(address, {**said, "secret": "", "name": "renamed"})
    route.refresh_from_db()
    assert (route.name, route.secret, route.weekdays) == ("renamed", secret, [0, 1, 2, 3, 4])
    wrong = client.post(address, {**said, "target": "nonsense"})
    assert "The address of a webhook" in wrong.content.decode()


def test_what_failed_can_be_sent_again(client: Client, boss: User, episode: Episode) -> None:
    now = timezone.now() + timedelta(minutes=1)
    grouping.gather(now=now, pacing=Pacing())
    Message.objects.update(state="failed", error="mail server away")
    client.force_login(boss)
    address = reverse("admin:anomalies_message_changelist")
    assert "mail server away" in client.get(address).content.decode()
    message = Message.objects.get()
    client.post(address, {"action": "send_again", "_selected_action": [message.pk]})
    assert delivery.deliver(now=now, pacing=Pacing(), rng=Random(1)).sent == 1  # noqa: S311
    page = client.get(reverse("admin:anomalies_message_change", args=[message.pk]))
    assert "What moved" in page.content.decode()
