"""Faults that are known: from a file of labels, or from what people said of anomalies."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import TextIO

from anomalies.models import Anomaly, Nature, Verdict
from anomalies.replay.quality import Known, Span
from anomalies.rescoring import moment
from sensors.models import Asset, Sensor


class LabelsError(ValueError):
    """A file that holds no labels; the message says where."""


def of_labels(file: TextIO, sites: Collection[int], *, since: datetime, until: datetime) -> Known:
    """From CSV: `asset` or `sensor`, `start`, `end`; all else is harmless. Raises LabelsError."""
    rows = csv.DictReader(file)
    named = {"asset", "sensor"} & set(rows.fieldnames or ())
    if not named or {"start", "end"} - set(rows.fieldnames or ()):
        raise LabelsError("Labels have the columns asset (or sensor), start and end.")
    subjects = _subjects(sites)
    spans = []
    for line, row in enumerate(rows, 2):
        name = row.get("asset") or row.get("sensor") or ""
        if name not in subjects:
            raise LabelsError(f"Line {line}: there is no machine or sensor {name!r} there.")
        try:
            spans.append(Span(subjects[name], moment(row["start"]), moment(row["end"])))
        except ValueError as error:
            raise LabelsError(f"Line {line}: {error}") from error
    return Known(_within(spans, since, until), None)


def of_verdicts(sites: Collection[int], *, since: datetime, until: datetime) -> Known | None:
    """From reviews of machines' anomalies; None where there is none in the range. What nobody
    reviewed is not known."""
    rows = Anomaly.objects.filter(
        sensor__site__in=sites, start__range=(since, until), nature=Nature.MACHINE
    ).select_related("sensor__site", "sensor__asset")
    confirmed = [_span(one) for one in rows.filter(verdict=Verdict.CONFIRMED)]
    refuted = [_span(one) for one in rows.filter(verdict=Verdict.FALSE_POSITIVE)]
    if not confirmed and not refuted:
        return None
    return Known(tuple(_joined(confirmed)), tuple(refuted))


def _span(anomaly: Anomaly) -> Span:
    sensor = anomaly.sensor
    return Span(f"{sensor.site.slug}/{sensor.asset or sensor}", anomaly.start, anomaly.end)


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Those of one machine that overlap are one fault."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.subject, one.start)):
        last = found[-1] if found else None
        if last and last.subject == span.subject and span.start <= last.end:
            found[-1] = Span(span.subject, last.start, max(last.end, span.end))
        else:
            found.append(span)
    return found


def _subjects(sites: Collection[int]) -> dict[str, str]:
    """Whose episode a fault of what is called so would be in."""
    sensors = Sensor.objects.filter(site__in=sites).select_related("site", "asset")
    found = {one.external_id: f"{one.site.slug}/{one.asset or one}" for one in sensors}
    assets = Asset.objects.filter(site__in=sites).select_related("site")
    return found | {one.name: f"{one.site.slug}/{one.name}" for one in assets}


def _within(spans: Iterable[Span], since: datetime, until: datetime) -> tuple[Span, ...]:
    return tuple(span for span in spans if span.start <= until and span.end >= since)
