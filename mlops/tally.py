"""What serving did, added up in PostgreSQL: the processes that do it live for one job."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.utils import timezone

_ADD = """
INSERT INTO mlops_servedmodel AS known (name, version, hits, disk_loads, downloads, failures,
    load_seconds, loaded_at, asked_at, reason, failed_at)
SELECT name, version, hits, disk_loads, downloads, failures, load_seconds,
    CASE WHEN load_seconds IS NOT NULL THEN %(now)s::timestamptz END, %(now)s, reason,
    CASE WHEN failures > 0 THEN %(now)s::timestamptz END
FROM unnest(%(names)s::text[], %(versions)s::int[], %(hits)s::bigint[], %(disk_loads)s::bigint[],
    %(downloads)s::bigint[], %(failures)s::bigint[], %(load_seconds)s::float8[],
    %(reasons)s::text[])
    AS new (name, version, hits, disk_loads, downloads, failures, load_seconds, reason)
ON CONFLICT (name) DO UPDATE SET
    version = COALESCE(EXCLUDED.version, known.version),
    hits = known.hits + EXCLUDED.hits,
    disk_loads = known.disk_loads + EXCLUDED.disk_loads,
    downloads = known.downloads + EXCLUDED.downloads,
    failures = known.failures + EXCLUDED.failures,
    load_seconds = COALESCE(EXCLUDED.load_seconds, known.load_seconds),
    loaded_at = COALESCE(EXCLUDED.loaded_at, known.loaded_at),
    asked_at = EXCLUDED.asked_at,
    reason = EXCLUDED.reason,
    failed_at = COALESCE(EXCLUDED.failed_at, known.failed_at)
"""
_FELL_BACK = """
INSERT INTO mlops_fallback AS known (name, rung, sensors, last_at)
SELECT name, rung, sensors, %(now)s
FROM unnest(%(names)s::text[], %(rungs)s::text[], %(sensors)s::bigint[])
    AS new (name, rung, sensors)
ON CONFLICT (name, rung) DO UPDATE SET
    sensors = known.sensors + EXCLUDED.sensors, last_at = EXCLUDED.last_at
"""


@dataclass(slots=True)
class Took:
    """How a model was loaded: whether its artifact had to be downloaded."""

    downloaded: bool = False


@dataclass(slots=True)
class _Counts:
    """Of one name. version: that is served, or should be where there is a reason why it is not."""

    version: int | None = None
    hits: int = 0
    disk_loads: int = 0
    downloads: int = 0
    failures: int = 0
    load_seconds: float | None = None
    reason: str = ""


@dataclass(slots=True)
class Tally:
    """Of one look-up of champions; kept by one statement, or thrown away."""

    names: dict[str, _Counts] = field(default_factory=dict)

    def hit(self, name: str, version: int) -> None:
        """It was in this process."""
        counts = self._of(name, version)
        counts.hits += 1

    @contextmanager
    def loading(self, name: str, version: int) -> Iterator[Took]:
        """Around what makes a model of an artifact; what raises is told by `failed`."""
        began, took = time.monotonic(), Took()
        yield took
        counts = self._of(name, version)
        counts.load_seconds = time.monotonic() - began
        counts.downloads += took.downloaded
        counts.disk_loads += not took.downloaded

    def failed(self, name: str, version: int | None, reason: str) -> None:
        counts = self._of(name, version)
        counts.failures += 1
        counts.reason = reason

    def keep(self) -> None:
        """Add it to what all processes count."""
        rows = sorted(self.names.items())  # in one order, so that two workers never wait in a ring
        if not rows:
            return
        columns = ("version", "hits", "disk_loads", "downloads", "failures", "load_seconds")
        values: dict[str, Any] = {
            {"version": "versions"}.get(column, column): [getattr(row, column) for _, row in rows]
            for column in columns
        }
        values |= {
            "names": [name for name, _ in rows],
            "reasons": [row.reason[:500] for _, row in rows],
            "now": timezone.now(),
        }
        with connection.cursor() as cursor:
            cursor.execute(_ADD, values)

    def _of(self, name: str, version: int | None) -> _Counts:
        counts = self.names.setdefault(name, _Counts())
        if not counts.reason:
            counts.version = version if version is not None else counts.version
        return counts


def fell_back(counted: Mapping[tuple[str, str], int]) -> None:
    """(name, rung) -> sensors that this rung judged because that champion could not be had."""
    rows = sorted(counted.items())
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _FELL_BACK,
            {
                "names": [name for (name, _), _ in rows],
                "rungs": [rung for (_, rung), _ in rows],
                "sensors": [count for _, count in rows],
                "now": timezone.now(),
            },
        )
