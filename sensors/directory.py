"""Which sensors a batch speaks of: what is known of them, and what becomes of unknown ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from sensors import keeping, statements
from sensors.formats import Batch
from sensors.kinds import OTHER, Kind, infer_kind, kind_named
from sensors.models import IngestKey, Sensor, Site
from sensors.series import FloatArray, TimeArray, to_datetime64

# Below this many readings a sensor has shown too little to call a value unusual.
MIN_SHOWN = 30
# What is asked of a sensor, and what is said where nothing is known.
_ASKED: dict[str, tuple[str, Any]] = {
    "external_id": ("s.external_id", ""),
    "id": ("s.id", 0),
    "unit": ("s.unit", ""),
    "status": ("s.status", ""),
    "kind": ("s.kind", OTHER.name),
    "physical_min": ("s.physical_min", None),
    "physical_max": ("s.physical_max", None),
    "expected_interval_s": ("s.expected_interval_s", None),
    "quality_threshold": ("s.quality_threshold", None),
    "readings": ("p.count", None),
    "minimum": ("p.minimum", None),
    "maximum": ("p.maximum", None),
    "interval_s": ("p.interval_s", None),
    "kept_from": ("p.kept_from", None),
}
_NOTHING = (None,) * len(_ASKED)
# One row of columns: a row for each sensor would cost more to fetch than to find.
_KNOWN = f"""
SELECT {", ".join(f"array_agg({column})" for column, _ in _ASKED.values())}
FROM sensors_sensor s LEFT JOIN sensors_sensorprofile p ON p.sensor_id = s.id
WHERE s.site_id = %s::bigint AND s.external_id = ANY(%b::text[])
"""  # noqa: S608  names from above


@dataclass(frozen=True, slots=True)
class _Known:
    """What is stored of sensors, a column for each that is asked; at: name → its place in them."""

    at: Mapping[str, int]
    columns: Mapping[str, list[Any]]

    @classmethod
    def of(cls, site: Site, names: Sequence[str]) -> _Known:
        row = statements.run(_KNOWN, (site.pk, list(names))).fetchone() if names else None
        # An aggregate of nothing is null.
        columns = {name: found or [] for name, found in zip(_ASKED, row or _NOTHING, strict=True)}
        return cls({name: at for at, name in enumerate(columns["external_id"])}, columns)

    def of_each(self, names: Sequence[str]) -> dict[str, list[Any]]:
        """The columns of these names, in their order."""
        places = [self.at.get(name, -1) for name in names]
        known = {name: [*self.columns[name], unknown] for name, (_, unknown) in _ASKED.items()}
        return {name: [column[at] for at in places] for name, column in known.items()}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no reading of this sensor is accepted."""

    code: str
    detail: str


UNKNOWN = Refusal("unknown_sensor", "the sensor is not registered and discovery is off")
AWAITING = Refusal("awaiting_approval", "the sensor was discovered and waits for a person's word")
RETIRED = Refusal("sensor_retired", "the sensor is retired")
CAPPED = Refusal("discovery_cap", "too many sensors were discovered within the hour")


@dataclass(frozen=True, slots=True)
class Directory:
    """One entry per distinct name of the batch, in the order of `batch.sensor.names`.

    ids: 0 where refused; the float arrays, shape (k,), hold NaN where nothing is known. kept_from:
    older readings are too old to be kept; NaT where none are.
    """

    ids: NDArray[np.int64]
    refusals: Mapping[int, Refusal]
    units: tuple[str, ...]
    physical_min: FloatArray
    physical_max: FloatArray
    shown_min: FloatArray
    shown_max: FloatArray
    interval_s: FloatArray
    threshold: FloatArray
    kept_from: TimeArray


def look_up(batch: Batch, *, site: Site, key: IngestKey | None, now: datetime) -> Directory:
    """What is known of the batch's sensors, unknown ones discovered if that is allowed."""
    names = batch.sensor.names
    known = _Known.of(site, names)
    unknown = [name for name in names if name not in known.at]
    refusals: dict[str, Refusal] = {}
    if unknown and settings.SENSOR_DISCOVERY == "reject":
        refusals = dict.fromkeys(unknown, UNKNOWN)
    elif unknown:
        allowed = unknown[: _allowance(key, site, now)]
        _discover(allowed, batch, site=site, key=key)
        known = _Known.of(site, names)
        refusals = dict.fromkeys(unknown[len(allowed) :], CAPPED)
    refusals |= _refused_by_status(known)
    # Registered by another writer a moment ago and removed since.
    refusals |= {name: UNKNOWN for name in names if name not in known.at and name not in refusals}
    return _directory(names, known, refusals, now)


def decide_kind(
    stated: str | None, metadata: Mapping[str, Any], external_id: str
) -> tuple[Kind, Sensor.KindSource]:
    """The kind of a new sensor and where it comes from: payload, else metadata, else its id."""
    if stated:
        return kind_named(stated), Sensor.KindSource.PAYLOAD
    noted = metadata.get("kind")
    if isinstance(noted, str) and kind_named(noted) is not OTHER:
        return kind_named(noted), Sensor.KindSource.METADATA
    return infer_kind(external_id) or OTHER, Sensor.KindSource.INFERRED


