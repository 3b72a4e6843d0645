"""Anomalies of every detector, of every sort of fault of an instrument, and in every circumstance
that a score is computed in: how each comes about on the production path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from anomalies import predictions
from anomalies.detection_policy import DetectionPolicy
from anomalies.models import Anomaly, NatureSort, Verdict
from anomalies.review import review
from mlops import artifacts, serving
from mlops.detectors.base import Detector
from mlops.detectors.classified import Classified
from mlops.detectors.fitted import CANDIDATES, Fitted
from mlops.features import FEATURES, NOTABLE
from mlops.forecasting.policy import parse
from mlops.serving import Champion
from sensors import states
from sensors.generator import Stream
from sensors.generator.machines import machine
from sensors.models import Sensor
from sensors.series import FloatArray, TimeArray, to_datetime, to_datetime64
from tests.anomalies import production, recruits
from tests.anomalies.calendar import post
from tests.anomalies.machines.makers import found_of, in_order
from tests.anomalies.silence.speaking import keep_watch, past, speak
from tests.factories import make_asset, make_person, make_sensor
from tests.mlops.makers import fitted, healthy_features

NOW = datetime(2026, 3, 2, tzinfo=UTC)
UNTIL = np.datetime64("2026-03-01T00:00", "us")
STEP = timedelta(minutes=10)
POLICY = DetectionPolicy()
LABELLED = "random_forest"  # a champion that was shown faults


@dataclass(frozen=True, slots=True)
class Case:
    """made: what was found; rung: which one gave the score that the case is about."""

    rung: str
    made: Callable[[pytest.MonkeyPatch], list[Anomaly]]


def standing() -> list[Anomaly]:
    return list(Anomaly.objects.standing().order_by("start", "pk"))


def calm(n: int, seed: int = 3) -> FloatArray:
    return np.random.default_rng(seed).normal(40, 1, n).round(2)


def spiked(n: int, size: float = 15.0) -> FloatArray:
    """n readings, of which one of the last leaps."""
    values = calm(n)
    values[-9] += size
    return values


def kept(sensor: Sensor, values: FloatArray, policy: DetectionPolicy = POLICY) -> list[Anomaly]:
    """Every ten minutes, the last one at NOW."""
    post(sensor, times_of(len(values)), values)
    production.drain(now=NOW, policy=policy)
    return standing()


def times_of(n: int) -> TimeArray:
    return to_datetime64(NOW) - np.timedelta64(10, "m") * np.arange(n)[::-1]


# --- by detector ----------------------------------------------------------------------------------


def by_limits(_: pytest.MonkeyPatch) -> list[Anomaly]:
    return kept(make_sensor(kind="pressure", alarm_high=25.0), np.array([26.0]))


def by_statistics(_: pytest.MonkeyPatch) -> list[Anomaly]:
    return kept(make_sensor(kind="pressure"), spiked(120))


def by_fleet(_: pytest.MonkeyPatch) -> list[Anomaly]:
    """Of a sensor that jumps with its twentieth reading."""
    site = recruits.fleet()
    recruits.learn()
    recruits.store(recruits.newcomer(site), np.arange(70))
    recruits.drain()
    return standing()


def by_local_model(_: pytest.MonkeyPatch) -> list[Anomaly]:
    values = spiked(400)
    values[300:340] += 8
    return kept(make_sensor(kind="pressure"), values)


def by_core(_: pytest.MonkeyPatch) -> list[Anomaly]:
    """Low enough that it speaks of what no rung finds odd."""
    return kept(make_sensor(kind="pressure"), spiked(900), replace(POLICY, core_rarity=1.2))


def by_machine(_: pytest.MonkeyPatch) -> list[Anomaly]:
    return found_of(in_order(replace(POLICY, false_alarms=20.0))[0])


def by_silence(_: pytest.MonkeyPatch, expected_interval_s: float | None = None) -> list[Anomaly]:
    """One that has ended, and one that goes on."""
    sensor = make_sensor(kind="pressure", expected_interval_s=expected_interval_s)
    speak(sensor, past())
    keep_watch(10)
    speak(sensor, [12, 13, 14])
    keep_watch(25, since=14)
    found = list(Anomaly.objects.silences())
    assert {one.is_open for one in found} == {True, False}
    return found


def by_forecast(_: pytest.MonkeyPatch) -> list[Anomaly]:
    """It rises by 2 a day and meets its limit tomorrow."""
    sensor = make_sensor(kind="temperature", unit="°C", alarm_high=61.0)
    hours = np.arange(240)
    rising = 40 + hours / 12 + np.sin(2 * np.pi * hours / 24) + 0.2 * (calm(240) - 40)
    post(sensor, to_datetime64(NOW) - np.timedelta64(1, "h") * hours[::-1], rising)
    policy = parse({"forecasters": ["seasonal_naive", "linear"]})
    known = Sensor.objects.select_related("site", "profile").get(pk=sensor.pk)
    list(predictions.run([known], policy=policy, now=NOW + timedelta(hours=1)))
    return standing()


@cache
def champion(name: str) -> Detector:
    """As it is served: packed, and read again."""
    detector = labelled() if name == LABELLED else fitted(name)
    found = artifacts.unpack(artifacts.pack(detector))
    assert isinstance(found, Fitted | Classified)
    return found if isinstance(found, Classified) else found.in_arrays() or found


def labelled() -> Classified:
    usual = healthy_features()
    odd = usual + 4 * np.eye(len(FEATURES))[np.arange(len(usual)) % len(FEATURES)] * [
        NOTABLE[name] for name in FEATURES
    ]
    model = RandomForestClassifier(20, random_state=0)
    model.fit(np.concatenate([usual, odd]), np.repeat([0, 1], len(usual)))
    return Classified(LABELLED, model)


def by_champion(patch: pytest.MonkeyPatch, name: str) -> list[Anomaly]:
    """The registry is the border where a fake stands."""
    served = Champion("anomaly-pressure", 1, champion(name))
    patch.setattr(serving, "champions_for", lambda sensors: {pk: served for pk, _ in sensors})
    patch.setattr(serving, "load_detector", lambda *_: champion(name))
    values = spiked(400, size=40.0)
    values[340:380] = 90 + 30 * (calm(40, seed=1) - 40)
    return kept(
        make_sensor(kind="pressure"), values, replace(POLICY, false_alarms=20.0, core_rarity=9.0)
    )


DETECTORS: Mapping[str, Case] = {
    "limits": Case("limits", by_limits),
    "fleet": Case("fleet", by_fleet),
    "statistical": Case("statistical", by_statistics),
    "local": Case("local", by_local_model),
    "core": Case("statistical", by_core),
    "joint": Case("statistical", by_machine),
    "silence": Case("statistical", by_silence),
    "forecast": Case("local", by_forecast),
} | {name: Case("champion", partial(by_champion, name=name)) for name in (*CANDIDATES, LABELLED)}


# --- by sort of fault -----------------------------------------------------------------------------


def impossible(_: pytest.MonkeyPatch) -> list[Anomaly]:
    return kept(make_sensor(kind="pressure", physical_max=60.0), spiked(50, size=40.0))


def saturated(_: pytest.MonkeyPatch) -> list[Anomaly]:
    """Higher than ever, and half of its readings end at a bound."""
    values = calm(700)
    values[-40:] = np.minimum(52 + 2 * (values[-40:] - 40), 52.0)
    return kept(make_sensor(kind="pressure"), values)


def on_machine(_: pytest.MonkeyPatch, sort: str, *, twin: bool = False) -> list[Anomaly]:
    """A fault of a generated machine; kept are its faulty sensors, and those of the same kind."""
    asset, streams = make_asset(), machine(sort, seed=132, until=UNTIL).streams
    kinds = {stream.kind for stream in streams if stream.faults and twin}
    for stream in streams:
        if stream.faults or stream.kind in kinds:
            commit_stream(make_sensor(asset=asset, kind=stream.kind), stream)
    production.drain(now=NOW, policy=POLICY)
    return standing()


def commit_stream(sensor: Sensor, stream: Stream) -> None:
    times, values = stream.in_event_order()
    production.commit(sensor, [to_datetime(time) for time in times], values)


SORTS: Mapping[str, Callable[[pytest.MonkeyPatch], list[Anomaly]]] = {
    NatureSort.OUT_OF_RANGE: impossible,
    NatureSort.CLOCK: partial(on_machine, sort="clock_error"),
    NatureSort.DROPOUT: partial(on_machine, sort="dropout"),
    NatureSort.SATURATION: saturated,
    NatureSort.STUCK: partial(on_machine, sort="stuck_value"),
    NatureSort.SPIKE: partial(on_machine, sort="spike"),
    NatureSort.CALIBRATION: partial(on_machine, sort="calibration_drift", twin=True),
    NatureSort.SILENCE: by_silence,
    NatureSort.TOGETHER: partial(on_machine, sort="surge"),
}


# --- by circumstance ------------------------------------------------------------------------------


def cycles(n: int = 672) -> FloatArray:
    """Five hours at 12 mm/s, three at rest, over and over; odd for the last ten readings of one."""
    phase = np.arange(n) % 48
    values = np.where(phase < 30, 12 + 0.5 * (calm(n) - 40), 0.3 + 0.02 * (calm(n) - 40))
    values[-100:-90] += 5.0
    return values.round(2)


def of_young_sensor(_: pytest.MonkeyPatch) -> list[Anomaly]:
    found = kept(make_sensor(kind="pressure"), spiked(120))
    assert any(one.receipt["look"]["young"] for one in found)
    return found


def of_a_mode(_: pytest.MonkeyPatch) -> list[Anomaly]:
    found = kept(make_sensor(kind="pressure"), cycles())
    assert any(one.receipt["look"] and one.receipt["look"]["modes"] for one in found)
    return found


def of_a_running_machine(_: pytest.MonkeyPatch) -> list[Anomaly]:
    asset, n = make_asset(), 672
    sensor = make_sensor(asset=asset, kind="pressure")
    for first in range(0, n, 48):
        for state, row in (("running", first), ("off", first + 30)):
            start = NOW - STEP * (n - 1 - row)
            states.tag(asset=asset, state=state, start=start, end=None, source="plc", now=NOW)
    return kept(sensor, cycles())


def behind_a_confirmed_fault(_: pytest.MonkeyPatch) -> list[Anomaly]:
    sensor, values = make_sensor(kind="pressure"), spiked(400)
    values[280:300] += 12
    first = kept(sensor, values)[0]
    person = make_person(sensor.site)
    review(anomaly=first, verdict=Verdict.CONFIRMED, note="", person=person, now=NOW)
    production.drain(now=NOW, policy=POLICY)
    return standing()


def goes_on_in_the_next_pass(_: pytest.MonkeyPatch) -> list[Anomaly]:
    sensor, values = make_sensor(kind="pressure"), calm(400)
    values[-30:] += np.linspace(10, 14, 30)
    for part in (slice(0, 380), slice(380, 400)):
        post(sensor, times_of(400)[part], values[part])
        production.drain(now=NOW, policy=POLICY)
    return standing()


CIRCUMSTANCES: Mapping[str, Callable[[pytest.MonkeyPatch], list[Anomaly]]] = {
    "young sensor": of_young_sensor,
    "mode": of_a_mode,
    "operating states": of_a_running_machine,
    "confirmed fault": behind_a_confirmed_fault,
    "two passes": goes_on_in_the_next_pass,
    "stated interval": partial(by_silence, expected_interval_s=60.0),
}
