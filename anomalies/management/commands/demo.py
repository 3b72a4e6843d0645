"""`manage.py demo`: the golden path on running services, measured. `make demo` starts them."""

import time
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from anomalies.demo import course, summary
from anomalies.demo.outcome import Outcome, best_anomaly, outcome_of, verdict_on
from anomalies.demo.progress import DemoError, Progress
from anomalies.demo.reviewing import review_one
from sensors.management.arguments import seed_number
from sensors.management.explained import ExplainedCommand

EPILOG = """\
  make demo                                 starts what it needs, and runs this on it
  make demo ARGS="-- --seeds 1,2,3"

The last line is one JSON object. Exit status: 0 all of it worked; 1 something did not.
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = (
        "Seed history, train, promote, post labelled faults over HTTP, wait for the worker, review "
        "one anomaly, and print how much was found. Replaces what an earlier demo or seed left."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--seed", type=seed_number, default=1, help="Of the fleet; %(default)s."
        )
        parser.add_argument("--seeds", type=_seeds, help="Several, one after the other: 1,2,3.")
        parser.add_argument("--no-wipe", action="store_true", help="Do not wipe Redis midway.")

    def handle(self, **options: Any) -> None:
        begun = time.monotonic()
        progress = Progress(self._say)
        outcomes = []
        try:
            for number in options["seeds"] or [options["seed"]]:
                where = course.Setting(
                    settings.DEMO_BASE_URL, number, not options["no_wipe"], timezone.now()
                )
                outcomes.append(_run(where, progress))
        except DemoError as error:
            raise CommandError(str(error)) from error
        for line in ["", *summary.tables(outcomes), ""]:
            self.stdout.write(line)
        failures = [failure for outcome in outcomes for failure in outcome.failures]
        for failure in failures:
            self.stderr.write(f"failed: {failure}")
        self.stdout.write(summary.as_json(outcomes, time.monotonic() - begun, progress.seconds))
        if failures:
            raise SystemExit(1)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _seeds(text: str) -> list[int]:
    try:
        return [int(each) for each in text.split(",")]
    except ValueError as error:
        raise ArgumentTypeError("numbers with commas between them, such as 1,2,3") from error


def _run(where: course.Setting, progress: Progress) -> Outcome:
    """The whole way with one seed's fleet."""
    course.await_web(where, progress)
    fleet, sites = course.seed_history(where, progress)
    course.await_scoring(progress, what="the history", held=False)
    course.train(progress)
    course.post_held_back(where, fleet, sites, progress)
    course.await_scoring(progress, what="all of it", held=True)
    with progress.step("review one anomaly by the API"):
        anomaly = best_anomaly(fleet)
        if anomaly is None:
            raise DemoError("No champion gave an anomaly in the held-back period.")
        verdict = verdict_on(anomaly, fleet)
        reviewed = review_one(
            base_url=where.base_url, sites=sites.values(), anomaly=anomaly, verdict=verdict
        )
    course.await_scoring(progress, what="what the verdict changed", held=True)
    return outcome_of(fleet, reviewed, verdict)
