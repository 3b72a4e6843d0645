"""One review, given by a person over the API as a browser or a phone would."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import requests
from django.contrib.auth import get_user_model

from anomalies.demo.progress import DemoError
from anomalies.models import Anomaly, Verdict
from sensors.models import Site

REVIEWER = "demo-reviewer"
TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The anomaly as the API gives it before and after the review."""

    before: dict[str, Any]
    after: dict[str, Any]


def review_one(
    *, base_url: str, sites: Iterable[Site], anomaly: Anomaly, verdict: Verdict
) -> Reviewed:
    """Sign in, read the anomaly, say the verdict, read it again. Raises DemoError."""
    token = _call("POST", f"{base_url}/api/v1/token", json=_new_reviewer(sites))["access"]
    bearer = {"Authorization": f"Bearer {token}"}
    address = f"{base_url}/api/v1/anomalies/{anomaly.pk}"
    before = _call("GET", address, headers=bearer)
    said = {"verdict": verdict.value, "note": "Looked at on site."}
    _call("POST", f"{address}/review", headers=bearer, json=said)
    return Reviewed(before, _call("GET", address, headers=bearer))


def _new_reviewer(sites: Iterable[Site]) -> dict[str, str]:
    """A member of the sites with a password nobody else knows."""
    password = secrets.token_urlsafe(24)
    person, _ = get_user_model().objects.get_or_create(username=REVIEWER)
    person.set_password(password)
    person.save()
    for site in sites:
        site.members.add(person)
    return {"username": REVIEWER, "password": password}


def _call(method: str, url: str, **options: Any) -> dict[str, Any]:
    answer = requests.request(method, url, timeout=TIMEOUT_S, **options)
    if not answer.ok:
        raise DemoError(f"{method} {url} answered {answer.status_code}: {answer.text[:500]}")
    found: dict[str, Any] = answer.json()
    return found
