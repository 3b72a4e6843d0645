"""The environment a smartmaint process needs, with a server started for whatever it lacks."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from smartmaint.services import databases, keys, lease, openmp, postgres, scratch, timescale, valkey
from smartmaint.services.home import Home
from smartmaint.services.say import say


@dataclass(frozen=True)
class Names:
    """Which databases of the servers a run uses, so that runs do not meet.

    isolated: also on servers that the environment names, and never the MLflow it names.
    """

    database: str
    mlflow_database: str
    redis_number: int
    isolated: bool = False


DAILY = Names("smartmaint", "mlflow", 0)
DEMO = Names("smartmaint_demo", "mlflow_demo", 1, isolated=True)


@contextmanager
def open_stack(home: Home, environ: Mapping[str, str], names: Names) -> Iterator[dict[str, str]]:
    """`environ` completed with DATABASE_URL, REDIS_URL, keys and MLflow's places.

    Variables that are set win. Servers started for the block stop after it, unless another process
    uses them too. On a server of ours the app's database exists inside the block.
    Raises ServiceError when a server does not come up.
    """
    given = {name: value for name, value in environ.items() if value}
    if "DATABASE_URL" not in given and (url := timescale.running_url(home)):
        say(f"using TimescaleDB at {databases.without_password(url)}", to=sys.stderr)
        given["DATABASE_URL"] = databases.renamed(url, names.database)
        databases.ensure(given["DATABASE_URL"])
    if names.isolated:
        given = _isolated(given, names)
    with ExitStack() as held:
        if not {"DATABASE_URL", "REDIS_URL"} <= given.keys():
            held.enter_context(_embedded(home, given))
        yield _completed(home, given, names)


def _isolated(given: Mapping[str, str], names: Names) -> dict[str, str]:
    own = {name: value for name, value in given.items() if not name.startswith("MLFLOW_")}
    if "DATABASE_URL" in own:
        own["DATABASE_URL"] = databases.renamed(own["DATABASE_URL"], names.database)
    if "REDIS_URL" in own:
        own["REDIS_URL"] = scratch.redis_database(own["REDIS_URL"], names.redis_number)
    return own


@contextmanager
def _embedded(home: Home, given: Mapping[str, str]) -> Iterator[None]:
    def start() -> None:
        if "DATABASE_URL" not in given:
            postgres.start(home)
        if "REDIS_URL" not in given:
            valkey.start(home)

    def stop() -> None:
        stop_embedded(home)

    with lease.shared(home.data, start=start, stop=stop):
        yield


def ensure_mlflow_database(environ: Mapping[str, str], names: Names) -> None:
    """Create MLflow's database beside the app's, unless the environment put it elsewhere."""
    store = databases.renamed(environ["DATABASE_URL"], names.mlflow_database)
    if environ["MLFLOW_BACKEND_STORE_URI"] == databases.for_sqlalchemy(store):
        databases.ensure(store)


def stop_embedded(home: Home) -> None:
    """Stop both embedded servers, whoever started them; their data stays."""
    valkey.stop(home)
    postgres.stop(home)


def _completed(home: Home, given: Mapping[str, str], names: Names) -> dict[str, str]:
    found = openmp.library_path(home.data / "lib", given)
    full = {**_local_defaults(home.data), **given, **found}
    if "DATABASE_URL" not in given:
        full["DATABASE_URL"] = postgres.url(home, names.database)
        databases.ensure(full["DATABASE_URL"])
    full.setdefault("REDIS_URL", valkey.url(home, names.redis_number))
    store = databases.renamed(full["DATABASE_URL"], names.mlflow_database)
    full.setdefault("MLFLOW_BACKEND_STORE_URI", databases.for_sqlalchemy(store))
    return full


def _local_defaults(data: Path) -> dict[str, str]:
    return {
        **keys.local_keys(data),
        "MLFLOW_ARTIFACT_ROOT": str(data / "mlartifacts"),
        # Loopback speaks plain HTTP; a public deployment leaves SECURE at its default, on.
        "SECURE": "0",
        # The servers are local: a browser test or a notebook on top must not look for a proxy.
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
