"""Everything the page of an anomaly shows, put together from rows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.safestring import SafeString, mark_safe

from anomalies import bars, presentation
from anomalies.models import Anomaly, AnomalyRevision, Validation
from sensors.presentation import duration, local, number, quantity, span, zone_of

MOST_NEIGHBOURS = 50


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the score: share in 0..1, value as presentation.moved words it."""

    name: str
    feature: str
    share: float
    value: str

    @property
    def percent(self) -> str:
        return f"{self.share * 100:.0f}"


@dataclass(frozen=True, slots=True)
class Step:
    """A term of the confidence as a line of the waterfall."""

    source: str
    name: str
    reason: str
    value: str
    bar: SafeString


@dataclass(frozen=True, slots=True)
class Waterfall:
    steps: list[Step]
    confidence: float
    total: SafeString
    credible: float
    false_positive: float
    decision: str


def silent(anomaly: Anomaly) -> list[tuple[str, str]]:
    """Of a silence: what was missed, as (name, text)."""
    if not presentation.is_silence(anomaly):
        return []
    told = anomaly.explanation["silence"]
    zone = zone_of(anomaly.sensor.site.timezone)
    source = "stated for this sensor" if told["interval_stated"] else "as observed before"
    return [
        ("last seen", local(datetime.fromisoformat(told["last_seen"]), zone, seconds=True)),
        ("next due", local(anomaly.start, zone, seconds=True)),
        ("expected", f"{presentation.expected_every(anomaly)}, {source}"),
        ("silent for", f"{_seconds(told['silent_s'])}, {told['intervals_missed']:,} intervals"),
        ("waited for", _seconds(told["patience_s"])),
    ]


def _seconds(length: float) -> str:
    return duration(timedelta(seconds=length))


@dataclass(frozen=True, slots=True)
class Outage:
    """Sensors that fell silent together. leader: who is reviewed for this one, if it is another."""

    text: str
    leader: Anomaly | None
    followers: list[Anomaly]
    more: int


def outage(anomaly: Anomaly) -> Outage | None:
    """What a silence has in common with others; None for one of its own."""
    common = anomaly.explanation.get("common")
    if not common:
        return None
    rows = anomaly.followers.standing().select_related("sensor").order_by("sensor__external_id")
    shown = list(rows[: MOST_NEIGHBOURS + 1])
    return Outage(
        text=f"{common['silent']} of {common['of']} sensors of {common['name']} "
        "fell silent within the same minute.",
        leader=anomaly.follows,
        followers=shown[:MOST_NEIGHBOURS],
        more=rows.count() - MOST_NEIGHBOURS if len(shown) > MOST_NEIGHBOURS else 0,
    )


def parts(anomaly: Anomaly) -> list[Part]:
    """What the score is made of, largest first; what has no part worth naming is left out."""
    unit = anomaly.sensor.unit
    return [
        Part(
            name=presentation.FEATURES.get(str(part["feature"]), str(part["feature"])),
            feature=str(part["feature"]),
            share=float(part["share"]),
            value=presentation.moved(str(part["feature"]), float(part["value"]), unit),
        )
        for part in anomaly.explanation.get("contributions", [])
        if float(part["share"]) >= 0.01
    ]


def waterfall(validation: Validation | None) -> Waterfall | None:
    """The terms stacked up to the confidence, against the thresholds of the policy in force."""
    if validation is None:
        return None
    terms = validation.terms
    marks = [
        float(validation.policy.get(name, usual))
        for name, usual in (("false_positive_threshold", 0.4), ("credible_threshold", 0.7))
    ]
    spans = bars.waterfall([float(term["value"]) for term in terms])
    low = min([0.0, *(min(s) for s in spans)])
    high = max([1.0, *(max(s) for s in spans)])
    return Waterfall(
        steps=[
            Step(
                source=str(term["source"]),
                name=str(term["name"]).replace("_", " "),
                reason=str(term["reason"]),
                value=bars.signed(float(term["value"])),
                bar=_bar(begin, end, low, high, marks),
            )
            for term, (begin, end) in zip(terms, spans, strict=True)
        ],
        confidence=validation.confidence,
        total=_bar(0.0, validation.confidence, low, high, marks),
        false_positive=marks[0],
        credible=marks[1],
        decision=validation.get_decision_display(),
    )


