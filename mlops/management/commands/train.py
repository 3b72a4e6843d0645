"""Train the models of a pipeline, or of all of them, and register what comes out."""

from __future__ import annotations

import time
from argparse import ArgumentParser, BooleanOptionalAction
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone
from tqdm import tqdm

from mlops import serving
from mlops.approval import Refused
from mlops.pipelines import PIPELINES, NoData, Order, Trained, pipeline_named
from mlops.pipelines.report import page
from mlops.registry import NotRegistered, RegistryAway
from mlops.sources.files import BadFile
from sensors.management.arguments import seed_number
from sensors.management.explained import ExplainedCommand

ALL = "all"
SYNTHETIC = "synthetic"

EPILOG = """\
  manage.py train anomaly                            on the readings in the database
  manage.py train all                                those of public data on generated ones
  manage.py train rul --data ~/datasets --no-promote

Exit status: 0 done; 1 there are no data, a file is not as it should be, or MLflow is away.
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = (
        "Train NAME, or all: fit the candidates, measure them on what they did not see, register "
        "each in MLflow and make the best one champion."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", choices=[*PIPELINES, ALL])
        parser.add_argument(
            "--data",
            type=Path,
            metavar="DIR",
            help="look for the public data sets' files below DIR; without it, data are generated",
        )
        parser.add_argument(
            "--report",
            type=Path,
            metavar="FILE",
            help="write what was measured to a Markdown file",
        )
        parser.add_argument(
            "--seed", type=seed_number, default=0, help="of everything random; %(default)s"
        )
        parser.add_argument("--fast", action="store_true", help="less of it; for trying out")
        parser.add_argument(
            "--promote",
            action=BooleanOptionalAction,
            default=True,
            help="or register, and leave the champion as it is",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        names = list(PIPELINES) if options["name"] == ALL else [options["name"]]
        if options["data"] and not options["data"].is_dir():
            raise CommandError(f"There is no folder {options['data']}.")
        order = Order(
            now=timezone.now(),
            seed=options["seed"],
            fast=options["fast"],
            promote=options["promote"],
            data=options["data"],
            must_find=options["name"] != ALL and options["data"] is not None,
            say=self.stdout.write,
            generate=options["name"] == ALL,
            track=_tracked,
        )
        everything: list[Trained] = []
        for name in names:
            started = time.monotonic()
            trained = self._run(name, order)
            everything += trained
            if options["data"] and any(each.dataset == SYNTHETIC for each in trained):
                self.stdout.write(f"{name}: learnt from generated data")
            self.stdout.write(
                f"{name}: {len(trained)} versions in {time.monotonic() - started:.1f} s"
            )

        if options["report"]:
            options["report"].write_text(page(everything))
            self.stdout.write(f"Written: {options['report']}")

    def _run(self, name: str, order: Order) -> list[Trained]:
        try:
            return pipeline_named(name)(order)
        except RegistryAway as away:
            raise CommandError(f"{away}. Is MLflow running? See MLFLOW_TRACKING_URI.") from away
        except (NoData, BadFile) as error:
            raise CommandError(f"{name}: {error}") from error
        except (NotRegistered, Refused, serving.Unavailable) as error:
            raise CommandError(f"{name}: what was registered cannot be used: {error}") from error


def _tracked(items: Sequence[Any], what: str) -> Iterable[Any]:
    """With a bar on a terminal, and none elsewhere."""
    return tqdm(items, desc=what, leave=False, disable=None)
