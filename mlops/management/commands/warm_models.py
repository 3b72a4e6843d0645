"""Fetch what detection will ask for, before it does."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from mlops import registry, serving
from mlops.approval import Refused
from sensors.management.explained import ExplainedCommand

EPILOG = """\
  manage.py warm_models

Exit status: 0 all load, or there are none; 1 one does not, or MLflow is away.
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = (
        "Fetch every champion and challenger of readings to this machine's disk and check that it "
        "loads, so that the first job after a start waits for no network. Exit status 1 when one "
        "does not load."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            roles = registry.roles(serving.PREFIX)
        except registry.RegistryAway as away:
            raise CommandError(f"{away}. Is MLflow running? See MLFLOW_TRACKING_URI.") from away
        versions = sorted({(name, v) for name, of in roles.items() for v in of.values()})
        if not versions:
            self.stdout.write("There is no champion yet; `manage.py train anomaly` makes some.")
        failed = [version for version in versions if not self._warm(*version)]
        if failed:
            raise CommandError(f"{len(failed)} of {len(versions)} do not load.")

    def _warm(self, name: str, version: int) -> bool:
        try:
            serving.load(name, version)
        except (Refused, serving.Unavailable) as reason:
            self.stderr.write(f"{name} v{version}: {reason}")
            return False
        self.stdout.write(f"{name} v{version} is on disk and loads")
        return True
