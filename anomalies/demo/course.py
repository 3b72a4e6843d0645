"""The steps of the demo, in order. Each goes the way production goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import redis
import requests
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from anomalies.demo.progress import DemoError, Progress, wait_until
from anomalies.models import Anomaly
from mlops.models import Promotion
from sensors import keys, seeding
from sensors.generator import Fleet, generate
from sensors.generator.rows import Row, in_batches, posted_rows
from sensors.models import IngestKey, ScoringNote, Site
from sensors.posting import Poster, PostRefusedError
from sensors.series import to_datetime64

BATCHES_PER_SITE = 24
WEB_LIMIT_S, SCORING_LIMIT_S = 60.0, 240.0
# What judges the readings and the anomalies of this fleet; `train all` takes some minutes more.
PIPELINES = ("synthetic-validation", "anomaly")


@dataclass(frozen=True, slots=True)
class Setting:
    """Where the demo runs and with what. base_url: of the web process."""

    base_url: str
    seed: int
    wipe: bool
    now: datetime


def seed_history(where: Setting, progress: Progress) -> tuple[Fleet, dict[str, Site]]:
    """The fleet with its healthy history; one of an earlier run makes room."""
    with progress.step(f"seed the history of fleet {where.seed}"):
        seeding.reset()
        until = seeding.floor_to_interval(where.now)
        fleet = generate(where.seed, to_datetime64(until))
        sites = seeding.create_fleet(fleet=fleet, until=until)
        totals = seeding.write(fleet=fleet, sites=sites, held_back=False, now=where.now)
        progress.say(f"  {totals['accepted']:,} readings of {len(fleet.streams)} sensors")
    return fleet, sites


def await_web(where: Setting, progress: Progress) -> None:
    with progress.step(f"wait for {where.base_url}"):
        wait_until(
            lambda: _answers(f"{where.base_url}/livez"),
            what=f"{where.base_url}/livez answers",
            limit_s=WEB_LIMIT_S,
        )


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def await_scoring(progress: Progress, *, what: str, held: bool) -> None:
    """Until the worker and the scheduler have seen to everything; they are not helped.

    held: also wait for what waits for a champion to come back.
    """
    with progress.step(f"wait until {what} is scored and validated"):
        notes = ScoringNote.objects.all() if held else ScoringNote.objects.open()
        wait_until(
            lambda: not notes.exists() and not Anomaly.objects.awaiting_validation().exists(),
            what=f"{what} is scored and validated",
            limit_s=SCORING_LIMIT_S,
        )


def train(progress: Progress) -> None:
    """Train what this fleet needs; the best model of each kind becomes its champion."""
    with progress.step("train, register and promote"):
        for pipeline in PIPELINES:
            call_command("train", pipeline, stdout=progress)
    champions = Promotion.objects.values_list("name", flat=True).distinct()
    if not champions:
        raise DemoError("Training made no champion.")
    progress.say(f"  champions: {', '.join(sorted(set(champions)))}")


def post_held_back(
    where: Setting, fleet: Fleet, sites: dict[str, Site], progress: Progress
) -> None:
    """The period with the faults over HTTP, in the order it was measured, site by site in turn."""
    issued = [
        keys.issue(site=site, name="demo", scopes=[IngestKey.Scope.WRITE])
        for site in sites.values()
    ]
    posters = {key.site.slug: Poster(where.base_url, secret) for key, secret in issued}
    batches = {slug: batches_of(fleet, slug) for slug in sites}
    turns = max(len(of_site) for of_site in batches.values())
    with progress.step("post the held-back period"):
        for turn in range(turns):
            for slug, poster in posters.items():
                _post(poster, batches[slug][turn : turn + 1], progress)
            if where.wipe and turn == turns // 2:
                _wipe_redis(progress)
    for key, _ in issued:
        keys.revoke(key, now=timezone.now())


def batches_of(fleet: Fleet, slug: str) -> list[Sequence[Row]]:
    """The held-back readings of a site in the order they were sent, in equal parts."""
    streams = [stream for stream in fleet.streams if stream.site == slug]
    rows = posted_rows(streams, history=False, held_back=True)
    return list(in_batches(rows, -(-len(rows) // BATCHES_PER_SITE)))


def _post(poster: Poster, batches: Sequence[Sequence[Row]], progress: Progress) -> None:
    for rows in batches:
        try:
            receipt = poster.post(rows)
        except PostRefusedError as error:
            raise DemoError(str(error)) from error
        if receipt["quarantined"]:
            progress.say(f"  {receipt['quarantined']} quarantined: {receipt['errors'][:3]}")


def _wipe_redis(progress: Progress) -> None:
    """Everything of this run's database, with whatever jobs wait there."""
    store = redis.Redis.from_url(settings.REDIS_URL)
    keys_there = store.dbsize()
    store.flushdb()
    progress.say(f"  Redis wiped in the middle of it: {keys_there} keys")
