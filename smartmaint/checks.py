"""System checks: what can be read at start but is unwise, each with an id and what to do.

Those that ask a server carry the database tag: they run in `migrate` and `check --database`, and a
server that is away is no finding of theirs (that is /readyz).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.db import DatabaseError, connections
from redis import RedisError

from sensors.keeping import EVERY_KIND
from sensors.models import ReadingConflict
from smartmaint import probes

MIN_KEY_LENGTH = 50
MIN_KEY_SYMBOLS = 10
FORKING_COMMANDS = {"rqworker", "rqworker-pool"}
POSITIVE = (
    "INGEST_MAX_BODY_BYTES",
    "INGEST_MAX_UNZIPPED_BYTES",
    "INGEST_MAX_READINGS",
    "INGEST_MAX_BACKLOG",
    "INGEST_KEY_RATE_PER_SECOND",
    "INGEST_KEY_BURST",
    "INGEST_GLOBAL_BURST",
    "INGEST_MAX_IN_FLIGHT",
)
NOT_NEGATIVE = ("INGEST_GLOBAL_RATE_PER_SECOND", "INGEST_MAX_WAITING", "INGEST_MAX_WAIT_SECONDS")
LOOPBACK = {"", "localhost", "127.0.0.1", "::1"}


@register(Tags.security)
def secret_key(**_: object) -> list[CheckMessage]:
    key = settings.SECRET_KEY
    weak = (
        len(key) < MIN_KEY_LENGTH
        or len(set(key)) < MIN_KEY_SYMBOLS
        or key.startswith("django-insecure-")
    )
    if settings.DEBUG or not weak:
        return []
    return [
        Error(
            "SECRET_KEY can be guessed: it is short, repetitive or a development key.",
            hint="python -c 'import secrets; print(secrets.token_urlsafe(48))'",
            id="smartmaint.E001",
        )
    ]


@register(Tags.database)
def timescale(databases: Sequence[str] | None = None, **_: object) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for alias in databases or ():
        try:
            found += _timescale_of(alias)
        except DatabaseError:
            continue
    return found


def _timescale_of(alias: str) -> list[CheckMessage]:
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT installed_version FROM pg_available_extensions WHERE name = 'timescaledb'"
        )
        available = cursor.fetchone()
        if available is None:
            return [
                Warning(
                    "TimescaleDB is missing: readings are kept in a plain table.",
                    hint="Fine for a laptop. `make timescale`, or a server that offers the "
                    "extension, for millions of readings.",
                    id="smartmaint.W002",
                )
            ]
        cursor.execute("SELECT to_regclass('sensors_reading') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return []
        if available[0] is not None and _is_hypertable(cursor):
            return []
    return [
        Warning(
            "Readings are in a plain table although the server offers TimescaleDB.",
            hint="The extension came after the migration; see Troubleshooting in README.md.",
            id="smartmaint.W009",
        )
    ]


def _is_hypertable(cursor: Any) -> bool:
    cursor.execute(
        "SELECT FROM timescaledb_information.hypertables WHERE hypertable_name = 'sensors_reading'"
    )
    return cursor.fetchone() is not None


@register
def mlflow_database(**_: object) -> list[CheckMessage]:
    store = settings.MLFLOW_BACKEND_STORE_URI
    if not store or _place_of_url(store) != _place_of(settings.DATABASES["default"]):
        return []
    return [
        Error(
            "MLflow keeps its tables in the app's database: two migration histories in one schema "
            "wreck each other.",
            hint="Give MLFLOW_BACKEND_STORE_URI a database of its own (CREATE DATABASE mlflow).",
            id="smartmaint.E003",
        )
    ]


def _place_of(database: dict[str, Any]) -> tuple[str, str, str]:
    return _place(database["HOST"], str(database["PORT"] or ""), database["NAME"])


def _place_of_url(url: str) -> tuple[str, str, str]:
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    host, _, port = parts.netloc.rpartition("@")[2].partition(":")
    host = unquote(host) or query.get("host", [""])[0]
    return _place(host, port or query.get("port", [""])[0], unquote(parts.path.lstrip("/")))


def _place(host: str, port: str, name: str) -> tuple[str, str, str]:
    return ("localhost" if host in LOOPBACK else host.lower(), port or "5432", name)


@register(Tags.database)
def redis_policy(databases: Sequence[str] | None = None, **_: object) -> list[CheckMessage]:
    if not databases:
        return []
    try:
        with probes.impatient_redis() as client:
            policy = client.info("memory").get("maxmemory_policy", "noeviction")
    except (RedisError, ValueError):
        return []
    if policy == "noeviction":
        return []
    return [
        Warning(
            f"Redis may evict queued jobs: its maxmemory-policy is {policy}.",
            hint="Set maxmemory-policy to noeviction.",
            id="smartmaint.W004",
        )
    ]


@register
def pool_in_a_forking_worker(**_: object) -> list[CheckMessage]:
    if not settings.DB_POOL or not FORKING_COMMANDS.intersection(sys.argv[1:2]):
        return []
    return [
        Error(
            "DB_POOL is on in a worker that forks: two processes would share one socket.",
            hint="Leave DB_POOL unset here; gunicorn.conf.py sets it for the web processes.",
            id="smartmaint.E005",
        )
    ]


@register(Tags.security, deploy=True)
def signing_keys(**_: object) -> list[CheckMessage]:
    names = ("SECRET_KEY", "JWT_SIGNING_KEY", "MODEL_SIGNING_KEY")
    if len({getattr(settings, name) for name in names}) == len(names):
        return []
    return [
        Warning(
            "One key signs several things: who learns it for one can forge the others.",
            hint=f"Set {', '.join(names)} to three different random values.",
            id="smartmaint.W006",
        )
    ]


@register
def mlflow_address(**_: object) -> list[CheckMessage]:
    parts = urlsplit(settings.MLFLOW_TRACKING_URI)
    if parts.scheme in {"http", "https"} and parts.hostname:
        return []
    return [
        Error(
            "MLFLOW_TRACKING_URI is not the http address of an MLflow server.",
            hint="For example http://127.0.0.1:5000.",
            id="smartmaint.E007",
        )
    ]


@register
def redis_address(**_: object) -> list[CheckMessage]:
    parts = urlsplit(settings.REDIS_URL)
    place = parts.path if parts.scheme == "unix" else parts.hostname
    if parts.scheme in {"redis", "rediss", "unix"} and place:
        return []
    return [
        Error(
            "REDIS_URL is not the address of a Redis server.",
            hint="For example redis://127.0.0.1:6379/0, rediss://… or unix:///run/redis.sock.",
            id="smartmaint.E008",
        )
    ]


@register
def acquisition_limits(**_: object) -> list[CheckMessage]:
    wrong = [name for name in POSITIVE if getattr(settings, name) <= 0]
    wrong += [name for name in NOT_NEGATIVE if getattr(settings, name) < 0]
    if not 0 <= settings.QUALITY_THRESHOLD <= 1:
        wrong.append("QUALITY_THRESHOLD")
    if not wrong:
        return []
    return [
        Error(
            f"Not positive, negative, or not between 0 and 1: {', '.join(wrong)}.",
            hint="See .env.example for the meaning and default of each.",
            id="smartmaint.E010",
        )
    ]


@register
def conflicts(**_: object) -> list[CheckMessage]:
    known = ReadingConflict.Resolution.values
    if settings.READING_CONFLICTS in known:
        return []
    return [
        Error(
            f"READING_CONFLICTS is {settings.READING_CONFLICTS!r}; nothing can be ingested.",
            hint=f"One of {', '.join(known)}.",
            id="smartmaint.E012",
        )
    ]


@register
def retention(**_: object) -> list[CheckMessage]:
    by_kind = settings.RAW_RETENTION_DAYS_BY_KIND
    names = ("RAW_RETENTION_DAYS", "MINUTE_RETENTION_DAYS")
    wrong = [name for name in names if getattr(settings, name) < 0]
    wrong += [f"{kind!r} is no kind" for kind in by_kind if kind not in EVERY_KIND]
    wrong += [
        f"the days of {kind!r}"
        for kind, days in by_kind.items()
        if type(days) is not int or days < 0
    ]
    if not wrong:
        return []
    return [
        Error(
            f"How long readings are kept makes no sense: {', '.join(wrong)}.",
            hint=f"Whole days, 0 for ever; kinds are {', '.join(EVERY_KIND)}.",
            id="smartmaint.E011",
        )
    ]
