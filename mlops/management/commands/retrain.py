"""Train again the models of which the sensors drifted, or that grew old."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from mlops import retraining
from mlops.models import Retraining
from mlops.retraining_policy import Due
from sensors.management.arguments import seed_number
from sensors.management.explained import ExplainedCommand

EPILOG = """\
  manage.py retrain --dry-run
  manage.py retrain

Exit status: 0 done, or nothing is due; 1 one could not be trained.
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = (
        "Train again the models of which the sensors drifted, or that grew old, as the scheduler "
        "does every night. What comes out is a challenger; champion it becomes only where the gate "
        "and the sites allow it. RETRAINING_POLICY says when one is due."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="say of each kind whether it is due, and why"
        )
        parser.add_argument(
            "--seed", type=seed_number, default=0, help="of everything random; %(default)s"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        policy = retraining.policy()
        if options["dry_run"]:
            for kind, found in retraining.look(now=timezone.now(), policy=policy):
                due = "due" if isinstance(found, Due) else "not due"
                self.stdout.write(f"{kind}: {due}: {found.reason}")
            return
        done = retraining.run_due(clock=timezone.now, policy=policy, seed=options["seed"])
        for each in done:
            version = f" v{each.version}" if each.version else ""
            self.stdout.write(f"{each.name}{version}: {each.get_state_display()}: {each.outcome}")
        if not done:
            self.stdout.write("Nothing is due; --dry-run says why.")
        if any(each.state == Retraining.State.FAILED for each in done):
            raise CommandError("Not all could be trained again.")
