"""Run one command, or one at a time, on the services."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

import environ as django_environ

from smartmaint.services.errors import ServiceError
from smartmaint.services.home import CHECKOUT, Home
from smartmaint.services.procfile import with_programs
from smartmaint.services.stack import DAILY, open_stack


def environment() -> dict[str, str]:
    """The process environment completed by `.env`, read as the settings read it."""
    file = CHECKOUT / ".env"
    if file.exists():
        django_environ.Env.read_env(str(file))
    return dict(os.environ)


def run_on_stack(home: Home, command: Sequence[str]) -> int:
    """Run `command` with the services' environment and return its exit code."""
    with open_stack(home, environment(), DAILY) as environ:
        return call(command, environ)


def call(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run `command` in the checkout and return its exit code, 128 + n when signal n ended it.

    Ctrl-C is the command's own business: a shell or a debugger means something else by it. Raises
    ServiceError when there is no such program.
    """
    try:
        process = subprocess.Popen(command, cwd=CHECKOUT, env=with_programs(environ))
    except FileNotFoundError as error:
        raise ServiceError(f"There is no program {command[0]!r}.") from error
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        code = process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
        _end(process)
    return code if code >= 0 else 128 - code


def _end(process: subprocess.Popen[bytes]) -> None:
    """Make sure the process is gone: it is, unless we were told to stop while it ran."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
    if process.poll() is None:
        process.kill()
    process.wait()


def must(command: Sequence[str], environ: Mapping[str, str]) -> None:
    """Run `command`, and raise ServiceError unless it exits 0."""
    code = call(command, environ)
    if code != 0:
        raise ServiceError(f"`{' '.join(command)}` failed with exit code {code}.")
