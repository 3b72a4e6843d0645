"""The services for a test run, as a pytest plugin: loaded by `-p tests.services_fixtures`.

It completes the environment before Django reads its settings, so `python -m pytest` works from a
fresh checkout. Two test runs in one checkout get databases of their own.
"""

import atexit
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from smartmaint.services import databases, lease, network, scratch
from smartmaint.services.home import open_home
from smartmaint.services.mlflow import MlflowServer
from smartmaint.services.run import environment
from smartmaint.services.stack import Names, open_stack

SLOTS = 8
# Valkey's databases 0 and 1 are the daily run's and the demo's; 8 to 15 are for tests.
FIRST_REDIS_NUMBER = 8
NOBODY_LISTENS = "http://127.0.0.1:9"
_held = ExitStack()
# A run that dies before pytest is configured never comes to pytest_unconfigure.
atexit.register(_held.close)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Set DATABASE_URL, REDIS_URL and the rest before pytest-django loads the settings."""
    if early_config.known_args_namespace.help or early_config.known_args_namespace.version:
        return
    with ExitStack() as starting:
        os.environ.update(_environment(starting))
        _held.push(starting.pop_all())


def _environment(held: ExitStack) -> dict[str, str]:
    home = open_home()
    slot = held.enter_context(lease.first_free(home.data, "tests", SLOTS))
    suffix = "" if slot == 0 else f"_{slot + 1}"
    names = Names(
        f"smartmaint{suffix}", f"mlflow_tests{suffix}", FIRST_REDIS_NUMBER + slot, isolated=True
    )
    environ = held.enter_context(open_stack(home, environment(), names))
    scratch.claim(environ["REDIS_URL"])
    # A test that means to talk to MLflow asks for `mlflow_server`; the others find nobody.
    environ["MLFLOW_TRACKING_URI"] = NOBODY_LISTENS
    environ["MODEL_CACHE_DIR"] = str(home.data / f"test-models{suffix}")
    return environ


def pytest_unconfigure() -> None:
    """Let go of the servers; the last one out stops them."""
    _held.close()


@pytest.fixture(scope="session")
def redis_url() -> str:
    """A Redis database that is this run's alone; empty when the run starts."""
    return os.environ["REDIS_URL"]


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A real MLflow server on an empty PostgreSQL database of its own.

    `.uri` is its address; `.stop()` and `.start()` take it away and bring it back at that address.
    Whoever stops it starts it again.
    """
    names = os.environ["DATABASE_URL"]
    store = databases.renamed(names, f"test_mlflow_{databases.name_of(names)}")
    databases.recreate(store)
    directory: Path = tmp_path_factory.mktemp("mlflow")
    server = MlflowServer(
        store=databases.for_sqlalchemy(store),
        artifacts=str(directory / "artifacts"),
        log=directory / "mlflow.log",
        environ=os.environ,
    )
    server.start()
    yield server
    server.stop()
    databases.drop(store)


@dataclass(frozen=True)
class S3:
    """An S3 server over real HTTP: its address and a bucket that exists."""

    url: str
    bucket: str


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    """An S3 server (moto) on a free port, with credentials for it in the environment."""
    import boto3
    from moto.server import ThreadedMotoServer

    port = network.free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    s3 = S3(url=f"http://127.0.0.1:{port}", bucket="smartmaint-tests")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL_S3", s3.url)
        patch.setenv("MLFLOW_S3_ENDPOINT_URL", s3.url)
        boto3.client("s3", endpoint_url=s3.url).create_bucket(Bucket=s3.bucket)
        yield s3
    server.stop()
