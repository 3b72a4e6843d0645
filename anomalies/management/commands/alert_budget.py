"""How credible an anomaly must be for episodes to stay within a budget, and what that costs."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from anomalies import budgeting
from anomalies.budget import Cost
from anomalies.budgeting import Proposed
from sensors.management.arguments import not_negative, positive
from sensors.management.explained import ExplainedCommand
from sensors.models import Site

MOST_WEEKS = 520
EPILOG = """\
For a kind of sensor at a site it looks at the anomalies of the last weeks and finds the lowest
confidence, below which an anomaly would be a suspected false positive, with which the machines of
the site would have had no more than N episodes a week; and how many of the faults that people
confirmed nothing would have told of. Other kinds keep their thresholds.

  manage.py alert_budget --site north --per-week 5                      each kind by itself
  manage.py alert_budget --site north --kind vibration --per-week 5 --weeks 8
  manage.py alert_budget --site north --kind vibration --per-week 5 --apply
  manage.py recalibrate --list; manage.py recalibrate --revert 12       as it was before

What is applied is a calibration: it is written down with these figures and can be reverted. With
--apply nothing is applied that misses a confirmed fault, unless --accept-missed says so.
`manage.py replay` shows what a threshold does to every episode and notification.

Exit status: 0 the budget is met, or was applied; 1 it is not met, or costs a confirmed fault;
2 an option is wrong.
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = "Propose the thresholds that keep episodes within a budget."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--site", required=True, help="slug")
        parser.add_argument("--kind", help="of sensors; each kind of the site without it")
        parser.add_argument(
            "--per-week", type=not_negative, required=True, metavar="N", help="episodes, at most"
        )
        parser.add_argument("--weeks", type=positive, default=4.0, help="to look back; %(default)g")
        parser.add_argument("--apply", action="store_true", help="needs --kind")
        parser.add_argument(
            "--accept-missed", action="store_true", help="apply even what misses a confirmed fault"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object a kind")

    def handle(self, *args: Any, **options: Any) -> None:
        site = Site.objects.filter(slug=options["site"]).first()
        if site is None:
            raise CommandError(f"There is no site {options['site']}.", returncode=2)
        if options["weeks"] > MOST_WEEKS:
            raise CommandError(f"--weeks is at most {MOST_WEEKS}.", returncode=2)
        if options["apply"] and not options["kind"]:
            raise CommandError("--apply needs --kind: budgets of kinds add up.", returncode=2)
        found = self._proposed(site, options)
        for one in found:
            self._say(one, as_json=options["json"])
        settled = [self._settled(one, options) for one in found]
        if not all(settled):
            sys.exit(1)

    def _proposed(self, site: Site, options: dict[str, Any]) -> list[Proposed]:
        asked = {"per_week": options["per_week"], "weeks": options["weeks"]}
        try:
            return budgeting.propose_each(site, options["kind"] or "", **asked, now=timezone.now())
        except LookupError as error:
            raise CommandError(str(error.args[0]), returncode=2) from error

    def _settled(self, found: Proposed, options: dict[str, Any]) -> bool:
        """Whether the budget is met, by what is in force or by what was applied just now."""
        if not found.moves:
            return found.budget.after is not None
        accepted = options["accept_missed"]
        if not options["apply"]:
            return accepted or not found.is_dear
        try:
            row = budgeting.apply(found, person=None, now=timezone.now(), accept_missed=accepted)
        except budgeting.NotApplied as reason:
            self.stderr.write(f"Not applied: {reason} (--accept-missed).")
            return False
        self.stderr.write(f"Applied as calibration {row.pk}; recalibrate --revert takes it back.")
        return True

    def _say(self, found: Proposed, *, as_json: bool) -> None:
        budget = found.budget
        if as_json:
            said = {"site": found.site.slug, "kind": found.kind, **asdict(budget)}
            self.stdout.write(json.dumps(said))
            return
        self.stdout.write(
            f"{found.kind} at {found.site}: at most {budget.allowed_per_week:g} episodes a week; "
            f"{budget.confirmed} confirmed anomalies"
        )
        self._row("now", budget.before)
        if budget.after is None:
            self._row("at most", budget.steps[-1])
            self.stdout.write("  No threshold meets the budget: what is left is certain.")
        elif found.moves:
            self._row("proposed", budget.after)
        else:
            self.stdout.write("  It is met as it is.")

    def _row(self, name: str, cost: Cost) -> None:
        self.stdout.write(
            f"  {name:9} from confidence {cost.threshold:.3g} on: {cost.episodes} episodes, "
            f"{cost.per_week:.3g} a week, {cost.missed} confirmed missed"
        )