def _allowance(key: IngestKey | None, site: Site, now: datetime) -> int:
    """How many sensors may still be discovered. Without a key the cap is the site's."""
    found = Sensor.objects.filter(site=site, discovered_by=key, status=Sensor.Status.DISCOVERED)
    recent: int = found.filter(created_at__gte=now - timedelta(hours=1)).count()
    return max(0, settings.SENSOR_DISCOVERY_CAP_PER_HOUR - recent)


def _discover(names: list[str], batch: Batch, *, site: Site, key: IngestKey | None) -> None:
    """Register sensors, in the order of their names so that writers never wait crosswise."""
    stated = _first_stated(batch)
    new = [
        _new_sensor(name, *stated.get(name, (None, None)), site=site, key=key)
        for name in sorted(names)
    ]
    Sensor.objects.bulk_create(new, ignore_conflicts=True)


def _first_stated(batch: Batch) -> dict[str, tuple[str | None, str | None]]:
    """Kind and unit as each sensor's first reading that states one states them."""
    kinds, units = _first_names(batch, batch.kind), _first_names(batch, batch.unit)
    return {name: (kinds.get(name), units.get(name)) for name in batch.sensor.names}


def _first_names(batch: Batch, column: Any) -> dict[str, str]:
    rows = np.flatnonzero(column.codes >= 0)
    places, first = np.unique(batch.sensor.codes[rows], return_index=True)
    return {
        batch.sensor.names[place]: column.names[column.codes[rows[at]]]
        for place, at in zip(places, first, strict=True)
    }


def _new_sensor(
    name: str, kind: str | None, unit: str | None, *, site: Site, key: IngestKey | None
) -> Sensor:
    found, source = decide_kind(kind, {}, name)
    # The catalogue's limits are in the catalogue's unit; in another they mean nothing.
    has_limits = found is not OTHER and unit in {None, found.unit}
    return Sensor(
        site=site,
        external_id=name,
        kind=found.name,
        kind_source=source,
        unit=unit if unit is not None else found.unit,
        physical_min=found.physical_min if has_limits else None,
        physical_max=found.physical_max if has_limits else None,
        status=Sensor.Status.DISCOVERED,
        discovered_by=key,
    )


def _refused_by_status(known: _Known) -> dict[str, Refusal]:
    refused = {Sensor.Status.RETIRED.value: RETIRED}
    if settings.SENSOR_DISCOVERY == "approve":
        refused[Sensor.Status.DISCOVERED.value] = AWAITING
    statuses = known.columns["status"]
    if refused.keys().isdisjoint(statuses):
        return {}
    return {
        name: refused[status]
        for name, status in zip(known.at, statuses, strict=True)
        if status in refused
    }


def _directory(
    names: tuple[str, ...], known: _Known, refusals: Mapping[str, Refusal], now: datetime
) -> Directory:
    columns = known.of_each(names)

    def floats(name: str) -> FloatArray:
        return np.array(columns[name], dtype=np.float64)  # None becomes NaN

    shown = np.array([(count or 0) >= MIN_SHOWN for count in columns["readings"]], dtype=bool)
    expected, threshold = floats("expected_interval_s"), floats("quality_threshold")
    interval = np.where(np.isnan(expected), floats("interval_s"), expected)
    refused = {}
    if refusals:
        refused = {place: refusals[name] for place, name in enumerate(names) if name in refusals}
    ids = np.array(columns["id"], dtype=np.int64)
    ids[list(refused)] = 0
    return Directory(
        ids=ids,
        refusals=refused,
        units=tuple(columns["unit"]),
        physical_min=floats("physical_min"),
        physical_max=floats("physical_max"),
        shown_min=np.where(shown, floats("minimum"), np.nan),
        shown_max=np.where(shown, floats("maximum"), np.nan),
        # An interval of 0 s (two readings at once) says nothing about what to expect.
        interval_s=np.where(interval > 0, interval, np.nan),
        threshold=np.where(np.isnan(threshold), settings.QUALITY_THRESHOLD, threshold),
        kept_from=_kept_from(columns["kind"], columns["kept_from"], now),
    )


def _kept_from(kinds: Sequence[str], noted: Sequence[datetime | None], now: datetime) -> TimeArray:
    """From when on readings are accepted: as the kind's retention has it, and none from before what
    was dropped, though the retention may be longer by now. NaT where none are too old."""
    by_kind = {kind: keeping.refused_before(kind, now) for kind in set(kinds)}
    if not any(by_kind.values()) and not any(noted):
        return np.full(len(kinds), "NaT", "datetime64[us]")
    either = [
        [time for time in (by_kind[kind], dropped) if time]
        for kind, dropped in zip(kinds, noted, strict=True)
    ]
    latest = [to_datetime64(max(times)) if times else np.datetime64("NaT") for times in either]
    return np.array(latest, dtype="datetime64[us]")
