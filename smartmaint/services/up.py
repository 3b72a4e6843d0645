"""`make up`: everything at http://127.0.0.1:8000 until Ctrl-C."""

import os
import sys
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import NoReturn

from smartmaint.services import leftovers, mlflow, network, run
from smartmaint.services.home import Home
from smartmaint.services.keeper import serving
from smartmaint.services.say import say
from smartmaint.services.stack import DAILY, ensure_mlflow_database, open_stack

WEB_PORT = 8000
MLFLOW_PORT = 5000
MANAGE = (sys.executable, "manage.py")


def up(home: Home) -> NoReturn:
    """Serve web, worker, scheduler and MLflow until interrupted.

    Raises ServiceError when `make up` already runs in this checkout.
    """
    with leftovers.only_one(home, "up"), open_stack(home, run.environment(), DAILY) as environ:
        own_mlflow = "MLFLOW_TRACKING_URI" not in environ
        environ.update(_addresses(environ, own_mlflow=own_mlflow))
        run.must([*MANAGE, "migrate", "--noinput", "--verbosity", "0"], environ)
        run.must([sys.executable, "-m", "smartmaint.services.first_admin"], environ)
        names = ["web", "worker", "scheduler"]
        if own_mlflow:
            ensure_mlflow_database(environ, DAILY)
            names.append("mlflow")
        note = partial(leftovers.note, home, "up")
        with serving(names, environ, output=_echo, report=say, note=note) as keeper:
            say(f"smartmaint is at http://{environ['WEB_HOST']}:{environ['PORT']}; Ctrl-C ends it")
            while True:
                keeper.check()
                time.sleep(0.5)


def _addresses(environ: Mapping[str, str], *, own_mlflow: bool) -> dict[str, str]:
    wanted = int(environ.get("PORT", WEB_PORT))
    port = network.port_near(wanted)
    if port != wanted:
        say(f"Port {wanted} is taken: serving at port {port} instead.")
    host = environ.get("WEB_HOST", "127.0.0.1")
    found = {"PORT": str(port), "WEB_HOST": host}
    # Messages link to where the pages are; an address to listen on everywhere is none to go to.
    reachable = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104
    found["PUBLIC_URL"] = environ.get("PUBLIC_URL") or f"http://{reachable}:{port}"
    if own_mlflow:
        mlflow_port = network.port_near(MLFLOW_PORT)
        found["MLFLOW_TRACKING_URI"] = f"http://127.0.0.1:{mlflow_port}"
        found |= mlflow.settings(
            store=environ["MLFLOW_BACKEND_STORE_URI"],
            artifacts=environ["MLFLOW_ARTIFACT_ROOT"],
            port=mlflow_port,
        )
    return found


def _echo(name: str) -> int:
    """The end of a pipe whose lines come out on our standard output under `name`."""
    inlet, outlet = os.pipe()

    def copy() -> None:
        with os.fdopen(inlet, errors="replace") as lines:
            for line in lines:
                say(f"{name:<9} | {line.rstrip()}")

    threading.Thread(target=copy, name=f"echo {name}", daemon=True).start()
    return outlet
