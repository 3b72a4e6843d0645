"""From a scored region to the anomalies it should hold: drafts, not yet rows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from anomalies import explanation, folding, judges
from anomalies.detection_policy import DetectionPolicy
from anomalies.explanation import Part
from anomalies.models import Anomaly
from anomalies.regions import Region
from anomalies.scored import CHAMPION, LIMITS, LOCAL, RUNGS, Range, Scored, ranges, severity
from anomalies.stretch import Stretch
from mlops import features
from mlops.detectors import fleet, limits, newcomer
from mlops.serving import Champion, NoChampion
from sensors.clocks import IntArray
from sensors.models import Sensor
from sensors.presentation import zone_of
from sensors.series import FloatArray, Series, to_datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """An anomaly as detection sees it now. asset_id: of a machine as a whole."""

    sensor_id: int
    start: datetime
    peak: datetime
    end: datetime
    readings: int
    score: float
    severity: int
    nature: str
    detector: str
    model_name: str
    model_version: int | None
    rung: str
    observed: float
    expected_low: float | None
    expected_high: float | None
    explanation: dict[str, Any]
    receipt: dict[str, Any]
    is_open: bool = False
    asset_id: int | None = None

    def fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in DRAFT_FIELDS}

    @classmethod
    def of(cls, anomaly: Anomaly) -> Draft:
        """The draft that would make this anomaly again."""
        return cls(**{name: getattr(anomaly, name) for name in DRAFT_FIELDS})


@dataclass(frozen=True, slots=True)
class Recomputed:
    """An anomaly's score computed again. readings_changed: its window is not what it was."""

    score: float
    readings_changed: bool


CORE = folding.CORE.name
_BY_FLEET = tuple(f"{fleet.NAME}.{name}" for name in newcomer.FEATURES)
DRAFT_FIELDS = tuple(Draft.__dataclass_fields__)
PEAK_FIELDS = tuple(name for name in DRAFT_FIELDS if name not in {"start", "end", "readings"})


@dataclass(frozen=True, slots=True)
class Finding:
    """A region that was scored: by what model, as far as one could be had, and by which policy."""

    region: Region
    scored: Scored
    served: Champion | NoChampion
    policy: DetectionPolicy


def drafts_of(findings: Sequence[Finding]) -> list[list[Draft]]:
    """The anomalies of each region, oldest first; the first may continue `region.prefix`.

    What explains them is asked of each model once, for all regions together.
    """
    found = [ranges(one.scored.scores, one.policy) for one in findings]
    told = [_by_judge(one.scored, own) for one, own in zip(findings, found, strict=True)]
    shares = judges.shares([(one.scored, rows) for one, rows in zip(findings, told, strict=True)])
    return [
        _drafts(one, own, dict(zip(rows.tolist(), each, strict=True)))
        for one, own, rows, each in zip(findings, found, told, shares, strict=True)
    ]


Shares = Mapping[int, FloatArray]
"""Of a row, to which features the judge's score is owed: shape (d,)."""


def _by_judge(scored: Scored, found: Sequence[Range]) -> IntArray:
    """The peaks of which the judge of their features has to say why, shape (k,)."""
    return np.array([one.peak for one in found if scored.is_by_judge(one.peak)], np.int64)


def _drafts(one: Finding, found: Sequence[Range], shares: Shares) -> list[Draft]:
    drafts = [_draft(one, own, shares) for own in found]
    before, rows = one.region.prefix, one.region.prefix_rows
    if before is not None and found and rows + found[0].start <= one.policy.merge_gap_rows:
        drafts[0] = _joined(before, rows, found[0], drafts[0])
    return drafts


def _joined(prefix: Anomaly, prefix_rows: int, found: Range, draft: Draft) -> Draft:
    """The prefix and the range that continues it as one anomaly; the earlier peak wins a tie."""
    source = prefix if prefix.score >= draft.score else draft
    peak = {name: getattr(source, name) for name in PEAK_FIELDS}
    readings = prefix.readings + prefix_rows + found.end
    return _worded(
        Draft(start=prefix.start, end=draft.end, readings=readings, **peak), prefix.sensor
    )


def _draft(one: Finding, found: Range, shares: Shares) -> Draft:
    region, scored, served, policy = one.region, one.scored, one.served, one.policy
    peak = found.peak
    said = _said(scored, peak, region.stretch, shares)
    name, version = _model_of(scored, peak, served)
    low, high = _expected(region, scored, peak, policy)
    return _worded(
        Draft(
            sensor_id=region.sensor.pk,
            start=to_datetime(region.stretch.times[found.start]),
            peak=to_datetime(region.stretch.times[peak]),
            end=to_datetime(region.stretch.times[found.end]),
            readings=found.end - found.start + 1,
            score=float(scored.scores[peak]),
            severity=severity(float(scored.scores[peak])),
            nature=said.nature,
            detector=said.detector,
            model_name=name,
            model_version=version,
            rung=RUNGS[scored.rungs[peak]],
            observed=float(region.stretch.values[peak]),
            expected_low=low,
            expected_high=high,
            explanation={
                "contributions": said.contributions,
                "rung_reason": served.reason,
            },
            receipt=_receipt(region, scored, peak, policy),
        ),
        region.sensor,
    )


