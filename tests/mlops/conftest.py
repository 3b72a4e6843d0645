from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from mlops import serving
from smartmaint.services.mlflow import MlflowServer


@pytest.fixture
def model_cache(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """An empty cache of models on disk, and nothing remembered in this process."""
    settings.MODEL_CACHE_DIR = tmp_path / "models"
    serving.forget()
    yield settings.MODEL_CACHE_DIR
    serving.forget()


@pytest.fixture
def mlflow(
    mlflow_server: MlflowServer, settings: Settings, model_cache: Path
) -> Iterator[MlflowServer]:
    """The real server, running, as the one that the settings name."""
    mlflow_server.start()
    settings.MLFLOW_TRACKING_URI = mlflow_server.uri
    settings.REGISTRY_TIMEOUT_SECONDS = settings.MODEL_PATIENCE_SECONDS = 60
    # A busy machine is no outage.
    yield mlflow_server
    mlflow_server.start()
