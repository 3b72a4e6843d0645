"""Every pipeline on an empty installation, twice: on generated and on public data.

    .venv/bin/python -m smartmaint.services run -- python bench/models.py
                                            # ARGS: --data DIR --out FILE --fast

Starts an MLflow server that keeps its artifacts in an S3 bucket (moto, over HTTP), trains all
without files and then with them, loads every champion on an empty disk and has it score, counts
what lies in the bucket, and writes the figures of the second round to docs/MODELS.md. Databases of
its own, which are dropped at the end. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
PAGE = ROOT / "docs" / "MODELS.md"
BUCKET = "smartmaint-models"


def main() -> None:
    options = _options()
    sys.path.insert(0, str(ROOT))  # a script finds its own directory only
    from bench.place import own_place

    with tempfile.TemporaryDirectory() as directory, _bucket() as s3_url:
        os.environ["MODEL_CACHE_DIR"] = str(Path(directory, "models"))
        with _mlflow(Path(directory)), own_place():
            facts = _rounds(options)
            facts["objects_in_bucket"] = _objects(s3_url)
    print(json.dumps(facts))


def _rounds(options: argparse.Namespace) -> dict[str, float]:
    from django.core.management import call_command

    line = ["train", "all", *(["--fast"] if options.fast else [])]
    facts: dict[str, float] = {}
    if not options.public_only:
        begun = time.perf_counter()
        call_command(*line)
        facts["generated_s"] = round(time.perf_counter() - begun, 1)
        facts |= {f"generated_{key}": value for key, value in _champions().items()}
    call_command("seed", verbosity=0)
    begun = time.perf_counter()
    call_command(*line, "--data", str(options.data), "--report", str(options.out))
    facts["public_s"] = round(time.perf_counter() - begun, 1)
    return facts | _champions()


def _champions() -> dict[str, float]:
    """Load each on an empty disk and let it score."""
    import shutil

    import numpy as np
    from django.conf import settings

    from mlops import registry, serving
    from mlops.models import ModelApproval, Promotion
    from mlops.predictor import Predictor

    shutil.rmtree(settings.MODEL_CACHE_DIR, ignore_errors=True)
    serving.forget()
    names = sorted({row.name for row in Promotion.objects.all()})
    scored = 0
    for name in names:
        model = serving.load(name)
        X = np.zeros((2, len(model.features_)))
        said = model.predict(X) if isinstance(model, Predictor) else model.score(X)
        scored += bool(np.isfinite(said).all())
    registered = {row.name for row in ModelApproval.objects.all()}
    return {
        "registered_models": len(registered),
        "versions": ModelApproval.objects.count(),
        "champions": len(names),
        "champions_that_scored": scored,
        "experiments": len(registry.experiments()),
    }


@contextmanager
def _bucket() -> Iterator[str]:
    import boto3
    from moto.server import ThreadedMotoServer

    from smartmaint.services import network

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=network.free_port(), verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": url,
        "MLFLOW_S3_ENDPOINT_URL": url,
    }
    boto3.client("s3", endpoint_url=url).create_bucket(Bucket=BUCKET)
    yield url
    server.stop()


@contextmanager
def _mlflow(directory: Path) -> Iterator[None]:
    from smartmaint.services import databases
    from smartmaint.services.mlflow import MlflowServer

    store = databases.renamed(os.environ["DATABASE_URL"], "smartmaint_bench_mlflow")
    databases.recreate(store)
    server = MlflowServer(
        store=databases.for_sqlalchemy(store),
        artifacts=f"s3://{BUCKET}/mlflow",
        log=directory / "mlflow.log",
        environ=os.environ,
    )
    server.start()
    os.environ |= {"MLFLOW_TRACKING_URI": server.uri, "REGISTRY_TIMEOUT_SECONDS": "60"}
    try:
        yield
    finally:
        server.stop()
        databases.drop(store)


def _objects(s3_url: str) -> int:
    import boto3

    bucket = boto3.resource("s3", endpoint_url=s3_url).Bucket(BUCKET)
    return sum(1 for _ in bucket.objects.all())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help=f"default {DATA}")
    parser.add_argument("--out", type=Path, default=PAGE, help=f"default {PAGE}")
    parser.add_argument("--public-only", action="store_true", help="leave out the first round")
    parser.add_argument("--fast", action="store_true", help="less of it; for trying out")
    return parser.parse_args()


if __name__ == "__main__":
    main()