def _model_of(scored: Scored, peak: int, served: Champion | NoChampion) -> tuple[str, int | None]:
    """Name and version of what was learnt from other sensors, if that gave the score."""
    if (own := scored.by_fleet(peak)) is not None:
        return own.name, own.version
    if scored.rungs[peak] == CHAMPION and isinstance(served, Champion):
        return served.name, served.version
    return "", None


def _expected(
    region: Region, scored: Scored, peak: int, policy: DetectionPolicy
) -> tuple[float | None, float | None]:
    """Of the first readings of a sensor of which nothing is known nothing was to be expected."""
    if (own := scored.by_fleet(peak)) is not None:
        return float(own.judged.low[peak]), float(own.judged.high[peak])
    at = region.stretch.first + peak
    return region.stretch.expected(at) if at >= policy.statistical_rows else (None, None)


@dataclass(frozen=True, slots=True)
class _Said:
    """What the detector that gave the peak score says of it."""

    detector: str
    nature: str
    contributions: list[Part]


def _said(scored: Scored, peak: int, stretch: Stretch, shares: Shares) -> _Said:
    if scored.is_by_core(peak) and scored.core is not None:
        rarities = scored.core.rarities[peak]
        by_view = folding.CORE.views.contributions(rarities[np.newaxis])[0]
        names = tuple(f"{CORE}.{name}" for name in folding.CORE.features_)
        return _Said(CORE, "machine", explanation.contributions(by_view, rarities, names))
    if (own := scored.by_fleet(peak)) is not None:
        by_fleet = own.judged.contributions(peak)
        parts = explanation.contributions(by_fleet, own.judged.X[peak], _BY_FLEET)
        return _Said(fleet.NAME, fleet.nature(by_fleet), parts)
    if scored.rungs[peak] == LIMITS:
        nature = "instrument" if scored.physical[peak] else "machine"
        return _Said(limits.NAME, nature, _crossed(stretch, stretch.first + peak))
    judge, by_feature = scored.judge_of(peak), shares[peak]
    parts = explanation.contributions(by_feature, scored.features[peak])
    return _Said(judge.name, features.nature(by_feature), parts)


def _crossed(stretch: Stretch, at: int) -> list[Part]:
    """Of a score that a limit gave: that limit alone. Its features may say nothing yet."""
    name, excess = limits.crossed(float(stretch.series.values[at]), *astuple(stretch.limits))
    return [explanation.part(f"limit.{name}", 1.0, excess)]


def _worded(draft: Draft, sensor: Sensor) -> Draft:
    expected = None
    if draft.expected_low is not None and draft.expected_high is not None:
        expected = (draft.expected_low, draft.expected_high)
    zone = zone_of(sensor.site.timezone)
    facts = explanation.Facts(
        name=sensor.external_id,
        unit=sensor.unit,
        observed=draft.observed,
        expected=expected,
        start=draft.start.astimezone(zone),
        end=draft.end.astimezone(zone),
    )
    text = explanation.sentence(facts, draft.explanation["contributions"])
    fields = draft.fields() | {"explanation": draft.explanation | {"sentence": text}}
    return Draft(**fields)


def _receipt(region: Region, scored: Scored, peak: int, policy: DetectionPolicy) -> dict[str, Any]:
    """What a later computation needs to give the same score, and can be checked against."""
    at = region.stretch.first + peak
    return {
        "policy": policy.as_dict(),
        "limits": asdict(region.stretch.limits),
        "features": list(features.FEATURES),
        "context_rows": features.CONTEXT_ROWS,
        "window_sha256": fingerprint(region.stretch.series, at),
        "local_model": bool(scored.rungs[peak] == LOCAL),
        "core_version": folding.version() if scored.is_by_core(peak) else "",
        "look": scored.looks[peak].as_dict() if peak in scored.looks else None,
    }


def fingerprint(series: Series, row: int) -> str:
    """SHA-256 over the times and values that the score of a row was computed from."""
    window = series[max(0, row - features.CONTEXT_ROWS + 1) : row + 1]
    digest = hashlib.sha256(window.times.astype("datetime64[us]").tobytes())
    digest.update(np.ascontiguousarray(window.values, "<f8").tobytes())
    return digest.hexdigest()
