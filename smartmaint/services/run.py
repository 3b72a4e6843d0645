"""Run one command, or one at a time, on the services."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

import environ as django_environ

from smartmaint.services.errors import ServiceError
from smartmaint.services.home import CHECKOUT, Home
from smartmaint.services.procfile import with_programs
from smartmaint.services.stack import DAILY, open_stack

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
    process = None
    before = signal.getsignal(signal.SIGINT)
    try:
        with _held_back():
            process = _started(command, environ)
        signal.signal(signal.SIGINT, lambda *_: None)
        code = process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
        if process is not None:
            _end(process)
    return code if code >= 0 else 128 - code


def _started(command: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, cwd=CHECKOUT, env=with_programs(environ))
    except FileNotFoundError as error:
        raise ServiceError(f"There is no program {command[0]!r}.") from error


@contextmanager
def _held_back() -> Iterator[None]:
    """What tells us to stop is heard at the end of the block: what was started in it is known then,
    and can be ended."""
    told: list[tuple[int, FrameType | None]] = []
    answers = {number: signal.getsignal(number) for number in STOPPING}
    for number, answer in answers.items():
        if callable(answer):
            signal.signal(number, lambda number, frame: told.append((number, frame)))
    try:
        yield
    finally:
        for number, answer in answers.items():
            if callable(answer):
                signal.signal(number, answer)
    for told_by, frame in told:
        answer = answers[signal.Signals(told_by)]
        if callable(answer):
            answer(told_by, frame)


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
