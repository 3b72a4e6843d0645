"""How an anomaly is written in lists and on its page: rows in, words and safe HTML out."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.html import format_html
from django.utils.safestring import SafeString

from anomalies import predicted, silence
from anomalies.models import Anomaly
from sensors.admin import cells
from sensors.presentation import age, duration, local, number, quantity, span, zone_of

SEVERITIES = {1: "slight", 2: "minor", 3: "moderate", 4: "serious", 5: "critical"}
STATUSES = {
    "credible_anomaly": ("credible", "badge-bad", "The validation agent believes it."),
    "further_investigation_needed": (
        "investigate",
        "badge-warn",
        "The evidence decides neither way: a person should look.",
    ),
    "false_positive_suspected": (
        "probably false",
        "badge-dim",
        "The validation agent does not believe it.",
    ),
    "": ("not validated yet", "badge-note", "The validation agent has not come to it."),
}
DECISIONS = {
    "insufficient_data": "too little history to judge it",
    "validation_error": "judging it failed; the reason is among the terms",
}
VERDICTS = {
    "confirmed": ("confirmed", "badge-good"),
    "false_positive": ("false positive", "badge-dim"),
    "unsure": ("unsure", "badge-warn"),
    "": ("awaiting review", "badge-note"),
}
NATURES = {
    "machine": "the machine",
    "instrument": "the sensor",
    "predicted": "what the machine is heading for",
}
RUNGS = {
    "limits": "limits set for the sensor",
    "fleet": "what sensors like it have in common",
    "statistical": "the sensor's own statistics",
    "local": "a model of the sensor's own history",
    "champion": "the champion model of its kind",
}
FEATURES = {
    "z": "value against its usual level",
    "level": "recent level against the usual one",
    "novelty": "a value not seen before",
    "spike": "jump from the readings just before",
    "spread": "scatter against the usual",
    "slope": "drift",
    "season": "value against the same time on other days",
    "season_level": "level against the same time on other days",
    "flat": "repeats the same value",
    "gap": "missing readings",
    "rhythm": "readings out of rhythm",
    "core.value": "rarity of the value in all of its past",
    "core.level": "rarity of the recent level",
    "core.daytime": "rarity of the value at this time of day",
    "core.shape": "rarity of the recent course",
    "core.step": "rarity of the latest step",
    "limit.alarm_low": "below its alarm limit",
    "limit.alarm_high": "above its alarm limit",
    "limit.physical_min": "below what is physically possible",
    "limit.physical_max": "above what is physically possible",
    "silence": "time without a reading, in times it was waited for",
    "forecast.present": "where it is now, against the limit",
    "forecast.course": "where it is going from there",
    "fleet.place": "value among the levels of sensors like it",
    "fleet.spike": "jump from the readings just before",
    "fleet.shift": "level against shortly before",
    "fleet.level": "level against all that was before",
    "fleet.spread": "scatter against that of sensors like it",
    "fleet.flat": "doublings of the run of identical values",
}
IN_UNIT = ("limit.", "forecast.")  # features whose value is in the sensor's unit


def severity(level: int) -> SafeString:
    return format_html(
        '<span class="severity severity-{}" title="severity {} of 5"><b>{}</b> {}</span>',
        level,
        level,
        level,
        SEVERITIES.get(level, ""),
    )


def status(anomaly: Anomaly) -> SafeString:
    """What is published, and where that hides a decision, the decision."""
    name, style, meaning = STATUSES.get(anomaly.status, STATUSES[""])
    return cells.badge(name, style, title=DECISIONS.get(anomaly.decision, meaning))


def published(name: str) -> SafeString:
    """A published status by its name."""
    text, style, meaning = STATUSES.get(name, STATUSES[""])
    return cells.badge(text, style, title=meaning)


def verdict(name: str) -> SafeString:
    text, style = VERDICTS.get(name, VERDICTS[""])
    return cells.badge(text, style)


def standing(anomaly: Anomaly) -> SafeString | str:
    if anomaly.withdrawn_at is None:
        return ""
    return cells.badge("withdrawn", "badge-dim", title="later readings took it back")


def going_on(anomaly: Anomaly) -> SafeString | str:
    if not anomaly.is_open:
        return ""
    return cells.badge("silent now", "badge-warn", title="Nothing was measured since.")


def began(anomaly: Anomaly) -> str:
    """The start on the site's clock."""
    return local(anomaly.start, zone_of(anomaly.sensor.site.timezone))


