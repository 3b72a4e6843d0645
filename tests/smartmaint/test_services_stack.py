"""What a process finds in its environment, and the real servers behind it."""

import urllib.request
from pathlib import Path

import pytest
import yaml

from smartmaint.services import databases, keeper, procfile
from smartmaint.services.errors import ServiceError
from smartmaint.services.home import CHECKOUT, open_home
from smartmaint.services.mlflow import MlflowServer
from smartmaint.services.stack import Names, open_stack
from tests.services_fixtures import S3

GIVEN = {
    "DATABASE_URL": "postgresql://u:p@db.example/app",
    "REDIS_URL": "redis://cache.example/0",
    "MLFLOW_TRACKING_URI": "http://mlflow.example",
    "SECRET_KEY": "given",
}


def test_what_the_environment_names_is_used_and_nothing_is_started() -> None:
    with open_stack(open_home(), GIVEN, Names("smartmaint", "mlflow", 0)) as environ:
        assert environ.items() >= GIVEN.items()
        store = "postgresql+psycopg://u:p@db.example/mlflow"
        assert environ["MLFLOW_BACKEND_STORE_URI"] == store
        assert environ["JWT_SIGNING_KEY"]


def test_an_isolated_run_uses_neither_the_named_databases_nor_the_named_registry() -> None:
    names = Names("scratch", "mlflow_scratch", 9, isolated=True)
    with open_stack(open_home(), GIVEN, names) as environ:
        assert databases.name_of(environ["DATABASE_URL"]) == "scratch"
        assert environ["REDIS_URL"] == "redis://cache.example/9"
        assert "MLFLOW_TRACKING_URI" not in environ


def test_mlflow_comes_back_under_its_address(mlflow_server: MlflowServer) -> None:
    uri = mlflow_server.uri
    mlflow_server.stop()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{uri}/health", timeout=5)
    mlflow_server.start()
    assert mlflow_server.uri == uri
    with urllib.request.urlopen(f"{uri}/health", timeout=5) as answer:
        assert answer.status == 200


def test_the_bucket_of_the_s3_server_is_there(s3_server: S3) -> None:
    import boto3

    client = boto3.client("s3", endpoint_url=s3_server.url)
    client.put_object(Bucket=s3_server.bucket, Key="k", Body=b"v")
    assert client.get_object(Bucket=s3_server.bucket, Key="k")["Body"].read() == b"v"


@pytest.mark.parametrize("name", ["web", "worker", "scheduler", "mlflow", "release"])
def test_the_procfile_has_what_a_deployment_runs(name: str) -> None:
    assert procfile.command_of(name)


@pytest.mark.parametrize("name", ["web", "worker", "scheduler"])
def test_render_starts_what_the_procfile_says(name: str) -> None:
    services = yaml.safe_load((CHECKOUT / "render.yaml").read_text())["services"]
    found = next(one for one in services if one["name"] == f"smartmaint-{name}")
    assert found["startCommand"].endswith(procfile.command_of(name))


def test_no_queue_of_ours_evicts() -> None:
    services = yaml.safe_load((CHECKOUT / "render.yaml").read_text())["services"]
    queue = next(one for one in services if one["type"] == "keyvalue")
    assert queue["maxmemoryPolicy"] == "noeviction"
    compose = yaml.safe_load((CHECKOUT / "compose.yaml").read_text())["services"]
    assert "--maxmemory-policy noeviction" in compose["valkey"]["command"]


def test_a_process_that_ends_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procfile, "command_of", lambda _name: "sleep 30")
    remarks: list[str] = []
    pids: list[list[int]] = []
    log = tmp_path / "log"
    kept = keeper.Keeper(lambda _: log.open("ab"), remarks.append, lambda p: pids.append(list(p)))
    kept.start("worker", {})
    first = kept._charges[0].running
    first.process.kill()
    first.process.wait()
    kept.check()
    assert remarks == ["worker ended with exit code -9; starting it again"]
    assert pids[0] != pids[1]
    kept.stop()


def test_a_process_that_always_ends_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procfile, "command_of", lambda _name: "false")
    monkeypatch.setattr(keeper, "QUICK_DEATHS", 1)
    log = tmp_path / "log"
    kept = keeper.Keeper(lambda _: log.open("ab"), lambda _: None, lambda _: None)
    kept.start("web", {})
    kept._charges[0].running.process.wait()
    with pytest.raises(ServiceError, match="web ends right after its start"):
        kept.check()
    kept.stop()
