"""Rows for tests: plain functions with defaults that make sense together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from django.contrib.auth.models import User

from anomalies import ledger
from anomalies.gaps import Seen, draft
from anomalies.models import Anomaly, DetectionLease
from anomalies.silence import Expectation, Silence, SilencePolicy
from sensors import keys
from sensors.models import Asset, IngestKey, Reading, Sensor, Site

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_number = count(1)


def make_site(**values: Any) -> Site:
    n = next(_number)
    return Site.objects.create(**{"slug": f"site-{n}", "name": f"Site {n}", **values})


def make_person(*sites: Site, **values: Any) -> User:
    """A person who belongs to these sites; without a password, for hashing one takes a while."""
    person = User.objects.create_user(**{"username": f"person-{next(_number)}", **values})
    person.sites.set(sites)
    return person


def make_asset(*, site: Site | None = None, **values: Any) -> Asset:
    return Asset.objects.create(
        site=site or make_site(), **{"name": f"pump no. {next(_number)}", **values}
    )


def make_sensor(*, site: Site | None = None, **values: Any) -> Sensor:
    asset = values.get("asset")
    defaults = {"external_id": f"sensor-{next(_number)}", "kind": "vibration", "unit": "mm/s"}
    return Sensor.objects.create(
        site=site or (asset.site if asset else make_site()), **{**defaults, **values}
    )


def make_readings(
    sensor: Sensor,
    values: Sequence[float],
    *,
    until: datetime = NOW,
    every: timedelta = timedelta(minutes=1),
    quality: float = 1.0,
) -> list[Reading]:
    """Readings at equal distances, the last one at `until`."""
    first = until - every * (len(values) - 1)
    return Reading.objects.bulk_create(
        Reading(sensor=sensor, time=first + every * i, value=value, quality=quality)
        for i, value in enumerate(values)
    )


def make_key(*, site: Site | None = None, **values: Any) -> tuple[IngestKey, str]:
    """A device's key and the text for its header; it may write unless `scopes` says otherwise."""
    return keys.issue(site=site or make_site(), **{"name": "gateway", **values})


def rows_of(
    sensor: str = "pump-1/temp",
    n: int = 3,
    *,
    until: datetime = NOW,
    every: timedelta = timedelta(minutes=1),
    **fields: Any,
) -> list[dict[str, Any]]:
    """n readings as a device sends them, values 20, 21, …, the last one at `until`."""
    first = until - every * (n - 1)
    return [
        {"sensor": sensor, "time": (first + every * i).isoformat(), "value": 20.0 + i, **fields}
        for i in range(n)
    ]


def make_anomaly(*, sensor: Sensor | None = None, start: datetime = NOW, **values: Any) -> Anomaly:
    """One anomalous reading at the alarm level, waiting for validation."""
    defaults: dict[str, Any] = {
        "peak": start,
        "end": start,
        "readings": 1,
        "score": 0.5,
        "severity": 3,
        "nature": "machine",
        "detector": "isolation_forest",
        "model_name": "anomaly-vibration",
        "model_version": 1,
        "rung": "champion",
        "observed": 80.0,
        "expected_low": 40.0,
        "expected_high": 60.0,
        "explanation": {"sentence": "It shakes.", "contributions": [], "parts": {}},
        "receipt": {"rows": 64},
        "validation_due_at": start,
        "detected_at": start,
        "updated_at": start,
    }
    return Anomaly.objects.create(
        sensor=sensor or make_sensor(), start=start, **{**defaults, **values}
    )


def make_silence(*, sensor: Sensor | None = None, last: datetime = NOW, **values: Any) -> Anomaly:
    """A sensor that is expected every minute and has been silent for ten of them."""
    expected = Expectation(interval_s=60.0, patience_s=300.0, stated=False)
    found = Silence(last, last + timedelta(minutes=10), True, expected)
    sensor = sensor or make_sensor()
    seen = Seen(sensor, found, SilencePolicy(), 41.0, "", last - timedelta(hours=1))
    row = ledger.new_row(sensor, draft(seen, None, leads=True), now=last + timedelta(minutes=10))
    for name, value in values.items():
        setattr(row, name, value)
    row.save()
    return row


def make_evidence(*, sensor: Sensor | None = None, start: datetime = NOW, **values: Any) -> Anomaly:
    """A credible anomaly that is strong enough to open an episode and waits for that."""
    credible = {
        "score": 0.75,
        "decision": "credible_anomaly",
        "status": "credible_anomaly",
        "confidence": 0.8,
        "validation_due_at": None,
        "episode_due_at": values.get("end", start),
    }
    return make_anomaly(sensor=sensor, start=start, **{**credible, **values})


def make_scored(sensor: Sensor, until: datetime) -> DetectionLease:
    """The sensor is scored until then."""
    lease, _ = DetectionLease.objects.update_or_create(
        sensor=sensor, defaults={"scored_until": until}
    )
    return lease
