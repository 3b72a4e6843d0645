"""Sensors that are judged together are judged as each alone, and each model is asked once."""

from __future__ import annotations

from collections import Counter
from typing import Self

import numpy as np

from anomalies.detection_policy import DetectionPolicy
from anomalies.familiar import look
from anomalies.familiar.look import Asked, Past
from anomalies.findings import Finding, drafts_of
from anomalies.regions import Region
from anomalies.scored import Scored
from anomalies.scoring import score_stretches
from anomalies.stretch import Limits, Stretch
from mlops.detectors.base import Detector
from mlops.features import FEATURES
from mlops.serving import Champion
from sensors.models import Sensor, Site
from sensors.series import FloatArray, Series, to_datetime
from tests.mlops.makers import fitted

POLICY = DetectionPolicy()
STEP = np.timedelta64(10, "m")
N = 700


class Counting:
    """A champion that remembers how often it was asked."""

    name = "isolation_forest"
    features_ = FEATURES

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._own = fitted(self.name).in_arrays() or fitted(self.name)

    def fit(self, X: FloatArray) -> Self:
        self._own.fit(X)
        return self

    def score(self, X: FloatArray) -> FloatArray:
        self.calls["score"] += 1
        return self._own.score(X)

    def contributions(self, X: FloatArray) -> FloatArray:
        self.calls["contributions"] += 1
        return self._own.contributions(X)


def stretches() -> list[Stretch]:
    """Three that leave their level for a while, one on its first day; and one that does not."""
    found = []
    for seed, odd in enumerate([500, 600, 100, N]):
        values = np.random.default_rng(seed).normal(40, 1, N).round(2)
        values[odd : odd + 12] += 20.0
        times = np.datetime64("2026-03-01", "us") + STEP * np.arange(N)
        found.append(Stretch(Series(times, values, np.ones(N)), 0, Limits()))
    return found


def looked(some: list[Stretch], champion: Detector) -> list[Scored]:
    scored = score_stretches(some, champion, POLICY)
    pasts = [Past.of(one.series, only_rises=True) for one in some]
    return look.look_again([Asked(*each, POLICY) for each in zip(some, scored, pasts, strict=True)])


def region(pk: int, stretch: Stretch) -> Region:
    sensor = Sensor(pk=pk, external_id=f"s{pk}", site=Site(name="here", timezone="UTC"))
    first, last = to_datetime(stretch.times[0]), to_datetime(stretch.times[-1])
    return Region(sensor, stretch, first, last, (), None, 0, None)


def findings(some: list[Stretch], champion: Detector) -> list[Finding]:
    served = Champion("anomaly-other", 1, champion)
    return [
        Finding(region(pk, stretch), scored, served, POLICY)
        for pk, (stretch, scored) in enumerate(zip(some, looked(some, champion), strict=True))
    ]


def test_a_champion_is_asked_once_for_all_sensors_of_a_pass() -> None:
    champion = Counting()
    found = drafts_of(findings(stretches(), champion))
    assert [bool(drafts) for drafts in found] == [True, True, False, False]
    # For all rows, and for those that were looked at otherwise; which are odd, and why at peaks.
    assert champion.calls == {"score": 2, "contributions": 2}


def test_sensors_together_are_scored_and_explained_as_each_alone_to_the_bit() -> None:
    champion, some = Counting(), stretches()
    together = findings(some, champion)
    alone = [findings([one], champion)[0] for one in some]
    assert any(one.scored.looks for one in together)
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.scored.scores, other.scored.scores)
        assert one.scored.looks == other.scored.looks
    for pk, (one, drafts) in enumerate(zip(alone, drafts_of(together), strict=True)):
        lone = Finding(region(pk, one.region.stretch), one.scored, one.served, POLICY)
        assert drafts == drafts_of([lone])[0]


def test_no_sensors_are_asked_about_nothing() -> None:
    assert drafts_of([]) == []
    assert look.look_again([]) == []
