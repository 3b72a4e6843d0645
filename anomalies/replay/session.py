"""A database session of its own in which the agents work on temporary tables.

A temporary table goes before the real one of its name, so the agents run as they are. Readings are
a view of the real ones that ends at the clock of the replay. The session is read-only: PostgreSQL
itself refuses whatever is no temporary table of its own, row locks included. When it ends, however
it ends, the server drops the tables.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from anomalies import profiles
from anomalies.models import (
    Calibration,
    DetectionCheckpoint,
    FaultPeriod,
    MachineCheckpoint,
    MaintenanceWindow,
    NotificationRoute,
    ValidationRule,
)
from mlops.models import Fallback, ServedModel, ShadowScores
from sensors import hours
from sensors.models import Asset, ScoringNote, Sensor, SensorProfile, SensorRhythm, Site
from sensors.quality import Flag

# What people configured and what stands at the beginning; all other tables of ours begin empty.
_SITES = "{site} = ANY(%(sites)s)"
_SENSORS = "sensor_id IN (SELECT id FROM public.sensors_sensor WHERE site_id = ANY(%(sites)s))"
_MACHINES = "asset_id IN (SELECT id FROM public.sensors_asset WHERE site_id = ANY(%(sites)s))"
COPIED: dict[Any, str] = {
    Site: _SITES.format(site="id"),
    Asset: _SITES.format(site="site_id"),
    Sensor: _SITES.format(site="site_id"),
    # Also those for every site.
    ValidationRule: "site_id IS NULL OR site_id = ANY(%(sites)s)",
    NotificationRoute: "site_id IS NULL OR site_id = ANY(%(sites)s)",
    MaintenanceWindow: _SITES.format(site="site_id"),
    Calibration: _SITES.format(site="site_id"),
    FaultPeriod: f"noted_at < %(begin)s AND {_SENSORS}",
    # Not those that were made anew without the readings of a fault that was confirmed later.
    DetectionCheckpoint: f"time < %(begin)s AND {_SENSORS} AND NOT EXISTS (SELECT "
    "FROM public.anomalies_faultperiod p WHERE p.sensor_id = public.anomalies_detectioncheckpoint"
    ".sensor_id AND p.noted_at >= %(begin)s AND p.since <= time)",
    MachineCheckpoint: f"time < %(begin)s AND {_MACHINES} AND NOT EXISTS (SELECT "
    "FROM public.anomalies_faultperiod p JOIN public.sensors_sensor s ON s.id = p.sensor_id "
    "WHERE s.asset_id = public.anomalies_machinecheckpoint.asset_id "
    "AND p.noted_at >= %(begin)s AND p.since <= time)",
}
EMPTY = (ScoringNote, SensorProfile, SensorRhythm, ServedModel, Fallback, ShadowScores)
# What the agents read and never write, or never look at; they see the real one.
NOT_OURS = frozenset({"anomalies_preview"})
CLOCK = "smartmaint.replay_clock"

# Each occurrence as it was planned: whether it ends early is seen again.
_OCCURRENCES = """
INSERT INTO pg_temp.anomalies_windowoccurrence (id, window_id, start, "end", planned_end)
SELECT id, window_id, start, planned_end, planned_end FROM public.anomalies_windowoccurrence
WHERE window_id IN (SELECT id FROM public.anomalies_maintenancewindow
                    WHERE site_id = ANY(%(sites)s))
"""
# Which of a machine's sensors were known, without which no checkpoint of it would be either.
_MEMBERS = f"""
INSERT INTO pg_temp.anomalies_machinedetection (asset_id, members)
SELECT asset_id, members FROM public.anomalies_machinedetection WHERE {_MACHINES}
"""  # noqa: S608  constants
# As if each reading had come when it was measured.
_READINGS = f"""
CREATE TEMPORARY VIEW sensors_reading AS
SELECT sensor_id, time, value, quality, (flags & ~{int(Flag.BACKFILL)})::smallint AS flags
FROM public.sensors_reading WHERE time <= current_setting('{CLOCK}')::timestamptz
"""  # noqa: S608  constants
# What people had said before: what was reviewed then, by the newest verdict of that time. It is
# looked up as a precedent, and is evidence of nothing any more.
_REVIEWED = """
INSERT INTO pg_temp.anomalies_anomaly SELECT a.* FROM public.anomalies_anomaly a
JOIN public.sensors_sensor s ON s.id = a.sensor_id
WHERE s.site_id = ANY(%(sites)s) AND a."end" < %(begin)s AND EXISTS (
    SELECT FROM public.anomalies_review r WHERE r.anomaly_id = a.id AND r.created_at < %(begin)s)
