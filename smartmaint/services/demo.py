"""`make demo`: the golden path on databases of its own, through running processes."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import IO

from smartmaint.services import databases, leftovers, mlflow, network, run, scratch
from smartmaint.services.errors import ServiceError, tail
from smartmaint.services.home import CHECKOUT, Home
from smartmaint.services.keeper import Keeper, serving
from smartmaint.services.procfile import with_programs
from smartmaint.services.say import say
from smartmaint.services.stack import DEMO, open_stack
from smartmaint.services.up import MANAGE

PROCESSES = ("mlflow", "web", "worker", "scheduler")


def demo(home: Home, arguments: Sequence[str]) -> int:
    """Run `manage.py demo` on empty databases with web, worker, scheduler and MLflow running.

    Returns its exit code. Raises ServiceError, with the end of the logs, when a process fails.
    """
    for name in PROCESSES:
        (home.logs / f"demo-{name}.log").unlink(missing_ok=True)
    with (
        leftovers.only_one(home, "demo"),
        open_stack(home, run.environment(), DEMO) as environ,
    ):
        environ.update(_places(home, environ))
        _empty(home, environ)
        run.must([*MANAGE, "migrate", "--noinput", "--verbosity", "0"], environ)
        try:
            with _serving(home, environ) as keeper:
                code = _run(keeper, [*MANAGE, "demo", *arguments], environ)
        except ServiceError as error:
            raise ServiceError(f"{error}\n{_ends_of_logs(home)}") from error
    if code != 0:
        _remark(f"the demo ended with exit code {code}; logs: {home.logs}/demo-*.log")
    return code


def _places(home: Home, environ: Mapping[str, str]) -> dict[str, str]:
    port, mlflow_port = network.free_port(), network.free_port()
    return {
        "WEB_HOST": "127.0.0.1",
        "PORT": str(port),
        "DEMO_BASE_URL": f"http://127.0.0.1:{port}",
        "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{mlflow_port}",
        "MODEL_CACHE_DIR": str(home.data / "demo" / "models"),
        **mlflow.settings(
            store=environ["MLFLOW_BACKEND_STORE_URI"],
            artifacts=str(home.data / "demo" / "mlartifacts"),
            port=mlflow_port,
        ),
    }


def _empty(home: Home, environ: Mapping[str, str]) -> None:
    shutil.rmtree(home.data / "demo", ignore_errors=True)
    (home.data / "demo").mkdir()
    databases.recreate(environ["DATABASE_URL"])
    databases.recreate(databases.renamed(environ["DATABASE_URL"], DEMO.mlflow_database))
    scratch.claim(environ["REDIS_URL"])


def _serving(home: Home, environ: Mapping[str, str]) -> AbstractContextManager[Keeper]:
    note = partial(leftovers.note, home, "demo")
    return serving(PROCESSES, environ, output=_log_of(home), report=_remark, note=note)


def _run(keeper: Keeper, command: Sequence[str], environ: Mapping[str, str]) -> int:
    process = subprocess.Popen(command, cwd=CHECKOUT, env=with_programs(environ))
    try:
        while process.poll() is None:
            keeper.check()
            time.sleep(0.2)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _log_of(home: Home) -> Callable[[str], IO[bytes]]:
    return lambda name: (home.logs / f"demo-{name}.log").open("ab")


def _ends_of_logs(home: Home) -> str:
    logs = (home.logs / f"demo-{name}.log" for name in PROCESSES)
    return "\n".join(f"{log}:\n{tail(log)}" for log in logs)


def _remark(line: str) -> None:
    """Standard output belongs to the demo's own report, whose last line is JSON."""
    say(line, to=sys.stderr)