def _bar(begin: float, end: float, low: float, high: float, marks: list[float]) -> SafeString:
    return mark_safe(bars.step_bar(begin, end, low, high, marks))  # noqa: S308  numbers only


def facts(anomaly: Anomaly) -> list[tuple[str, str]]:
    sensor = anomaly.sensor
    zone = zone_of(sensor.site.timezone)
    return [
        *_observed(anomaly),
        ("score", number(anomaly.score)),
        ("start", local(anomaly.start, zone, seconds=True)),
        *_course(anomaly),
        ("concerns", presentation.nature(anomaly).removeprefix("in ")),
        *([("because", anomaly.nature_reason)] if anomaly.nature_reason else []),
        ("detector", anomaly.detector),
        ("model", presentation.model(anomaly)),
        ("rung", f"{anomaly.rung}: {presentation.RUNGS.get(anomaly.rung, '')}"),
        *_why_not_higher(anomaly),
        ("detected", f"{local(anomaly.detected_at, zone)}{_lag(anomaly)}"),
        ("revision", str(anomaly.revision)),
    ]


def _observed(anomaly: Anomaly) -> list[tuple[str, str]]:
    unit = anomaly.sensor.unit
    if presentation.is_silence(anomaly):
        return [("last value", quantity(anomaly.observed, unit))]
    return [
        ("observed", quantity(anomaly.observed, unit)),
        ("expected", span(anomaly.expected_low, anomaly.expected_high, unit)),
    ]


def _course(anomaly: Anomaly) -> list[tuple[str, str]]:
    zone = zone_of(anomaly.sensor.site.timezone)
    end = local(anomaly.end, zone, seconds=True)
    lasted = duration(anomaly.end - anomaly.start)
    if presentation.is_silence(anomaly):
        return [("judged until", f"{end}, it goes on")] if anomaly.is_open else [("end", end)]
    if presentation.is_predicted(anomaly):
        return [("newest forecast", end)]
    return [
        ("peak", local(anomaly.peak, zone, seconds=True)),
        ("end", end),
        ("lasted", f"{lasted}, {anomaly.readings} readings"),
    ]


def _lag(anomaly: Anomaly) -> str:
    """How long after its end it was found; a silence is found while it goes on."""
    if presentation.is_silence(anomaly) or presentation.is_predicted(anomaly):
        return ""
    return f", {duration(max(anomaly.detected_at - anomaly.end, timedelta(0)))} after its end"


def _why_not_higher(anomaly: Anomaly) -> list[tuple[str, str]]:
    if presentation.is_silence(anomaly) or presentation.is_predicted(anomaly):
        return []
    lease = getattr(anomaly.sensor, "detection", None)
    reason = anomaly.explanation.get("rung_reason") or (lease.rung_reason if lease else "")
    return [("no higher rung", str(reason))] if reason and anomaly.rung != "champion" else []


def receipt(anomaly: Anomaly) -> str:
    return json.dumps(anomaly.receipt, indent=2, sort_keys=True)


def changes(revision: AnomalyRevision) -> list[tuple[str, str, str]]:
    """What a revision changed, as (field, before, after)."""
    before, after = revision.before or {}, revision.after or {}
    return [
        (name.replace("_", " "), _short(before.get(name)), _short(after.get(name)))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name) and name not in {"explanation", "receipt"}
    ]


def _short(value: object) -> str:
    if isinstance(value, float):
        return number(value)
    text = "–" if value in (None, "") else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