"""
_THEN = """
UPDATE pg_temp.anomalies_anomaly a SET verdict = newest.verdict, reviewed_at = newest.created_at,
    episode_id = NULL, episode_due_at = NULL, follows_id = NULL, validation_due_at = NULL,
    routing_due_at = NULL, routed_until = coalesce(a.routed_until, a."end")
FROM (SELECT DISTINCT ON (anomaly_id) anomaly_id, verdict, created_at FROM public.anomalies_review
      WHERE created_at < %(begin)s ORDER BY anomaly_id, created_at DESC, id DESC) AS newest
WHERE newest.anomaly_id = a.id
"""
_READ_ONLY = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"


class Lost(OperationalError):
    """The session was lost, and with it the temporary tables: nothing more may be written."""


@dataclass
class Session:
    """The session while it lasts. usual: the connection that this process has besides."""

    usual: BaseDatabaseWrapper
    own: BaseDatabaseWrapper
    at: datetime | None = field(default=None, init=False)

    def set_clock(self, at: datetime) -> None:
        """Readings up to `at` are there from now on."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config(%s, %s, false)", [CLOCK, at.isoformat()])
        self.at = at

    @contextmanager
    def outside(self) -> Iterator[None]:
        """On the process's usual connection, as to say how far it is."""
        connections[DEFAULT_DB_ALIAS] = self.usual
        try:
            yield
        finally:
            connections[DEFAULT_DB_ALIAS] = self.own


@contextmanager
def session(sites: Collection[int], *, begin: datetime) -> Iterator[Session]:
    """Within the block this thread's default connection is a session of temporary tables.

    begin: what is known at first is what was known then. Raises Lost when the server ends it.
    """
    usual = connections[DEFAULT_DB_ALIAS]
    own = usual.copy()
    # A session out of a pool would be handed on with its temporary tables.
    own.settings_dict.get("OPTIONS", {}).pop("pool", None)
    connections[DEFAULT_DB_ALIAS] = own
    try:
        found = Session(usual, own)
        found.set_clock(begin)
        _furnish({"sites": list(sites), "begin": begin})
        own.connect = _refuse  # type: ignore[method-assign]  # a new one would write for real
        with hours.only_read():
            yield found
    finally:
        own.close()
        connections[DEFAULT_DB_ALIAS] = usual


def _refuse() -> NoReturn:
    raise Lost("The database ended the session of the replay.")


def shadowed() -> list[Any]:
    """The models whose tables are temporary ones."""
    ours = [m for m in apps.get_app_config("anomalies").get_models() if m._meta.managed]
    others = [model for model in (*COPIED, *EMPTY) if model not in ours]
    return [m for m in (*ours, *others) if m._meta.db_table not in NOT_OURS]


def _furnish(params: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        for model in shadowed():
            table = model._meta.db_table
            cursor.execute(f"CREATE TEMPORARY TABLE {table} (LIKE public.{table} INCLUDING ALL)")
        for model, condition in COPIED.items():
            _copy(cursor, model._meta.db_table, condition, params)
        cursor.execute(_OCCURRENCES, params)
        _go_on_numbering(cursor, "anomalies_windowoccurrence")
        cursor.execute(_MEMBERS, params)
        cursor.execute(_REVIEWED, params)
        cursor.execute(_THEN, params)
        _go_on_numbering(cursor, "anomalies_anomaly")
        cursor.execute(_READINGS)
        cursor.execute(_READ_ONLY)
    _count_verdicts(params["begin"])


def _count_verdicts(at: datetime) -> None:
    reviewed = profiles.reviewed().select_related("sensor").order_by("sensor_id", "detector")
    for one in reviewed.distinct("sensor_id", "detector"):
        profiles.refresh(one, now=at)


def _copy(cursor: Any, table: str, condition: str, params: dict[str, Any]) -> None:
    cursor.execute(
        f"INSERT INTO pg_temp.{table} SELECT * FROM public.{table} WHERE {condition}",  # noqa: S608
        params,
    )
    _go_on_numbering(cursor, table)


def _go_on_numbering(cursor: Any, table: str) -> None:
    cursor.execute(
        f"SELECT setval(pg_get_serial_sequence('pg_temp.{table}', 'id'), "  # noqa: S608
        f"(SELECT max(id) + 1 FROM pg_temp.{table}), false)"
    )
