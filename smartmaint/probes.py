"""Asking each service whether it is there, with a timeout short enough for a health check."""

from __future__ import annotations

import logging
import urllib.error
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)

PATIENCE_S = 1.0


@dataclass(frozen=True)
class Finding:
    """What one probe found. `detail` names no host and no secret: /readyz is open to all."""

    ok: bool
    detail: str


def impatient_redis() -> Redis:
    """A client that gives up after PATIENCE_S and does not retry."""
    return Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=PATIENCE_S,
        socket_timeout=PATIENCE_S,
        retry=Retry(NoBackoff(), 0),
    )


def limit_statements() -> None:
    """From here to the end of the transaction no statement takes longer than twice PATIENCE_S."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {int(2000 * PATIENCE_S)}")


def postgresql() -> Finding:
    try:
        with transaction.atomic():
            limit_statements()
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
    except DatabaseError as error:
        log.warning("PostgreSQL is not usable: %s", error)
        return Finding(ok=False, detail="no usable connection")
    return Finding(ok=True, detail="answers")


def migrations() -> Finding:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        log.warning("The applied migrations cannot be read: %s", error)
        return Finding(ok=False, detail="not known")
    if missing:
        return Finding(ok=False, detail=f"{len(missing)} not applied; run `manage.py migrate`")
    return Finding(ok=True, detail="all applied")


def redis() -> Finding:
    try:
        with impatient_redis() as client:
            client.ping()
    except (RedisError, ValueError) as error:
        log.warning("Redis does not answer: %s", error)
        return Finding(ok=False, detail="does not answer; jobs wait for the sweep")
    return Finding(ok=True, detail="answers")


def mlflow() -> Finding:
    """Whether the registry answers; without it detection works on lower rungs."""
    address = settings.MLFLOW_TRACKING_URI.rstrip("/") + "/health"
    if not address.startswith(("http://", "https://")):
        return Finding(ok=False, detail="MLFLOW_TRACKING_URI is not an http address")
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:  # noqa: S310  http only
            ok = answer.status == HTTPStatus.OK
    except (urllib.error.URLError, OSError, ValueError) as error:
        log.warning("MLflow does not answer: %s", error)
        return Finding(ok=False, detail="does not answer; lower rungs score until it does")
    return Finding(ok=ok, detail="answers" if ok else "answers with an error")
