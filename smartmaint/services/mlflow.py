"""A real MLflow server: the Procfile's own command, on a database of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from smartmaint.services import network, procfile
from smartmaint.services.errors import ServiceError, tail

# The first start writes MLflow's schema, which takes most of this on a slow disk.
START_SECONDS = 300
# Tracking and registry only: no job runners, no news from outside.
QUIET = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


def settings(*, store: str, artifacts: str, port: int) -> dict[str, str]:
    """The variables that the Procfile's mlflow line reads, for a server on loopback.

    store: SQLAlchemy URL of a database that is MLflow's alone. artifacts: directory or s3:// URL.
    """
    return {
        **QUIET,
        "MLFLOW_BACKEND_STORE_URI": store,
        "MLFLOW_ARTIFACT_ROOT": artifacts,
        "MLFLOW_HOST": "127.0.0.1",
        "MLFLOW_PORT": str(port),
    }


@dataclass
class MlflowServer:
    """A tracking server that can be stopped and started again under the same address.

    store, artifacts: as for `settings`; clients send and fetch artifacts through the server and
    need no access to either.
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
        own = settings(store=self.store, artifacts=self.artifacts, port=self.port)
        with self.log.open("ab") as output:
            self._running = procfile.start("mlflow", {**self.environ, **own}, output)
        try:
            network.wait_for(f"{self.uri}/health", seconds=START_SECONDS, alive=self._running.alive)
        except ServiceError as error:
            self.stop()
            raise ServiceError(
                f"The MLflow server is not there: {error}\n{tail(self.log)}"
            ) from error

    def stop(self) -> None:
        """Stop it and everything it started; nothing to do when it does not run."""
        if self._running is not None:
            self._running.stop()
            self._running = None
