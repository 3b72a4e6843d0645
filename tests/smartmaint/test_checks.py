"""Each system check by its id: it speaks when it should, and only then."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import environ
import pytest
from django.conf import settings as project
from django.core.checks import CheckMessage, run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from pytest_django import Settings
from redis import Redis

from smartmaint import checks

GOOD_KEY = "kJ3-Zp0vT8qLr5xYw2Nc7Bd4Hf9Gs6Ma1Ue_Xi0Oj8Pk3QlVt6Rb2Wn"


def found(**options: Any) -> dict[str, CheckMessage]:
    return {str(message.id): message for message in run_checks(**options)}


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def app_database(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes the settings say that the app's database is the one of a URL; nothing connects."""

    def say(url: str) -> None:
        said = environ.Env.db_url_config(url)
        for name, value in (("HOST", unquote(said["HOST"])), ("PORT", said["PORT"])):
            monkeypatch.setitem(project.DATABASES["default"], name, value)
        monkeypatch.setitem(project.DATABASES["default"], "NAME", said["NAME"])

    return say


@pytest.fixture
def production(settings: Settings) -> Settings:
    settings.DEBUG = False
    settings.SECRET_KEY = GOOD_KEY
    settings.JWT_SIGNING_KEY = GOOD_KEY[::-1]
    settings.MODEL_SIGNING_KEY = GOOD_KEY.swapcase()
    return settings


@pytest.mark.parametrize(
    "key", ["short", "a" * 64, "django-insecure-" + GOOD_KEY, "abcdefg" * 9, ""]
)
def test_e001_a_key_that_can_be_guessed(production: Settings, key: str) -> None:
    assert checks.secret_key() == []
    production.SECRET_KEY = key or "x"
    (message,) = checks.secret_key()
    assert message.id == "smartmaint.E001"
    assert "token_urlsafe" in str(message.hint)


def test_e001_leaves_a_developer_alone(settings: Settings) -> None:
    settings.DEBUG = True
    settings.SECRET_KEY = "short"
    assert checks.secret_key() == []


def timescale_is_offered() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'")
        return cursor.fetchone() is not None


def test_w002_speaks_exactly_where_timescaledb_is_missing(db: None) -> None:
    assert ("smartmaint.W002" in found(databases=["default"])) is not timescale_is_offered()


def test_w009_is_silent_after_our_own_migration(db: None) -> None:
    assert "smartmaint.W009" not in found(databases=["default"])


@pytest.mark.timescale
def test_w009_a_plain_table_beside_the_extension(db: None) -> None:
    if not timescale_is_offered():
        pytest.skip("the server does not offer TimescaleDB")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE sensors_reading RENAME TO the_hypertable")
        cursor.execute("CREATE TABLE sensors_reading (time timestamptz)")
    assert "smartmaint.W009" in found(databases=["default"])


def test_checks_that_connect_are_silent_unless_a_database_is_named() -> None:
    # No database fixture: a query would fail the test.
    assert checks.timescale(databases=None) == []
    assert checks.redis_policy(databases=None) == []


@pytest.mark.parametrize(
    ("app", "store"),
    [
        ("postgresql://u:p@db.example/app", "postgresql+psycopg://m:q@db.example:5432/app"),
        ("postgresql://u:p@localhost:5433/app", "postgresql://u:p@127.0.0.1:5433/app"),
        ("postgresql://u@%2Frun%2Fpg/app", "postgresql+psycopg://u@/app?host=/run/pg"),
    ],
)
def test_e003_mlflow_in_the_apps_database(
    settings: Settings, app_database: Callable[[str], None], app: str, store: str
) -> None:
    app_database(app)
    settings.MLFLOW_BACKEND_STORE_URI = store
    (message,) = checks.mlflow_database()
    assert message.id == "smartmaint.E003"


@pytest.mark.parametrize(
    "store",
    [
        "",
        "postgresql+psycopg://u:p@db.example/mlflow",
        "postgresql://u:p@db.example:5433/app",
        "postgresql://u:p@other.example/app",
        "sqlite:///app",
    ],
)
def test_e003_is_silent_about_a_database_of_its_own(
    settings: Settings, app_database: Callable[[str], None], store: str
) -> None:
    app_database("postgresql://u:p@db.example/app")
    settings.MLFLOW_BACKEND_STORE_URI = store
    assert checks.mlflow_database() == []


def test_w004_a_redis_that_evicts_jobs(db: None, redis: Redis) -> None:
    before = redis.config_get("maxmemory-policy")["maxmemory-policy"]
    try:
        redis.config_set("maxmemory-policy", "allkeys-lru")
        message = found(databases=["default"])["smartmaint.W004"]
        assert "allkeys-lru" in message.msg
        redis.config_set("maxmemory-policy", "noeviction")
        assert "smartmaint.W004" not in found(databases=["default"])
    finally:
        redis.config_set("maxmemory-policy", before or "noeviction")


