"""The score of an anomaly again, from the stored readings and by the model that it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from anomalies import (
    checkpoints,
    fleet_rung,
    folding,
    gaps,
    predicted,
    predictions,
    regions,
    silence,
)
from anomalies.detection_policy import DetectionPolicy
from anomalies.familiar import look
from anomalies.familiar.look import Look
from anomalies.findings import CORE, Recomputed, fingerprint
from anomalies.machines import recomputing as of_machines
from anomalies.machines.findings import DETECTOR as JOINT
from anomalies.models import Anomaly, Rung
from anomalies.scoring import core_scores, decades_of
from anomalies.stretch import Limits, Stretch
from mlops import serving
from mlops.detectors import limits
from mlops.detectors.base import Detector
from mlops.detectors.local import Local
from mlops.detectors.statistical import Statistical
from sensors.models import Reading, SensorProfile
from sensors.series import to_datetime


class ReadingsDropped(Reading.DoesNotExist):
    """The readings that a score was computed from are past their retention."""

    def __init__(self, kept_from: datetime) -> None:
        super().__init__(
            "readings that it was computed from were dropped by retention; this sensor's are kept "
            f"from {kept_from:%Y-%m-%d %H:%M} UTC on"
        )


class AnotherCore(serving.Unavailable):
    """The core is not any more what it was when it gave a score."""


class UnknownDetector(serving.Unavailable):
    """Nothing here gives scores under that name."""


def recompute(anomaly: Anomaly) -> Recomputed:
    """Score the peak of an anomaly again.

    Raises serving.Unavailable or serving.Refused when the model it names cannot be had,
    ReadingsDropped when retention took a part of the readings, and Reading.DoesNotExist when they
    are gone.
    """
    kept_from = _kept_from(anomaly)
    if kept_from is not None and anomaly.peak < kept_from:
        raise ReadingsDropped(kept_from)
    if anomaly.rung == Rung.CHAMPION:
        return _by_rung(anomaly, kept_from)  # champions are named as they were trained
    try:
        judge = BY_DETECTOR[anomaly.detector]
    except KeyError:
        raise UnknownDetector(f"there is no detector {anomaly.detector}") from None
    return judge(anomaly, kept_from)


def _by_rung(anomaly: Anomaly, kept_from: datetime | None) -> Recomputed:
    champion = _champion(anomaly)
    policy = DetectionPolicy(**anomaly.receipt["policy"])
    stretch = _stretch(anomaly, policy, is_fixed=champion is not None)
    changed = _has_changed(anomaly, stretch)
    if changed and kept_from is not None and _begins_at(stretch, anomaly.sensor_id):
        raise ReadingsDropped(kept_from)
    looked = Look.of(anomaly.receipt.get("look"))
    return Recomputed(look.score_again(stretch, anomaly.rung, champion, policy, looked), changed)


def _by_core(anomaly: Anomaly, kept_from: datetime | None) -> Recomputed:
    version = anomaly.receipt["core_version"]
    if version != folding.version():
        raise AnotherCore(
            f"it was judged by version {version} of the core, and this is {folding.version()}; "
            "`manage.py detect` scores the readings again"
        )
    policy = DetectionPolicy(**anomaly.receipt["policy"])
    stretch = _stretch(anomaly, policy, is_fixed=True)
    if kept_from is not None and not checkpoints.before(anomaly.sensor_id, anomaly.peak).rows:
        raise ReadingsDropped(kept_from)
    judged = checkpoints.judged_again(anomaly.sensor_id, stretch.series, stretch.first)
    scores = core_scores(folding.rarity(judged), decades_of(stretch, policy), policy)
    return Recomputed(float(scores[0]), _has_changed(anomaly, stretch))


def _of_machine(anomaly: Anomaly, kept_from: datetime | None) -> Recomputed:
    again = of_machines.recompute(anomaly, kept_from=kept_from)
    if again is None:
        raise ReadingsDropped(kept_from or anomaly.peak)
    return again


def _by_fleet(anomaly: Anomaly, kept_from: datetime | None) -> Recomputed:
    policy = DetectionPolicy(**anomaly.receipt["policy"])
    stretch = _stretch(anomaly, policy, is_fixed=True)
    score = fleet_rung.score_again(anomaly, stretch, decades_of(stretch, policy))
    if score is None:
        raise ReadingsDropped(kept_from or anomaly.peak)
    return Recomputed(score, _has_changed(anomaly, stretch))


def _of_silence(anomaly: Anomaly, _kept_from: datetime | None) -> Recomputed:
    return gaps.recompute(anomaly)


def _of_forecast(anomaly: Anomaly, _kept_from: datetime | None) -> Recomputed:
    return predictions.recompute(anomaly)


Judge = Callable[[Anomaly, datetime | None], Recomputed]
BY_DETECTOR: Mapping[str, Judge] = {
    limits.NAME: _by_rung,
    Statistical.name: _by_rung,
    Local.name: _by_rung,
    CORE: _by_core,
    fleet_rung.DETECTOR: _by_fleet,
    JOINT: _of_machine,
    silence.DETECTOR: _of_silence,
    predicted.DETECTOR: _of_forecast,
}
"""Every detector that gives anomalies their scores, champions aside."""


def _champion(anomaly: Anomaly) -> Detector | None:
    if anomaly.rung != Rung.CHAMPION or anomaly.model_version is None:
        return None
    return serving.load_detector(anomaly.model_name, anomaly.model_version)


def _stretch(anomaly: Anomaly, policy: DetectionPolicy, *, is_fixed: bool) -> Stretch:
    """The reading at the peak with its context. is_fixed: nothing is fitted on that."""
    return regions.single(
        anomaly.sensor_id,
        anomaly.peak,
        limits=Limits(**anomaly.receipt["limits"]),
        champion=is_fixed,
        policy=policy,
    )


def _has_changed(anomaly: Anomaly, stretch: Stretch) -> bool:
    digest: str = anomaly.receipt["window_sha256"]
    return fingerprint(stretch.series, stretch.first) != digest


def _kept_from(anomaly: Anomaly) -> datetime | None:
    profile = SensorProfile.objects.filter(sensor=anomaly.sensor_id).first()
    return profile.kept_from if profile else None


def _begins_at(stretch: Stretch, sensor_id: int) -> bool:
    """Whether the sensor has no reading before this stretch: it may be cut short."""
    first = to_datetime(stretch.series.times[0])
    return not len(Reading.objects.before(sensor_id, first, 1))
