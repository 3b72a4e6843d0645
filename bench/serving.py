"""What loading a champion costs a job: first from the bucket, then from disk in another fork.

    python -m smartmaint.services run -- python -m bench.serving

Starts an S3 server (moto) and an MLflow server that hands artifacts through from it. Each load is
in a process forked from one that has the libraries loaded, as a worker's jobs are.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django

ROUNDS = 7
CANDIDATES = ("isolation_forest", "mahalanobis", "tails")
BUCKET = "bench"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartmaint.settings")
    django.setup()
    with _stores() as cache:
        found = {name: _measured(*_registered(name), cache) for name in CANDIDATES}
    print(f"{'':<18}{'first job, ms':>15}{'another, ms':>13}{'ratio':>8}")
    for name, of in found.items():
        print(f"{name:<18}{of['first_ms']:>15.1f}{of['second_ms']:>13.2f}{of['ratio']:>8.3f}")
    print(json.dumps(found))


@contextmanager
def _stores() -> Iterator[Path]:
    """Both servers, and an empty folder of models that the settings name."""
    import boto3
    from django.conf import settings
    from moto.server import ThreadedMotoServer

    from smartmaint.services import databases, network
    from smartmaint.services.mlflow import MlflowServer

    port = network.free_port()
    s3 = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    s3.start()
    url = f"http://127.0.0.1:{port}"
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "us-east-1",
        "MLFLOW_S3_ENDPOINT_URL": url,
    }
    boto3.client("s3", endpoint_url=url).create_bucket(Bucket=BUCKET)
    store = databases.renamed(os.environ["DATABASE_URL"], f"bench_mlflow_{os.getpid()}")
    databases.recreate(store)
    with tempfile.TemporaryDirectory() as folder:
        server = MlflowServer(
            store=databases.for_sqlalchemy(store),
            artifacts=f"s3://{BUCKET}/models",
            log=Path(folder, "mlflow.log"),
            environ=os.environ,
        )
        server.start()
        settings.MLFLOW_TRACKING_URI = server.uri
        settings.MODEL_CACHE_DIR = Path(folder, "models")
        settings.REGISTRY_TIMEOUT_SECONDS = 60
        try:
            yield settings.MODEL_CACHE_DIR
        finally:
            server.stop()
            databases.drop(store)
            s3.stop()


def _registered(name: str) -> tuple[str, int, str]:
    """A candidate fitted on generated readings: its name, version and hash."""
    from mlops import artifacts, registry
    from mlops.cache import digest
    from tests.mlops.makers import fitted

    packed = artifacts.pack(fitted(name))
    model = f"anomaly-bench-{name}"
    version = registry.log_and_register(
        registry.Run("bench", model, params={}, metrics={}),
        artifact=packed,
        manifest=b"{}",
        model=model,
        tags={"task": "anomaly"},
    )
    return model, version, digest(packed)


def _measured(name: str, version: int, sha256: str, cache: Path) -> dict[str, float]:
    firsts, others = [], []
    for _ in range(ROUNDS):
        shutil.rmtree(cache, ignore_errors=True)
        firsts.append(_in_a_fork(name, version, sha256))
        others.append(_in_a_fork(name, version, sha256))
    first, other = statistics.median(firsts), statistics.median(others)
    return {"first_ms": 1e3 * first, "second_ms": 1e3 * other, "ratio": other / first}


def _in_a_fork(name: str, version: int, sha256: str) -> float:
    with multiprocessing.get_context("fork").Pool(1) as job:
        return float(job.apply(_load, (name, version, sha256)))


def _load(name: str, version: int, sha256: str) -> float:
    """Seconds until there is a model; whether it may be loaded, the database says in a moment."""
    from mlops.loading import model_of
    from mlops.registry import patient
    from mlops.tally import Took

    began = time.perf_counter()
    model_of(name, version, sha256, patient(), Took())
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
