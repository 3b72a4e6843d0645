"""Everything the page of an episode shows, put together from rows."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.safestring import SafeString

from anomalies import presentation
from anomalies.admin import picture
from anomalies.episodes import evidence
from anomalies.models import Episode, Notification, State
from sensors.admin import cells
from sensors.models import Sensor
from sensors.presentation import duration, local, zone_of

STATES = {
    State.OPEN: "badge-bad",
    State.REOPENED: "badge-bad",
    State.ACKNOWLEDGED: "badge-warn",
    State.IN_PROGRESS: "badge-note",
    State.RESOLVED: "badge-good",
}
SHOWN_EVENTS = 100
SHOWN_ANOMALIES = 20


def page(episode: Episode) -> dict[str, Any]:
    """What is to be read; what may be done about it depends on who reads."""
    rows = evidence.of(episode).select_related("sensor__site", "sensor__asset")
    first = rows.filter(sensor=episode.first_sensor_id).order_by("-score", "start").first()
    return {
        "title": str(episode.subject),
        "subtitle": None,
        "episode": episode,
        "severity": presentation.severity(episode.severity),
        "state": state_badge(episode),
        "began": began(episode),
        "sentence": first.explanation.get("sentence", "") if first else "",
        "chart": picture.chart(first) if first else "",
        "movers": _movers(episode),
        "anomalies": [_line(one) for one in rows.order_by("-start", "-pk")[:SHOWN_ANOMALIES]],
        "more_anomalies": max(0, episode.anomalies_count - SHOWN_ANOMALIES),
        "facts": _facts(episode),
        "events": _events(episode),
        "told": _told(episode),
    }


def state_badge(episode: Episode) -> SafeString:
    how = episode.get_resolution_display() if episode.resolution else ""
    text = f"{episode.get_state_display().lower()}{', ' + how if how else ''}"
    if episode.snoozed_until:
        text += ", snoozed"
    return cells.badge(text, STATES[State(episode.state)])


def began(episode: Episode) -> str:
    return local(episode.started_at, zone_of(episode.site.timezone))


def lasted(episode: Episode) -> str:
    return duration(episode.last_at - episode.started_at)


def _movers(episode: Episode) -> list[tuple[Sensor, str, str]]:
    order = evidence.order_of(episode)[:SHOWN_ANOMALIES]
    sensors = Sensor.objects.in_bulk([mover.sensor for mover in order])
    zone = zone_of(episode.site.timezone)
    return [
        (
            sensors[mover.sensor],
            local(mover.at, zone, seconds=True),
            f"{duration(mover.after)} later" if mover.after else "first",
        )
        for mover in order
    ]


def _line(anomaly: Any) -> dict[str, Any]:
    return {
        "row": anomaly,
        "severity": presentation.severity(anomaly.severity),
        "when": presentation.when(anomaly, timezone.now()),
        "values": presentation.values(anomaly),
    }


def _facts(episode: Episode) -> list[tuple[str, str]]:
    zone = zone_of(episode.site.timezone)
    facts = [
        ("queue", episode.get_queue_display()),
        ("since", local(episode.started_at, zone, seconds=True)),
        ("last evidence", local(episode.last_at, zone, seconds=True)),
        ("sensors", str(episode.sensors)),
        ("anomalies", f"{episode.anomalies_count:,}"),
        ("confidence", f"{episode.confidence:.0%}"),
        ("assigned to", str(episode.assignee or "nobody")),
        ("opened", local(episode.opened_at, zone)),
    ]
    if episode.snoozed_until:
        facts.append(("snoozed until", local(episode.snoozed_until, zone)))
    return facts


def _events(episode: Episode) -> list[dict[str, Any]]:
    zone = zone_of(episode.site.timezone)
    rows = episode.events.select_related("person").order_by("-at", "-pk")[:SHOWN_EVENTS]
    return [
        {
            "what": row.get_kind_display().lower(),
            "who": str(row.person or "the system"),
            "when": local(row.at, zone),
            "text": row.text,
            "url": row.data.get("url", ""),
            "change": _change(row.data),
        }
        for row in rows
    ]


def _change(data: dict[str, Any]) -> str:
    if "sensors" in data:
        return ", ".join(data["sensors"])
    if "before" in data and "after" in data:
        return f"{data['before']} → {data['after']}"
    return ""


def _told(episode: Episode) -> list[tuple[str, str, str]]:
    """Who was told, as (route, what became of it, when)."""
    zone = zone_of(episode.site.timezone)
    rows = Notification.objects.filter(episode=episode).select_related("route", "message", "event")[
        :SHOWN_EVENTS
    ]
    told = []
    for row in rows:
        state = row.dropped or (row.message.get_state_display().lower() if row.message else "waits")
        when = row.message.sent_at if row.message and row.message.sent_at else row.created_at
        told.append((f"{row.route} ({row.event.get_kind_display().lower()})", state,
                     local(when, zone)))  # fmt: skip
    return told
