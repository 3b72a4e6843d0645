"""`manage.py rollup`: the roll-ups brought up to date by hand, or computed anew."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from tqdm import tqdm

from sensors import rollups
from sensors.management.explained import ExplainedCommand
from sensors.models import Sensor

EPILOG = """\
  manage.py rollup                                              what is noted
  manage.py rollup --rebuild --sensors pump-1.temperature --since 2026-03-01

Exit status: 0 done; 1 there is no such sensor, or the time is none.
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = (
        "Compute the minutes and hours whose readings changed; `manage.py scheduler` has a worker "
        "do the same every 30 seconds. May be stopped at any moment and run again, also beside "
        "itself: what is not done stays noted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--rebuild",
            action="store_true",
            help="Compute everything anew from the readings that are kept.",
        )
        parser.add_argument(
            "--sensors", nargs="+", metavar="SENSOR", help="Only these: numbers or external ids."
        )
        parser.add_argument("--since", help="With --rebuild: from this event time on, ISO 8601.")

    def handle(self, **options: Any) -> None:
        since = _time(options["since"])
        if since and not options["rebuild"]:
            raise CommandError("--since goes with --rebuild.")
        sensors = _chosen(options["sensors"])
        if options["rebuild"]:
            noted = rollups.note_all(sensors=sensors, since=since)
            self.stdout.write(f"{noted:,} sensors noted to be computed anew")
        rolled = _with_progress(sensors)
        self.stdout.write(f"{rolled.minutes:,} minutes computed for {rolled.notes:,} notes")
        left = rollups.notes_of(sensors).count()
        if left:
            self.stdout.write(f"{left:,} notes are new, or another pass works on them")


def _with_progress(sensors: list[int] | None) -> rollups.Rolled:
    with tqdm(
        total=rollups.minutes_noted(sensors),
        unit="min",
        unit_scale=True,
        disable=not sys.stderr.isatty(),
        desc="event time",
    ) as bar:
        return rollups.roll_up(
            sensors=sensors, on_pass=lambda rolled: _advance(bar, rolled.minutes)
        )


def _advance(bar: Any, minutes: int) -> None:
    bar.update(minutes)


def _chosen(named: list[str] | None) -> list[int] | None:
    """The numbers of the sensors that are named. Raises CommandError for one that is not there."""
    if named is None:
        return None
    found: set[int] = set()
    for name in named:
        is_it = Q(external_id=name)
        if name.isascii() and name.isdigit() and len(name) < 19:
            is_it |= Q(pk=int(name))
        numbers = set(Sensor.objects.filter(is_it).values_list("pk", flat=True))
        if not numbers:
            raise CommandError(f"There is no sensor {name}.")
        found |= numbers
    return sorted(found)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        time = parse_datetime(text)
    except ValueError:
        time = None
    if time is None:
        raise CommandError(f"{text!r} is no time; 2026-01-05T14:20:00Z is one.")
    return time if timezone.is_aware(time) else timezone.make_aware(time)
