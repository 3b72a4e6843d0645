"""The quality strip on a sensor's page, and what it comes to in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe

from sensors import quality_history, strips
from sensors.models import Sensor
from sensors.presentation import local, zone_of
from sensors.quality import REASONS
from sensors.quality_history import History, named
from sensors.series import to_datetime

MOST_SLICES = 240
ONE_US = timedelta(microseconds=1)
_WORDS = {str(flag.name).lower(): words for flag, words in REASONS.items()}


@dataclass(frozen=True, slots=True)
class QualityView:
    """links: (text, address) of what was refused and what was contradicted."""

    strip: SafeString
    caption: str
    reasons: list[tuple[str, str]]
    links: list[tuple[str, str]]


def quality_view(sensor: Sensor, since: datetime, until: datetime) -> QualityView:
    found = quality_history.history(sensor, since=since, until=until, limit=MOST_SLICES)
    return QualityView(
        strip=mark_safe(strips.draw(_strip(sensor, found, since, until))),  # noqa: S308  escapes its texts
        caption=_caption(found),
        reasons=[
            (_WORDS[name], f"{count:,} ({count / found.readings:.1%})")
            for name, count in found.reasons().items()
        ],
        links=_links(sensor, found),
    )


def _strip(sensor: Sensor, found: History, since: datetime, until: datetime) -> strips.Strip:
    begins = found.buckets.begins.astype("datetime64[us]")
    zone = zone_of(sensor.site.timezone)
    words = [
        f"{local(to_datetime(begin), zone)}: quality {quality:.2f} of {count:,} readings"
        + "".join(f"; {n:,} {_WORDS[name]}" for name, n in named(flags).items())
        for begin, quality, count, flags in zip(
            begins, found.buckets.quality, found.buckets.count, found.buckets.flags, strict=True
        )
    ]
    return strips.Strip(
        first=np.datetime64(since.replace(tzinfo=None), "us"),
        last=np.datetime64(until.replace(tzinfo=None), "us"),
        begins=begins,
        ends=(found.buckets.begins + found.width // ONE_US).astype("datetime64[us]"),
        quality=found.buckets.quality,
        words=words,
    )


def _caption(found: History) -> str:
    if found.quality_mean is None:
        return "No reading of this range was accepted."
    flawless = "" if found.reasons() else " Nothing is wrong with any of them."
    return f"Quality {found.quality_mean:.2f} over {found.readings:,} readings.{flawless}"


def _links(sensor: Sensor, found: History) -> list[tuple[str, str]]:
    """To lists that show this sensor's rows; they may hold more than the range has."""
    links = []
    if refused := sum(found.quarantined.values()):
        by_code = ", ".join(f"{code} {n:,}" for code, n in found.quarantined.items())
        query = urlencode({"q": sensor.external_id, "state": "all"})
        address = reverse("admin:sensors_quarantinedreading_changelist")
        links.append((f"{refused:,} came into quarantine: {by_code}", f"{address}?{query}"))
    if found.conflicts:
        address = reverse("admin:sensors_readingconflict_changelist")
        query = urlencode({"q": sensor.external_id})
        links.append((f"{found.conflicts:,} second values for a time", f"{address}?{query}"))
    return links
