"""Thresholds from verdicts: shown first, applied when told to."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from anomalies import recalibration, rescoring
from anomalies.models import Calibration
from anomalies.recalibration import Proposed
from sensors.management.explained import ExplainedCommand

EPILOG = """\
For each sensor, and each kind at a site, that people gave verdicts on, it proposes the confidence
below which an anomaly is a suspected false positive. It is made from the older verdicts and tried
on the newest 30 %: how many of the refuted ones nobody would have been bothered with. It is refused
where one of the confirmed faults would be missed, and with fewer than 8 verdicts.

  manage.py recalibrate                       say what would change
  manage.py recalibrate --apply --site north-plant
  manage.py recalibrate --list                what is in force
  manage.py recalibrate --revert 12           as it was before

The scheduler applies what may be applied every night. What was reverted is not proposed again
before there are new verdicts.

Exit status: 0 done; 2 an option is wrong.
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = "Propose and apply validation thresholds from people's verdicts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--site", help="slug; every site without it")
        parser.add_argument("--sensors", nargs="+", default=[], metavar="ID", help="external ids")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--apply", action="store_true", help="apply what may be applied")
        what.add_argument("--list", action="store_true", help="show what is in force")
        what.add_argument("--revert", nargs="+", type=int, metavar="NUMBER", help="take them back")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["revert"]:
            self._revert(options["revert"])
        elif options["list"]:
            self._list()
        else:
            self._propose(options)

    def _propose(self, options: dict[str, Any]) -> None:
        try:
            sensors = rescoring.sensors_named(options["sensors"], options["site"])
        except LookupError as error:
            raise CommandError(str(error.args[0]), returncode=2) from error
        found = list(recalibration.propose(sensors))
        for one in found:
            self._say(one, apply=options["apply"])
        if not found:
            self.stdout.write("Nobody has said anything yet about anomalies of these sensors.")

    def _say(self, found: Proposed, *, apply: bool) -> None:
        proposal, name = found.proposal, found.scope.name
        if proposal.refusal:
            self.stdout.write(f"{name}: refused, {proposal.refusal}.")
            return
        before, after = proposal.tried_before, proposal.tried_after
        if not proposal.moves:
            self.stdout.write(f"{name}: stays at {proposal.before.false_positive:g}.")
            return
        moved = f"{proposal.before.false_positive:g} to {proposal.after.false_positive:g}"
        tried = (
            f"of {after.refuted} refuted ones held back {after.spared} would be left out instead "
            f"of {before.spared}, of {after.confirmed} confirmed ones {len(after.missed)} missed"
        )
        done = "reverted before, no new verdicts since"
        if recalibration.applicable(found):
            done = "not applied"
            if apply:
                row = recalibration.apply(found, person=None, now=timezone.now())
                done = f"applied as {row.pk}"
        self.stdout.write(f"{name}: {moved}; {tried}; {done}.")

    def _list(self) -> None:
        rows = Calibration.objects.in_force().select_related("sensor", "site", "made_by")
        for row in rows:
            where = row.sensor.external_id if row.sensor else f"{row.kind} at {row.site}"
            self.stdout.write(
                f"{row.pk}  {where}: {row.before['false_positive']:g} to "
                f"{row.false_positive_threshold:g}, {row.made_at:%Y-%m-%d %H:%M} UTC, "
                f"by {row.made_by or 'the scheduler'}"
            )
        if not rows:
            self.stdout.write("Nothing is calibrated.")

    def _revert(self, numbers: list[int]) -> None:
        done = recalibration.revert(numbers, person=None, now=timezone.now())
        if missing := sorted(set(numbers) - {row.pk for row in done}):
            raise CommandError(f"Not in force: {', '.join(map(str, missing))}.", returncode=2)
        self.stdout.write(f"Reverted: {', '.join(str(row.pk) for row in done)}.")
