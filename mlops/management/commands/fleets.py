"""Learn what the sensors of a kind at a site have in common."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from mlops import fleets
from mlops.detectors.fleet import FEWEST_SENSORS, LEAST_ROWS
from sensors.management.arguments import positive
from sensors.management.explained import ExplainedCommand

EPILOG = """\
  manage.py fleets --dry-run
  manage.py fleets

Exit status: 0 done.
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = (
        "Learn what the sensors of a kind at a site have in common, as the scheduler does every "
        "night: it helps to judge sensors that are new there, from their first reading on. It "
        f"takes {FEWEST_SENSORS} sensors of {LEAST_ROWS} readings each. What is known is learnt "
        "again once it is a month old or the fleet has grown by half; what was found before stays."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="say which fleets are due and learn nothing"
        )
        parser.add_argument(
            "--seconds", type=positive, default=600, help="begin no other fleet after; %(default)s"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        if options["dry_run"]:
            due = fleets.due(now=now)
            for (site, kind, unit), sensors in due:
                self.stdout.write(
                    f"due: {kind} in {unit or 'no unit'}, site {site}: {len(sensors)}"
                )
            self.stdout.write(f"{len(due)} fleets are due.")
            return
        for prior in fleets.learn_due(now=now, seconds=options["seconds"]):
            self.stdout.write(
                f"{prior} of {prior.site}: {len(prior.sensors)} sensors, judges new ones by their "
                f"readings from {prior.serves_from:%Y-%m-%d %H:%M} UTC on"
            )
        left = len(fleets.due(now=now))
        self.stdout.write(f"{left} fleets are still due." if left else "No fleet is due.")
