"""What people do with episodes, by the API: each act has an author, none crosses a site."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from anomalies.episodes import placing
from anomalies.episodes.policy import EpisodePolicies
from anomalies.models import Episode
from tests.factories import make_evidence, make_key, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def episode() -> Episode:
    make_evidence()
    placing.place_due(now=timezone.now(), policies=EpisodePolicies())
    found: Episode = Episode.objects.get()
    return found


@pytest.fixture
def engineer(episode: Episode, client: Client) -> Any:
    person = make_person(episode.site, username="ada")
    client.force_login(person)

    def act(name: str, **said: Any) -> Any:
        return client.post(
            f"/api/v1/episodes/{episode.pk}/{name}", said, content_type="application/json"
        )

    return act


def test_an_episode_goes_its_way_with_a_trace(engineer: Any) -> None:
    assert engineer("acknowledge", note="on it").json()["state"] == "acknowledged"
    assert engineer("start").json()["state"] == "in_progress"
    assert engineer("resolve", note="greased").json()["resolution"] == "person"
    found = engineer("reopen").json()
    assert (found["state"], found["resolution"]) == ("reopened", None)
    told = [(event["kind"], event["person"], event["text"]) for event in reversed(found["events"])]
    assert told == [
        ("opened", None, ""),
        ("acknowledged", "ada", "on it"),
        ("started", "ada", ""),
        ("resolved", "ada", "greased"),
        ("reopened", "ada", ""),
    ]


def test_saying_it_twice_is_saying_it_once(engineer: Any) -> None:
    engineer("acknowledge")
    assert engineer("acknowledge").status_code == 200
    assert len(engineer("acknowledge").json()["events"]) == 2


def test_what_its_state_does_not_allow_is_a_conflict(engineer: Any) -> None:
    engineer("resolve")
    answer = engineer("acknowledge")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "not_possible"
    later = (timezone.now() + timedelta(hours=1)).isoformat()
    assert engineer("snooze", until=later).status_code == 409


def test_it_cannot_be_reopened_beside_another_of_the_same_machine(
    engineer: Any, episode: Episode
) -> None:
    engineer("resolve")
    make_evidence(sensor=episode.sensor, start=timezone.now() + timedelta(days=3))
    placing.place_due(now=timezone.now(), policies=EpisodePolicies())
    assert Episode.objects.count() == 2
    assert engineer("reopen").status_code == 409


def test_it_is_assigned_to_members_of_the_site_only(engineer: Any) -> None:
    make_person(username="stranger")
    assert engineer("assign", to="ada").json()["assignee"] == "ada"
    assert engineer("assign", to="stranger").status_code == 400
    assert engineer("assign", to="nobody-of-that-name").status_code == 400
    assert engineer("assign", to=None).json()["assignee"] is None


def test_a_snooze_has_an_end_in_the_future(engineer: Any) -> None:
    past, later = (timezone.now() + timedelta(hours=h) for h in (-1, 1))
    assert engineer("snooze", until=past.isoformat()).status_code == 400
    assert engineer("snooze", until=later.isoformat()).json()["snoozed_until"] is not None


def test_comments_and_links_are_kept(engineer: Any) -> None:
    engineer("comment", text="Looks like the belt.")
    found = engineer("link", url="https://cmms.example/42", title="Order 42").json()
    assert [event["text"] for event in found["events"][:2]] == ["Order 42", "Looks like the belt."]
    assert engineer("link", url="javascript:alert(1)").status_code == 400
    assert engineer("comment", text=" ").status_code == 400


def test_one_site_neither_sees_nor_moves_what_is_another_ones(
    episode: Episode, client: Client
) -> None:
    client.force_login(make_person())
    assert client.get("/api/v1/episodes").json()["results"] == []
    assert client.get(f"/api/v1/episodes/{episode.pk}").status_code == 404
    for act in ("acknowledge", "start", "resolve", "reopen", "assign", "snooze", "comment", "link"):
        answer = client.post(f"/api/v1/episodes/{episode.pk}/{act}", {}, "application/json")
        assert answer.status_code == 404, act
    episode.refresh_from_db()
    assert episode.state == "open"


def test_a_device_reads_but_does_not_act(episode: Episode, client: Client) -> None:
    _, secret = make_key(site=episode.site, scopes=["read"])
    headers = {"Authorization": f"Api-Key {secret}"}
    assert len(client.get("/api/v1/episodes", headers=headers).json()["results"]) == 1
    answer = client.post(f"/api/v1/episodes/{episode.pk}/acknowledge", headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("asked", "n"),
    [
        ("state=open", 1),
        ("state=unresolved", 1),
        ("state=resolved", 0),
        ("queue=instrument", 0),
        ("severity_min=3", 1),
        ("severity_min=4", 0),
        ("assignee=none", 1),
        ("assignee=ada", 0),
        ("from=2026-03-02T00:00:00Z", 0),
        ("to=2026-03-02T00:00:00Z", 1),
    ],
)
def test_the_list_is_filtered(episode: Episode, client: Client, asked: str, n: int) -> None:
    client.force_login(make_person(episode.site))
    assert len(client.get(f"/api/v1/episodes?{asked}").json()["results"]) == n


def test_a_filter_that_makes_no_sense_is_refused(episode: Episode, client: Client) -> None:
    client.force_login(make_person(episode.site))
    assert client.get("/api/v1/episodes?state=nonsense").status_code == 400
