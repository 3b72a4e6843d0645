"""From judged rows of a machine to the anomalies they should hold: drafts, not yet rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np

from anomalies.detection_policy import DetectionPolicy
from anomalies.findings import Draft
from anomalies.machines import fold, wording
from anomalies.machines.alarms import merge_gap_rows, scores_of
from anomalies.machines.fold import Judged
from anomalies.machines.grid import Era
from anomalies.machines.wording import Facts, Seen
from anomalies.models import Nature, Rung
from anomalies.scored import Range, ranges, severity
from mlops.detectors.streaming.contract import LARGEST
from sensors.models import Asset, Sensor
from sensors.presentation import zone_of
from sensors.series import FloatArray, to_datetime

DETECTOR = "joint"


def drafts_of(
    asset: Asset, sensors: Mapping[int, Sensor], judged: Judged, policy: DetectionPolicy
) -> list[Draft]:
    """The anomalies of rows that follow one another, oldest first."""
    scores = scores_of(judged, policy)
    joining = replace(policy, merge_gap_rows=merge_gap_rows(judged.era, policy))
    return [
        _draft(asset, sensors, judged, found, float(scores[found.peak]), policy)
        for found in ranges(scores, joining)
    ]


def _draft(
    asset: Asset,
    sensors: Mapping[int, Sensor],
    judged: Judged,
    found: Range,
    score: float,
    policy: DetectionPolicy,
) -> Draft:
    era = judged.era
    seen = _seen(judged, found, sensors)
    leader = max(seen, key=lambda one: one.share)
    start, end = to_datetime(judged.times[found.start]), _end_of(judged, found.end)
    zone = zone_of(asset.site.timezone)
    facts = Facts(asset.name, start.astimezone(zone), end.astimezone(zone), tuple(seen))
    return Draft(
        sensor_id=leader.sensor,
        asset_id=asset.pk,
        start=start,
        peak=to_datetime(judged.times[found.peak]),
        end=end,
        readings=found.end - found.start + 1,
        score=score,
        severity=severity(score),
        nature=Nature.MACHINE.value,
        detector=DETECTOR,
        model_name="",
        model_version=None,
        rung=Rung.STATISTICAL.value,
        observed=leader.observed,
        expected_low=leader.low,
        expected_high=leader.high,
        explanation=wording.explanation(facts, era.step_s, era.fold.window_rows),
        receipt=receipt(era, policy, judged.digest(found.peak)),
    )


def receipt(era: Era, policy: DetectionPolicy, digest: str) -> dict[str, Any]:
    """What a later computation needs to give the same score."""
    return {
        "policy": policy.as_dict(),
        "grid": {
            "begin": str(era.begin),
            "step_s": era.step_s,
            "sensors": list(era.sensors),
            "zone": era.zone,
        },
        "core_version": era.version,
        "window_sha256": digest,
    }


def era_of(receipt: Mapping[str, Any]) -> Era:
    grid = receipt["grid"]
    begin, zone = np.datetime64(grid["begin"], "us"), grid.get("zone", "UTC")
    return Era(begin, grid["step_s"], tuple(grid["sensors"]), zone)


def _seen(judged: Judged, found: Range, sensors: Mapping[int, Sensor]) -> list[Seen]:
    """Each sensor at the peak, in the order in which they moved."""
    told, parts = judged.told(found.peak), judged.parts[found.peak]
    shares = parts / fold.rarity(parts[np.newaxis])[0]
    moved = _moved(judged.parts[found.start : found.peak + 1])
    rows = [
        Seen(
            sensor=number,
            name=sensors[number].external_id,
            unit=sensors[number].unit,
            share=float(shares[column]),
            observed=float(told.observed[column]),
            low=float(np.clip(told.low[column], -LARGEST, LARGEST)),
            high=float(np.clip(told.high[column], -LARGEST, LARGEST)),
            moved_at=to_datetime(judged.times[found.start + moved[column]]),
        )
        for column, number in enumerate(judged.era.sensors)
        if np.isfinite(told.observed[column])
    ]
    return sorted(rows, key=lambda one: (one.moved_at, -one.share, one.sensor))


def _moved(parts: FloatArray) -> list[int]:
    """The row, of those from the start to the peak, in which each sensor first had half of the part
    that it has at the peak.

    >>> _moved(np.array([[0.0, 3.0], [1.0, 4.0], [8.0, 4.0]]))
    [2, 0]
    """
    return [int(np.argmax(column >= column[-1] / 2)) for column in parts.T]


def _end_of(judged: Judged, row: int) -> datetime:
    """The last instant of a row."""
    return to_datetime(judged.times[row] + judged.era.step - np.timedelta64(1, "us"))
