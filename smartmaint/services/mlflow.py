"""A real MLflow server: the Procfile's own command, on a database of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from smartmaint.services import network, procfile
from smartmaint.services.errors import ServiceError, tail

# The first start writes MLflow's schema, which takes most of this on a slow disk.
START_SECONDS = 120
# Tracking and registry only: no job runners, no news from outside.
QUIET = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass
class MlflowServer:
    """A tracking server that can be stopped and started again under the same address.

    store: SQLAlchemy URL of a database that is MLflow's alone. artifacts: directory or s3:// URL;
    clients send and fetch artifacts through the server and need no access to it.
    """

    store: str
    artifacts: str
    log: Path
    environ: Mapping[str, str]
    port: int = field(default_factory=network.free_port)
    _running: procfile.Running | None = None

    @property
    def uri(self) -> str:
        """What MLFLOW_TRACKING_URI is set to."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it answers; nothing to do when it runs. Raises ServiceError."""
        if self._running is not None and self._running.alive():
            return
        server = procfile.start("mlflow", self._environment(), self.log)
        self._running = server
        try:
            network.wait_for(
                f"{self.uri}/health",
                seconds=START_SECONDS,
                alive=server.alive,
                on_failure=f"The MLflow server does not answer at {self.uri}; see {self.log}.",
            )
        except ServiceError as error:
            self.stop()
            raise ServiceError(f"{error}\n{tail(self.log)}") from error

    def stop(self) -> None:
        """Stop it and everything it started; nothing to do when it does not run."""
        if self._running is not None:
            self._running.stop()
            self._running = None

    def _environment(self) -> dict[str, str]:
        return {
            **self.environ,
            **QUIET,
            "MLFLOW_BACKEND_STORE_URI": self.store,
            "MLFLOW_ARTIFACT_ROOT": self.artifacts,
            "MLFLOW_HOST": "127.0.0.1",
            "MLFLOW_PORT": str(self.port),
        }
