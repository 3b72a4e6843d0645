"""/livez, /readyz and /metrics on real services, there and away."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries, Settings
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from sensors.models import QuarantinedReading, RetentionRun, RollupNote, ScoringNote, Sensor, Site
from smartmaint.lib.breaker import Breaker
from smartmaint.services.mlflow import MlflowServer

NOBODY_LISTENS = "127.0.0.1:9"


def in_a_new_thread(path: str) -> tuple[int, dict[str, Any]]:
    """The answer of a process whose database connections are not open yet."""

    def ask() -> tuple[int, dict[str, Any]]:
        try:
            answer = Client().get(path)
            return answer.status_code, answer.json() if path == "/readyz" else samples(answer)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(ask).result(30)


@pytest.fixture
def database_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """New connections are refused; the test's own one stays."""
    host, port = NOBODY_LISTENS.split(":")
    monkeypatch.setitem(connections.settings["default"], "HOST", host)
    monkeypatch.setitem(connections.settings["default"], "PORT", port)


def samples(answer: Any) -> dict[str, float]:
    """Each sample of a Prometheus text by its name and label values: `name/label value`."""
    return {
        "/".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def make_sensor() -> Sensor:
    site = Site.objects.create(slug="north", name="North")
    return Sensor.objects.create(site=site, external_id="pump-1/temp", kind="temperature")


def test_livez_asks_nothing(
    db: None, django_assert_num_queries: DjangoAssertNumQueries, settings: Settings
) -> None:
    settings.REDIS_URL = f"redis://{NOBODY_LISTENS}/0"
    with django_assert_num_queries(0):
        answer = Client().get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_livez_answers_without_a_database() -> None:
    # No database fixture: pytest-django refuses every query of this test.
    assert Client().get("/livez").status_code == 200


def test_a_proxy_must_not_keep_what_they_say(db: None) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        assert "no-store" in Client().get(path).headers["Cache-Control"]


def test_readyz_is_ready_when_everything_answers(
    db: None, mlflow_server: MlflowServer, settings: Settings
) -> None:
    settings.MLFLOW_TRACKING_URI = mlflow_server.uri
    answer = Client().get("/readyz")
    checks = answer.json()["checks"]
    assert {name: check["ok"] for name, check in checks.items()} == {
        "postgresql": True,
        "migrations": True,
        "redis": True,
        "mlflow": True,
    }
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"


@pytest.mark.parametrize(
    ("setting", "check"),
    [("REDIS_URL", "redis"), ("MLFLOW_TRACKING_URI", "mlflow")],
)
def test_readyz_is_degraded_and_still_200_when_a_helper_is_away(
    db: None, settings: Settings, setting: str, check: str
) -> None:
    scheme = "redis" if check == "redis" else "http"
    setattr(settings, setting, f"{scheme}://{NOBODY_LISTENS}")
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"][check]["ok"] is False
    assert NOBODY_LISTENS not in answer.content.decode()


@pytest.mark.usefixtures("database_away")
@pytest.mark.django_db
def test_readyz_is_503_without_postgresql() -> None:
    status, body = in_a_new_thread("/readyz")
    assert (status, body["status"]) == (503, "unavailable")
    assert body["checks"]["postgresql"]["ok"] is False
    assert body["checks"]["redis"]["ok"] is True


def test_readyz_names_migrations_that_wait(db: None) -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'anomalies'")
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert "manage.py migrate" in answer.json()["checks"]["migrations"]["detail"]


def test_readyz_shows_an_open_breaker(db: None) -> None:
    guard = Breaker("probed in a test", failures=1)
    with pytest.raises(ZeroDivisionError):
        guard.call(lambda: 1 // 0)
    answer = Client().get("/readyz")
    assert answer.json()["breakers"]["probed in a test"] == "open"
    assert answer.json()["status"] == "degraded"
    assert samples(Client().get("/metrics"))["smartmaint_breaker_state/probed in a test"] == 2


@pytest.mark.parametrize(("state", "mode"), [("closed", "shared"), ("open", "per process")])
def test_readyz_says_how_requests_are_counted(db: None, state: str, mode: str) -> None:
    guard = Breaker("limiter", failures=1)
    if state == "open":
        with pytest.raises(ZeroDivisionError):
            guard.call(lambda: 1 // 0)
    assert Client().get("/readyz").json()["limiter"] == mode


def test_metrics_count_error_answers_by_code(db: None) -> None:
    name = "smartmaint_api_errors_total/parse_error"
    before = samples(Client().get("/metrics")).get(name, 0)
    Client().post("/api/v1/token", b"{", content_type="application/json")
    assert samples(Client().get("/metrics"))[name] == before + 1


def test_metrics_count_notes_and_the_age_of_the_oldest_open_one(db: None) -> None:
    sensor, now = make_sensor(), timezone.now()
    for held, age_s in ((False, 60), (False, 5), (True, 900)):
        note = ScoringNote.objects.create(sensor=sensor, since=now, until=now, held=held)
        ScoringNote.objects.filter(pk=note.pk).update(created_at=now - timedelta(seconds=age_s))
    found = samples(Client().get("/metrics"))
    assert found["smartmaint_scoring_notes/open"] == 2
    assert found["smartmaint_scoring_notes/held"] == 1
    assert found["smartmaint_oldest_open_note_seconds"] == pytest.approx(60, abs=5)


def test_metrics_count_what_is_to_be_rolled_up_and_what_retention_dropped(db: None) -> None:
    sensor, now = make_sensor(), timezone.now()
    RollupNote.objects.create(sensor=sensor, since=now, until=now)
    for readings in (5, 7):
        RetentionRun.objects.create(
            started_at=now, readings=readings, chunks=1, bytes=2**40, minute_hours=3, held=0
        )
    found = samples(Client().get("/metrics"))
    assert found["smartmaint_rollup_notes"] == 1
    assert found["smartmaint_retention_dropped/readings"] == 12
    assert found["smartmaint_retention_dropped/bytes"] == 2**41


def test_metrics_count_what_waits_in_quarantine_by_category(db: None) -> None:
    site, now = make_sensor().site, timezone.now()
    for index, replayed_at in enumerate((None, None, now)):
        QuarantinedReading.objects.create(
            site=site, category="quality", code="low", detail="", payload="{}", source="test",
            digest=bytes([index]) * 32, received_at=now, replayed_at=replayed_at,
        )  # fmt: skip
    found = samples(Client().get("/metrics"))
    assert found["smartmaint_quarantine_waiting/quality"] == 2
    assert found["smartmaint_quarantine_waiting/validation"] == 0


def test_metrics_count_waiting_jobs(db: None, redis_url: str) -> None:
    before = samples(Client().get("/metrics"))["smartmaint_jobs_waiting/training"]
    with Redis.from_url(redis_url) as client:
        job = Queue("training", connection=client, serializer=JSONSerializer).enqueue("no.job")
        try:
            after = samples(Client().get("/metrics"))["smartmaint_jobs_waiting/training"]
        finally:
            job.delete()
    assert after == before + 1


def test_metrics_still_answer_without_redis(db: None, settings: Settings) -> None:
    settings.REDIS_URL = f"redis://{NOBODY_LISTENS}/0"
    found = samples(Client().get("/metrics"))
    assert found["smartmaint_store_up/redis"] == 0
    assert found["smartmaint_store_up/postgresql"] == 1
    assert "smartmaint_jobs_waiting/detection" not in found


@pytest.mark.usefixtures("database_away")
@pytest.mark.django_db
def test_metrics_still_answer_without_postgresql() -> None:
    status, found = in_a_new_thread("/metrics")
    assert status == 200
    assert found["smartmaint_store_up/postgresql"] == 0
    assert found["smartmaint_store_up/redis"] == 1


def test_metrics_ask_few_and_always_the_same_number_of_queries(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    # Savepoint, its release, the time limit, and one query a table, three of validations.
    with django_assert_num_queries(16):
        Client().get("/metrics")


def test_metrics_ask_for_the_token_when_one_is_set(db: None, settings: Settings) -> None:
    settings.METRICS_TOKEN = "a-long-token"
    refused = Client().get("/metrics")
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "not_authenticated")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    wrong = Client().get("/metrics", headers={"Authorization": "Bearer a-long-tokem"})
    assert wrong.status_code == 401
    right = Client().get("/metrics", headers={"Authorization": "Bearer a-long-token"})
    assert right.status_code == 200


def test_counters_of_several_processes_are_added_up(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    count = "from prometheus_client import Counter; Counter('posted', 'In a test.').inc(2)"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", count], check=True, env=dict(os.environ))
    assert samples(Client().get("/metrics"))["posted_total"] == 4


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_nothing_can_be_posted_there(path: str) -> None:
    assert Client().post(path).status_code == 405
