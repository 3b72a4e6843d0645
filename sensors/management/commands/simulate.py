"""`manage.py simulate`: live readings over HTTP, from sensors that the server discovers."""

import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from django.core.management.base import CommandError
from django.utils import timezone

from sensors import keys
from sensors.generator.rows import Row
from sensors.management.arguments import (
    count,
    http_url,
    not_negative,
    positive,
    seed_number,
    slug,
)
from sensors.management.explained import ExplainedCommand
from sensors.microbatch import MicroBatch
from sensors.models import IngestKey, Site
from sensors.posting import Poster, PostRefusedError
from sensors.series import to_datetime64
from sensors.simulation import Simulation

MOST_HZ = 1000
EPILOG = """\
  manage.py simulate                                   10 sensors, a reading a second each
  manage.py simulate --sensors 50 --rate 0.2 --fault-every 60
  manage.py simulate --url https://smartmaint.example --key PREFIX.SECRET --for 300

Ctrl-C sends what was made, says how much arrived, and ends it.

Exit status: 0 done, or Ctrl-C; 1 the server refused or cannot be reached; 2 an option is wrong.
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = "Stream generated readings to a running server until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        self._add_what(parser)
        self._add_how(parser)

    def _add_what(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--sensors", type=count, default=10, metavar="N", help="How many; %(default)s."
        )
        parser.add_argument(
            "--rate",
            type=positive,
            default=1.0,
            metavar="HZ",
            help="Readings a second of each sensor, at most 1000; %(default)s.",
        )
        parser.add_argument(
            "--seed",
            type=seed_number,
            default=1,
            metavar="N",
            help="Of everything random; %(default)s.",
        )
        parser.add_argument(
            "--fault-every",
            type=not_negative,
            default=0.0,
            metavar="SECONDS",
            help="Mean time between faults; 0, the default: none.",
        )
        parser.add_argument(
            "--for",
            dest="seconds",
            type=positive,
            metavar="SECONDS",
            help="How long to run; default: until Ctrl-C.",
        )

    def _add_how(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--batch-size", type=count, default=500, metavar="N", help="Of a call; %(default)s."
        )
        parser.add_argument(
            "--batch-timeout-seconds",
            type=not_negative,
            default=1.0,
            metavar="SECONDS",
            help="Longest wait of a reading for others; %(default)s.",
        )
        parser.add_argument(
            "--url",
            type=http_url,
            default="http://127.0.0.1:8000",
            help="Of the server; %(default)s.",
        )
        parser.add_argument(
            "--key", help="prefix.secret; default: one made for this run and revoked after it."
        )
        parser.add_argument(
            "--site",
            type=slug,
            default="simulated",
            help="Slug, whose key to make; %(default)s.",
        )

    def handle(self, **options: Any) -> None:
        if options["rate"] > MOST_HZ:
            raise CommandError(f"--rate is at most {MOST_HZ}.", returncode=2)
        simulation = Simulation(
            sensors=options["sensors"],
            interval_s=1 / options["rate"],
            seed=options["seed"],
            fault_every_s=options["fault_every"],
        )
        batch: MicroBatch[Row] = MicroBatch(options["batch_size"], options["batch_timeout_seconds"])
        self.totals = {"accepted": 0, "duplicates": 0, "quarantined": 0}
        with _key(options["key"], options["site"]) as key:
            poster = Poster(options["url"], key, say=self.stderr.write)
            who = f"{options['sensors']} sensors send to {options['url']}"
            self.stderr.write(f"{who}; Ctrl-C ends it")
            try:
                self._stream(simulation, batch, poster, options["seconds"])
            except KeyboardInterrupt:
                self._send(batch, poster)
            except PostRefusedError as error:
                raise CommandError(str(error)) from error
            finally:
                self.stdout.write(", ".join(f"{n:,} {name}" for name, n in self.totals.items()))

    def _stream(
        self, simulation: Simulation, batch: MicroBatch[Row], poster: Poster, seconds: float | None
    ) -> None:
        start = to_datetime64(timezone.now()).astype("datetime64[ms]")
        begun = time.monotonic()
        for sent, row in simulation.rows(start):
            due = float((sent - start) / np.timedelta64(1, "s"))
            if seconds is not None and due > seconds:
                break
            self._wait_until(begun + due, batch, poster)
            batch.add(row)
        self._send(batch, poster)

    def _wait_until(self, moment: float, batch: MicroBatch[Row], poster: Poster) -> None:
        """Sleep until the next row is measured; send the batch when it is due before that."""
        while True:
            left, due_in = moment - time.monotonic(), batch.due_in()
            if due_in is not None and due_in <= max(left, 0.0):
                time.sleep(due_in)
                self._send(batch, poster)
            elif left > 0:
                time.sleep(left)
            else:
                return

    def _send(self, batch: MicroBatch[Row], poster: Poster) -> None:
        if rows := batch.take():
            receipt = poster.post(rows)
            for name in self.totals:
                self.totals[name] += receipt[name]


@contextmanager
def _key(given: str | None, slug: str) -> Iterator[str]:
    """The key that was given, or one for as long as the block runs."""
    if given:
        yield given
        return
    site, _ = Site.objects.get_or_create(slug=slug, defaults={"name": slug.capitalize()})
    key, secret = keys.issue(site=site, name="simulate", scopes=[IngestKey.Scope.WRITE])
    try:
        yield secret
    finally:
        keys.revoke(key, now=timezone.now())
