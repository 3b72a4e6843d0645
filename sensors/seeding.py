"""The generated fleet as sites, machines, sensors and readings, by way of the acquisition agent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from django.db import transaction

from sensors import formats
from sensors.acquisition import ingest
from sensors.generator import Fleet, Stream
from sensors.generator.rows import in_batches, posted_rows
from sensors.kinds import kind_named
from sensors.models import Asset, Reading, Sensor, Site
from sensors.series import to_datetime, to_datetime64

SITE_NAMES = {"north-plant": "North plant", "south-plant": "South plant"}
CRITICALITY = {
    "pump-1": 4,
    "compressor-1": 5,
    "fan-1": 2,
    "pump-2": 3,
    "mill-1": 4,
    "dryer-1": 3,
}
BATCH_ROWS = 5_000


class OtherFleetError(Exception):
    """The database holds a fleet of another seed."""


def seeded_as() -> tuple[int, datetime] | None:
    """Seed and end of the timeline of the fleet that is there, or None."""
    marked = Sensor.objects.filter(metadata__has_key="seed").first()
    if marked is None:
        return None
    return marked.metadata["seed"], datetime.fromisoformat(marked.metadata["until"])


@transaction.atomic
def create_fleet(*, fleet: Fleet, until: datetime) -> dict[str, Site]:
    """Make the sites, machines and sensors that are not there yet; the sites by slug.

    Raises OtherFleetError if sensors of another seed or another end are there.
    """
    there = seeded_as()
    if there is not None and there != (fleet.seed, until):
        raise OtherFleetError(f"The fleet of seed {there[0]} until {there[1]} is there already.")
    sites = {slug: _site(slug) for slug in sorted({stream.site for stream in fleet.streams})}
    for stream in fleet.streams:
        _sensor(stream, sites[stream.site], {"seed": fleet.seed, "until": until.isoformat()})
    return sites


def _site(slug: str) -> Site:
    site, _ = Site.objects.get_or_create(slug=slug, defaults={"name": SITE_NAMES.get(slug, slug)})
    return site


def _sensor(stream: Stream, site: Site, metadata: dict[str, Any]) -> Sensor:
    kind = kind_named(stream.kind)
    asset, _ = Asset.objects.get_or_create(
        site=site, name=stream.asset, defaults={"criticality": CRITICALITY.get(stream.asset, 3)}
    )
    sensor, _ = Sensor.objects.get_or_create(
        site=site,
        external_id=stream.sensor,
        defaults={
            "asset": asset,
            "kind": kind.name,
            "kind_source": Sensor.KindSource.METADATA,
            "unit": kind.unit,
            "physical_min": kind.physical_min,
            "physical_max": kind.physical_max,
            "alarm_high": stream.alarm_high,
            "metadata": metadata,
        },
    )
    return sensor


def reset() -> int:
    """Delete the seeded sensors with all that hangs on them; how many readings there were."""
    sensors = Sensor.objects.filter(metadata__has_key="seed")
    assets = list(Asset.objects.filter(sensors__in=sensors).distinct().values_list("pk", flat=True))
    with transaction.atomic():
        deleted, _ = Reading.objects.filter(sensor_id__in=sensors.values("pk")).delete()
        sensors.delete()
        Asset.objects.filter(pk__in=assets, sensors__isnull=True).delete()
    return deleted


def write(
    *,
    fleet: Fleet,
    sites: dict[str, Site],
    held_back: bool,
    now: datetime,
    on_batch: Callable[[int], None] = lambda _rows: None,
) -> dict[str, int]:
    """Ingest the fleet's readings; how many were accepted, duplicates and quarantined.

    held_back: also write the period with faults. on_batch is told the rows done so far.
    """
    totals = {"accepted": 0, "duplicates": 0, "quarantined": 0}
    for site, body in _batches(fleet, sites, held_back):
        batch = formats.from_json(body)
        receipt = ingest(batch, site=site, source="seed", now=now, backfill=True)
        for name in totals:
            totals[name] += getattr(receipt, name)
        on_batch(sum(totals.values()))
    return totals


def _batches(fleet: Fleet, sites: dict[str, Site], held_back: bool) -> Iterator[tuple[Site, bytes]]:
    for slug, site in sites.items():
        streams = [stream for stream in fleet.streams if stream.site == slug]
        rows = posted_rows(streams, history=True, held_back=held_back)
        for batch in in_batches(rows, BATCH_ROWS):
            yield site, orjson.dumps(batch)


def write_labels(fleet: Fleet, path: Path) -> None:
    """The faults as JSON: for whoever evaluates, out of reach of whoever detects."""
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = {
        "seed": fleet.seed,
        "held_back_from": to_datetime(fleet.held_back_from).isoformat(),
        "faults": [
            {
                **asdict(fault),
                "start": to_datetime(fault.start).isoformat(),
                "end": to_datetime(fault.end).isoformat(),
            }
            for fault in fleet.faults
        ],
    }
    path.write_text(json.dumps(labels, indent=2) + "\n")


def floor_to_interval(now: datetime, interval_s: int = 600) -> datetime:
    """The last full interval: where a fleet's timeline ends that is generated now.

    >>> floor_to_interval(datetime.fromisoformat("2026-01-01T10:19:59+00:00")).isoformat()
    '2026-01-01T10:10:00+00:00'
    """
    return to_datetime(to_datetime64(now).astype(f"datetime64[{interval_s}s]"))
