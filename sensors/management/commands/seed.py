"""`manage.py seed`: the generated fleet, so that there is something to look at."""

from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from sensors import seeding
from sensors.generator import generate
from sensors.management.arguments import seed_number
from sensors.management.explained import ExplainedCommand
from sensors.series import to_datetime64

EARLIEST_YEAR = 1970
EPILOG = """\
  manage.py seed                       a fleet up to now, with 32 faults in its newest days
  manage.py seed --reset --seed 2      another fleet in its place

Exit status: 0 done; 1 another fleet is there, or an option cannot be used.
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = (
        "Create 20 sensors on 6 machines of 2 sites and write their generated readings. "
        "A second run adds nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--seed", type=seed_number, default=1, metavar="N", help="Which fleet; %(default)s."
        )
        parser.add_argument(
            "--until", help="End of the timeline, ISO 8601. Default: as seeded before, else now."
        )
        parser.add_argument(
            "--history-only", action="store_true", help="Leave out the period with the faults."
        )
        parser.add_argument(
            "--labels", type=Path, help="Where the faults are noted. Default: .data/seed-N.json."
        )
        parser.add_argument(
            "--reset", action="store_true", help="Delete the sensors seeded before, first."
        )

    def handle(self, **options: Any) -> None:
        if options["reset"]:
            self.stdout.write(f"deleted {seeding.reset():,} readings of the fleet that was there")
        now, seed = timezone.now(), options["seed"]
        until = self._until(options["until"], now)
        fleet = generate(seed, to_datetime64(until))
        try:
            sites = seeding.create_fleet(fleet=fleet, until=until)
        except seeding.OtherFleetError as there:
            raise CommandError(f"{there} --reset deletes it.") from there
        totals = seeding.write(
            fleet=fleet,
            sites=sites,
            held_back=not options["history_only"],
            now=now,
            on_batch=lambda done: self.stdout.write(f"{done:>7,} readings"),
        )
        labels = options["labels"] or settings.BASE_DIR / ".data" / f"seed-{seed}.json"
        seeding.write_labels(fleet, labels)
        self.stdout.write(", ".join(f"{count:,} {name}" for name, count in totals.items()))
        self.stdout.write(f"the {len(fleet.faults)} faults are noted in {labels}")

    def _until(self, given: str | None, now: datetime) -> datetime:
        if given is None:
            there = seeding.seeded_as()
            return there[1] if there else seeding.floor_to_interval(now)
        try:
            until = parse_datetime(given)
        except ValueError as error:
            raise CommandError(f"--until: {error}") from error
        if until is None:
            raise CommandError(f"--until: {given!r} is no ISO 8601 time.")
        if not EARLIEST_YEAR <= until.year <= now.year:
            raise CommandError(f"--until: a year from {EARLIEST_YEAR} to {now.year}.")
        return until if timezone.is_aware(until) else timezone.make_aware(until)
