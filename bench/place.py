"""A database of the bench's own on the server of DATABASE_URL, gone when the bench ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import django
import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from smartmaint.services import databases, scratch

DATABASE = "smartmaint_bench"
REDIS_NUMBER = 2


@contextmanager
def own_place() -> Iterator[psycopg.Connection]:
    """Django set up on an empty, migrated database; yields a plain connection to the same one.

    A database of that name that a killed run left is replaced. Redis is a scratch database too.
    """
    url = databases.renamed(os.environ["DATABASE_URL"], DATABASE)
    redis_url = scratch.redis_database(os.environ["REDIS_URL"], REDIS_NUMBER)
    scratch.claim(redis_url)
    databases.recreate(url)
    try:
        os.environ |= {"DATABASE_URL": url, "REDIS_URL": redis_url, "LOG_LEVEL": "ERROR"}
        os.environ["DJANGO_SETTINGS_MODULE"] = "smartmaint.settings"
        django.setup()
        assert settings.DATABASES["default"]["NAME"] == DATABASE
        call_command("migrate", verbosity=0)
        with psycopg.connect(url, autocommit=True) as plain:
            yield plain
        connection.close()
    finally:
        databases.drop(url)
        scratch.claim(redis_url)


def empty() -> None:
    """Back to the state after the migrations, so that no section meets what another one left."""
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE sensors_reading, sensors_rollupnote, sensors_hourrollup, "
            "sensors_minuterollups, sensors_site CASCADE"
        )


def settle() -> None:
    """Statistics and visibility as they are a while after the rows came, so that plans are too."""
    with connection.cursor() as cursor:
        for table in ("sensors_reading", "sensors_hourrollup", "sensors_minuterollups"):
            cursor.execute(f"VACUUM (ANALYZE) {table}")
