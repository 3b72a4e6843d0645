"""Run single lines of the Procfile, so that a demo and a test start what production starts."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

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
    """One Procfile process, in a session of its own: a terminal's Ctrl-C does not reach it."""

    name: str
    process: subprocess.Popen[bytes]

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def ask_to_end(self) -> None:
        """Send SIGTERM to the process alone: each of ours knows how to end its children."""
        self.process.send_signal(signal.SIGTERM)

    def stop(self, *, patience_seconds: float = 10) -> None:
        """Ask it to end, and after `patience_seconds` end it and all it started."""
        family = _family(self.process.pid)
        self.ask_to_end()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(patience_seconds)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def start(name: str, environ: Mapping[str, str], output: IO[bytes] | int) -> Running:
    """Start the Procfile's process `name`, writing to `output`.

    The shell gives way to the command (exec), so a signal reaches the program itself.
    """
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"exec {command_of(name)}"],
        cwd=CHECKOUT,
        env=with_programs({"PYTHONUNBUFFERED": "1", **environ}),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    return Running(name, process)
