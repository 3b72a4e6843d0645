"""Eight workers at one machine; a sensor that flaps all day. Real connections, real locks."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.utils import timezone

from anomalies.episodes import closing, placing
from anomalies.episodes.policy import EpisodePolicies
from anomalies.models import Anomaly, Episode, EpisodeEvent
from sensors.models import Asset
from tests.factories import NOW, make_asset, make_evidence, make_readings, make_scored, make_sensor

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS, ANOMALIES, SENSORS = 8, 100, 10
# Fifty in the full run: EPISODE_RACES=50.
RACES = int(os.environ.get("EPISODE_RACES", "3"))
SECOND = timedelta(seconds=1)


def in_threads(work: Callable[[int], None]) -> None:
    def closing_after(worker: int) -> None:
        try:
            work(worker)
        finally:
            connection.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(closing_after, range(WORKERS)))


def race(asset: Asset, seed: int) -> int:
    """All workers raise their share and place what they find; the sensor that moved first."""
    sensors = [make_sensor(asset=asset) for _ in range(SENSORS)]
    order = np.random.default_rng(seed).permutation(ANOMALIES)
    rule = EpisodePolicies()

    def work(worker: int) -> None:
        for number in order[worker::WORKERS].tolist():
            sensor = sensors[number % SENSORS]
            make_evidence(sensor=sensor, start=NOW + number * SECOND)
            placing.place_due(now=timezone.now(), policies=rule)

    in_threads(work)
    return sensors[0].pk


@pytest.mark.parametrize("seed", range(RACES))
def test_eight_workers_raise_a_hundred_anomalies_and_there_is_one_episode(seed: int) -> None:
    asset = make_asset()
    first = race(asset, seed)
    episode = Episode.objects.get()
    assert (episode.state, episode.first_sensor_id) == ("open", first)
    assert (episode.started_at, episode.sensors) == (NOW, SENSORS)
    assert episode.anomalies_count == ANOMALIES == Anomaly.objects.filter(episode=episode).count()
    assert not Anomaly.objects.awaiting_episode().exists()
    assert EpisodeEvent.objects.filter(kind="opened").count() == 1


def test_a_sensor_that_flaps_five_hundred_times_in_a_day_makes_one_episode() -> None:
    sensor = make_sensor(asset=make_asset())
    gap = timedelta(days=1) / 500
    make_readings(sensor, [40.0] * 1_440, until=NOW + timedelta(days=1))
    rule = EpisodePolicies()
    for number in range(500):
        at = NOW + number * gap
        make_evidence(sensor=sensor, start=at, end=at + 5 * SECOND)
        placing.place_due(now=at, policies=rule)
        if number % 10 == 0:
            make_scored(sensor, at + gap)
            closing.settle(now=at, policies=rule)
    episode = Episode.objects.get()
    assert (episode.state, episode.anomalies_count) == ("open", 500)
    assert list(episode.events.values_list("kind", flat=True)) == ["opened"]
