"""Keep Procfile processes running: one that ends is started again, after a growing pause."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from smartmaint.services import network, procfile
from smartmaint.services.errors import ServiceError

LONG_LIFE_SECONDS = 10.0
QUICK_DEATHS = 5
# The first start of MLflow writes its schema, which takes most of this on a slow disk.
START_SECONDS = 300


@dataclass
class _Charge:
    name: str
    environ: Mapping[str, str]
    running: procfile.Running
    started: float
    quick_deaths: int = 0


@dataclass
class Keeper:
    """Starts, watches and stops processes.

    output: opens a place for the process of that name to write to; it is closed on our side.
    report: told in one line when one is started again. note: told the process ids whenever they
    change.
    """

    output: Callable[[str], IO[bytes] | int]
    report: Callable[[str], None]
    note: Callable[[Sequence[int]], None]
    _charges: list[_Charge] = field(default_factory=list)

    def start(self, name: str, environ: Mapping[str, str]) -> None:
        """Start the Procfile's process `name` and keep it running from now on."""
        running = self._launch(name, environ)
        self._charges.append(_Charge(name, environ, running, time.monotonic()))
        self._note()

    def check(self) -> None:
        """Start again what has ended. Call it about twice a second.

        Raises ServiceError when a process ends soon after each of five starts in a row.
        """
        for charge in self._charges:
            if not charge.running.alive():
                self._start_again(charge)

    def _start_again(self, charge: _Charge) -> None:
        lived = time.monotonic() - charge.started
        quick = charge.quick_deaths + 1 if lived < LONG_LIFE_SECONDS else 0
        code = charge.running.process.returncode
        if quick >= QUICK_DEATHS:
            raise ServiceError(f"{charge.name} ends right after its start (exit code {code}).")
        if lived < quick - 1:
            return  # not yet: it rests 0, 1, 2, 3 seconds
        self.report(f"{charge.name} ended with exit code {code}; starting it again")
        charge.quick_deaths = quick
        charge.running = self._launch(charge.name, charge.environ)
        charge.started = time.monotonic()
        self._note()

    def _note(self) -> None:
        self.note([charge.running.process.pid for charge in self._charges])

    def _launch(self, name: str, environ: Mapping[str, str]) -> procfile.Running:
        output = self.output(name)
        try:
            return procfile.start(name, environ, output)
        finally:
            if isinstance(output, int):
                os.close(output)
            else:
                output.close()

    def stop(self) -> None:
        """Stop all, the last started first; all are asked before the first is waited for."""
        for charge in self._charges:
            charge.running.ask_to_end()
        while self._charges:
            self._charges.pop().running.stop()


@contextmanager
def serving(
    names: Sequence[str],
    environ: Mapping[str, str],
    *,
    output: Callable[[str], IO[bytes] | int],
    report: Callable[[str], None],
    note: Callable[[Sequence[int]], None],
) -> Iterator[Keeper]:
    """Run the Procfile's `names`, web among them, for the length of the block.

    The block begins when web, and MLflow where it is one of them, answer. Raises ServiceError.
    """
    keeper = Keeper(output, report, note)

    def patient() -> bool:
        keeper.check()
        return True

    try:
        for name in names:
            keeper.start(name, environ)
        web = f"http://127.0.0.1:{environ['PORT']}/livez"
        network.wait_for(web, seconds=START_SECONDS, alive=patient)
        if "mlflow" in names:
            health = f"{environ['MLFLOW_TRACKING_URI']}/health"
            network.wait_for(health, seconds=START_SECONDS, alive=patient)
        yield keeper
    finally:
        keeper.stop()
