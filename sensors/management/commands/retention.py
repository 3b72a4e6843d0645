"""`manage.py retention`: drop readings and minute roll-ups that are past their retention."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from sensors import dropping, keeping, retention
from sensors.management.explained import ExplainedCommand

EPILOG = """\
  manage.py retention --dry-run
  RAW_RETENTION_DAYS=365 manage.py retention

Exit status: 0 done.
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = (
        "Drop readings that are older than RAW_RETENTION_DAYS, or than their kind's entry in "
        "RAW_RETENTION_DAYS_BY_KIND, and minute roll-ups older than MINUTE_RETENTION_DAYS; the "
        "daily housekeeping does the same. What waits to be rolled up or scored is kept until it "
        "is. May be stopped at any moment and run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only say what would go.")

    def handle(self, **options: Any) -> None:
        if not keeping.is_limited():
            self.stdout.write("Everything is kept for ever: no retention is set.")
            return
        now = timezone.now()
        for due in retention.due(now=now):
            if due.sensors or due.held:
                self.stdout.write(_line(due))
        if options["dry_run"]:
            self._forecast(now)
            return
        dropped = retention.drop(now=now, on_step=lambda text: self.stdout.write(f"dropped {text}"))
        self.stdout.write(
            f"{dropped.readings:,} readings, {dropped.chunks:,} chunks of "
            f"{dropped.bytes / 2**20:,.1f} MiB, minute roll-ups of {dropped.minute_hours:,} hours"
        )

    def _forecast(self, now: Any) -> None:
        cutoff = retention.chunks_cutoff(now)
        for chunk in dropping.chunks_before(cutoff) if cutoff else ():
            self.stdout.write(
                f"a chunk of {chunk.size / 2**20:,.1f} MiB until {chunk.end:%Y-%m-%d} UTC"
            )
        if minutes := keeping.minutes_dropped_before(now):
            self.stdout.write(f"minute roll-ups before {minutes:%Y-%m-%d %H:%M} UTC")
        self.stdout.write("Nothing was dropped: this was a dry run.")


def _line(due: retention.Due) -> str:
    text = (
        f"{due.kind}: readings before {due.cutoff:%Y-%m-%d %H:%M} UTC ({due.days} days), "
        f"{due.readings:,} of {due.sensors:,} sensors by their roll-ups"
    )
    held = f"; open notes hold back a part of {due.held:,} sensors" if due.held else ""
    return text + held
