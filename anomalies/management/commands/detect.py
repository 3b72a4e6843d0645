"""Score stored readings again, on purpose."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone
from tqdm import tqdm

from anomalies import rescoring
from anomalies.management.arguments import event_time
from sensors.management.explained import ExplainedCommand

FAILED_ATTEMPTS = 3
POLL_S = 1.0
EPILOG = """\
Each sensor with readings in the range gets a durable note; this process and all workers take them.
Anomalies that come out otherwise are revised or withdrawn with a trace; those that come out the
same are left alone, so running it twice changes nothing. Stopped at any time, the notes stay:
workers go on, and the same command continues and shows how far it is.

  manage.py detect --since 2026-03-01 --until 2026-03-08T06:00+01:00
  manage.py detect --since 2026-03-01 --site north-plant --sensors pump-1/temp pump-1/pressure

Exit status: 0 all is scored (with --no-wait: noted); 1 some sensors fail; 2 an option is wrong;
130 Ctrl-C.
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = "Score the readings of a range of event time again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since",
            type=event_time,
            required=True,
            help="event time, ISO 8601; UTC if none",
        )
        parser.add_argument("--until", type=event_time, help="the same; else the newest reading")
        parser.add_argument("--sensors", nargs="+", default=[], metavar="ID", help="external ids")
        parser.add_argument("--site", help="slug; every site without it")
        parser.add_argument("--dry-run", action="store_true", help="say what would be scored")
        parser.add_argument("--no-wait", action="store_true", help="leave the work to the workers")

    def handle(self, *args: Any, **options: Any) -> None:
        until = options["until"] or timezone.now()
        if options["since"] > until:
            raise CommandError("--since lies after --until.", returncode=2)
        try:
            sensors = rescoring.sensors_named(options["sensors"], options["site"])
        except LookupError as error:
            raise CommandError(str(error.args[0]), returncode=2) from error
        if options["dry_run"]:
            found = rescoring.ranges_of(sensors, since=options["since"], until=until)
            self.stdout.write(f"{len(found)} sensors have readings to score again.")
            return
        asked = rescoring.ask(sensors, since=options["since"], until=until)
        self.stdout.write(f"{len(asked.sensors)} sensors to score again, {asked.new} newly noted.")
        if not options["no_wait"]:
            self._work_off(asked.sensors)

    def _work_off(self, sensors: tuple[int, ...]) -> None:
        from anomalies import detection, tasks  # loads the compiled detectors: --help need not wait

        policy = detection.policy()
        with tqdm(total=len(sensors), unit="sensor", disable=None) as bar:
            while left := rescoring.waiting(sensors):
                bar.update(len(sensors) - left - bar.n)
                tasks.wake_detection()
                try:
                    drained = detection.drain(now=timezone.now(), policy=policy)
                    if drained.change:
                        tasks.wake_validation()
                    if not drained.sensors:
                        self._give_up_on(rescoring.failing(sensors, attempts=FAILED_ATTEMPTS))
                        time.sleep(POLL_S)
                except KeyboardInterrupt:
                    self.stderr.write(f"Stopped; {left} sensors are left to the workers.")
                    sys.exit(130)
            bar.update(len(sensors) - bar.n)
        self.stdout.write(f"{len(sensors)} sensors scored.")

    @staticmethod
    def _give_up_on(failing: list[int]) -> None:
        if failing:
            shown = ", ".join(map(str, failing[:20]))
            raise CommandError(f"Scoring keeps failing for the sensors with the ids {shown}.")
