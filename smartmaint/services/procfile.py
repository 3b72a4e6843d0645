"""Run single lines of the Procfile, so that a demo and a test start what production starts."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from smartmaint.services.errors import ServiceError
from smartmaint.services.home import CHECKOUT


def with_programs(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` with this interpreter's programs first in PATH, as an activated venv has it."""
    programs = str(Path(sys.executable).parent)
    path = environ.get("PATH", os.defpath)
    if path.split(os.pathsep)[0] != programs:
        path = f"{programs}{os.pathsep}{path}"
    return {**environ, "PATH": path}


def command_of(name: str) -> str:
    """The Procfile's command for `name`. Raises ServiceError when there is none."""
    for line in (CHECKOUT / "Procfile").read_text().splitlines():
        key, colon, command = line.partition(":")
        if colon and key.strip() == name:
            return command.strip()
    raise ServiceError(f"The Procfile has no process named {name!r}.")


@dataclass(frozen=True)
class Running:
    """One Procfile process and all it started: they share a session of their own."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def stop(self, *, patience_seconds: float = 15) -> None:
        """Ask the whole session to end, and end it when patience has."""
        self.signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(patience_seconds)
        self.kill()

    def kill(self) -> None:
        """End the whole session at once (SIGKILL)."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to every process of the session that is left."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def start(name: str, environ: Mapping[str, str], log: Path) -> Running:
    """Start the Procfile's process `name` with its output appended to `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command_of(name)],
            cwd=CHECKOUT,
            env=with_programs({"PYTHONUNBUFFERED": "1", **environ}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Running(name, process, log)