def test_w004_a_redis_that_is_away_is_no_finding(db: None, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    assert checks.redis_policy(databases=["default"]) == []


@pytest.mark.parametrize("command", ["rqworker", "rqworker-pool"])
def test_e005_a_pool_in_a_worker_that_forks(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    settings.DB_POOL = True
    monkeypatch.setattr(sys, "argv", ["manage.py", command, "detection"])
    assert "smartmaint.E005" in found()
    settings.DB_POOL = False
    assert "smartmaint.E005" not in found()


def test_e005_is_silent_in_a_web_process(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DB_POOL = True
    monkeypatch.setattr(sys, "argv", ["gunicorn", "smartmaint.wsgi"])
    assert "smartmaint.E005" not in found()


@pytest.mark.parametrize("name", ["JWT_SIGNING_KEY", "MODEL_SIGNING_KEY"])
def test_w006_one_key_for_several_things(production: Settings, name: str) -> None:
    assert checks.signing_keys() == []
    setattr(production, name, GOOD_KEY)
    (message,) = checks.signing_keys()
    assert message.id == "smartmaint.W006"


@pytest.mark.parametrize("address", ["", "mlruns", "sqlite:///m.db", "http://", "s3://b/x"])
def test_e007_an_address_that_is_no_mlflow_server(settings: Settings, address: str) -> None:
    settings.MLFLOW_TRACKING_URI = address
    assert "smartmaint.E007" in found()


@pytest.mark.parametrize("address", ["http://127.0.0.1:5000", "https://mlflow.example/base"])
def test_e007_is_silent_about_an_address(settings: Settings, address: str) -> None:
    settings.MLFLOW_TRACKING_URI = address
    assert "smartmaint.E007" not in found()


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1:6379", "http://127.0.0.1", "redis://", "unix://"]
)
def test_e008_an_address_that_is_no_redis(settings: Settings, address: str) -> None:
    settings.REDIS_URL = address
    assert "smartmaint.E008" in found()


@pytest.mark.parametrize("address", ["redis://h", "rediss://u:p@h:1/2", "unix:///run/r.sock?db=1"])
def test_e008_is_silent_about_an_address(settings: Settings, address: str) -> None:
    settings.REDIS_URL = address
    assert "smartmaint.E008" not in found()


@pytest.mark.parametrize(
    ("name", "value"),
    [("QUALITY_THRESHOLD", 1.5), ("INGEST_MAX_READINGS", 0), ("INGEST_KEY_RATE_PER_SECOND", -1.0)],
)
def test_e010_a_limit_that_makes_no_sense(settings: Settings, name: str, value: float) -> None:
    assert "smartmaint.E010" not in found()
    setattr(settings, name, value)
    assert name in found()["smartmaint.E010"].msg


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("RAW_RETENTION_DAYS", -1, "RAW_RETENTION_DAYS"),
        ("MINUTE_RETENTION_DAYS", -7, "MINUTE_RETENTION_DAYS"),
        ("RAW_RETENTION_DAYS_BY_KIND", {"warmth": 30}, "'warmth' is no kind"),
        ("RAW_RETENTION_DAYS_BY_KIND", {"vibration": "30"}, "the days of 'vibration'"),
        ("RAW_RETENTION_DAYS_BY_KIND", {"vibration": True}, "the days of 'vibration'"),
    ],
)
def test_e011_a_retention_that_makes_no_sense(
    settings: Settings, name: str, value: object, named: str
) -> None:
    settings.RAW_RETENTION_DAYS_BY_KIND = {"vibration": 30, "other": 0}
    assert "smartmaint.E011" not in found()
    setattr(settings, name, value)
    assert named in found()["smartmaint.E011"].msg


def test_e012_an_unknown_way_to_settle_conflicts(settings: Settings) -> None:
    assert "smartmaint.E012" not in found()
    settings.READING_CONFLICTS = "keep_both"
    assert "keep_both" in found()["smartmaint.E012"].msg


def test_every_finding_says_what_to_do(production: Settings) -> None:
    production.SECRET_KEY = production.JWT_SIGNING_KEY = "weak"
    production.MLFLOW_TRACKING_URI = production.REDIS_URL = "nowhere"
    ours = [
        message
        for message in run_checks(include_deployment_checks=True)
        if str(message.id).startswith("smartmaint.")
    ]
    assert len(ours) == 4
    assert all(message.hint for message in ours)


def test_a_worker_does_not_start_with_a_pool(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DB_POOL = True
    monkeypatch.setattr(sys, "argv", ["manage.py", "rqworker"])
    with pytest.raises(SystemCheckError, match=r"smartmaint\.E005"):
        call_command("rqworker", "detection", burst=True, skip_checks=False)


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """manage.py in a process of its own, with these variables on top of the test run's."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=project.BASE_DIR,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_production_settings_pass_the_deployment_check() -> None:
    done = manage(
        "check", "--deploy", "--fail-level", "WARNING",
        DEBUG="0", SECURE="1", ALLOWED_HOSTS="smartmaint.example",
        PUBLIC_URL="https://smartmaint.example",
        SECRET_KEY=GOOD_KEY, JWT_SIGNING_KEY=GOOD_KEY[::-1], MODEL_SIGNING_KEY=GOOD_KEY.swapcase(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL", "SENSOR_DISCOVERY"])
def test_a_missing_or_wrong_variable_is_named_at_start(name: str) -> None:
    done = manage("check", **{name: "sometimes" if name == "SENSOR_DISCOVERY" else ""})
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith(f"{name} is ")