def lasted(anomaly: Anomaly, now: datetime) -> str:
    """How long ago it began and how long it lasted."""
    if anomaly.is_open:
        return f"goes on since {age(anomaly.start, now).removesuffix(' ago')}"
    if is_predicted(anomaly):
        told = datetime.fromisoformat(anomaly.explanation["predicted"]["at"])
        return f"at its limit {age(told, now)}"
    length = duration(anomaly.end - anomaly.start)
    if is_silence(anomaly):
        return f"{age(anomaly.start, now)} · {length}"
    return f"{age(anomaly.start, now)} · {'one reading' if anomaly.readings == 1 else length}"


def when(anomaly: Anomaly, now: datetime) -> SafeString:
    return cells.two_lines(began(anomaly), lasted(anomaly, now))


def is_silence(anomaly: Anomaly) -> bool:
    return anomaly.detector == silence.DETECTOR


def is_predicted(anomaly: Anomaly) -> bool:
    return anomaly.detector == predicted.DETECTOR


def expected_every(anomaly: Anomaly) -> str:
    """How often a silent sensor is expected to speak."""
    seconds = anomaly.explanation["silence"]["interval_s"]
    return f"a reading every {duration(timedelta(seconds=seconds))}"


def values(anomaly: Anomaly) -> SafeString:
    """What came; below it what was expected."""
    unit = anomaly.sensor.unit
    if is_silence(anomaly):
        return cells.two_lines("nothing", f"expected {expected_every(anomaly)}")
    return format_html(
        '<div class="two"><span class="figure">{}</span><small>expected {}</small></div>',
        quantity(anomaly.observed, unit),
        span(anomaly.expected_low, anomaly.expected_high, unit),
    )


def nature(anomaly: Anomaly) -> str:
    """Where the fault is, and which one it is where that is known."""
    where = f"in {NATURES.get(anomaly.nature, anomaly.nature)}"
    return f"{where}: {anomaly.get_nature_sort_display()}" if anomaly.nature_sort else where


def model(anomaly: Anomaly) -> str:
    """The model and its version, or that none of the registry was at work."""
    if not anomaly.model_name:
        return "no registered model"
    return f"{anomaly.model_name} v{anomaly.model_version}"


def found_by(anomaly: Anomaly) -> SafeString:
    return format_html(
        '<div class="two" title="{}"><span>{} <span class="rung rung-{}">{}</span></span>'
        "<small>{}</small></div>",
        RUNGS.get(anomaly.rung, ""),
        "" if anomaly.detector == anomaly.rung else anomaly.detector,
        anomaly.rung,
        anomaly.rung,
        model(anomaly) if anomaly.model_name else "",
    )


def shift(value: float) -> str:
    """A feature's value, which counts in units of the sensor's own usual variation.

    >>> shift(12.34), shift(-3.0)
    ('+12.3', '−3')
    """
    return f"+{number(value, 3)}" if value > 0 else number(value, 3)


def moved(feature: str, value: float, unit: str) -> str:
    """By how much a part of a score moved, with a unit where it has one.

    >>> moved("z", 12.34, "°C"), moved("limit.alarm_high", 2.0, "°C"), moved("silence", 4.0, "°C")
    ('+12.3', '+2 °C', '4 ×')
    """
    if feature == "silence":
        return f"{number(value, 3)} ×"
    return f"{shift(value)} {unit}".strip() if feature.startswith(IN_UNIT) else shift(value)
