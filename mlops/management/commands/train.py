"""Train the models of a pipeline, or of all of them, and register what comes out."""

from __future__ import annotations

import time
from argparse import ArgumentParser, BooleanOptionalAction
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from mlops import serving
from mlops.approval import Refused
from mlops.pipelines import PIPELINES, NoData, Order, Trained, pipeline_named
from mlops.registry import NotRegistered, RegistryAway

ALL = "all"


class Command(BaseCommand):
    help = (
        "Train NAME, or all: fit the candidates, measure them on what they did not see, register "
        "each in MLflow and make the best one champion."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", choices=[*PIPELINES, ALL])
        parser.add_argument("--seed", type=int, default=0, help="of everything random")
        parser.add_argument("--fast", action="store_true", help="less of it; for trying out")
        parser.add_argument(
            "--promote",
            action=BooleanOptionalAction,
            default=True,
            help="or register, and leave the champion as it is",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        names = list(PIPELINES) if options["name"] == ALL else [options["name"]]
        order = Order(
            now=timezone.now(),
            seed=options["seed"],
            fast=options["fast"],
            promote=options["promote"],
            say=self.stdout.write,
        )
        for name in names:
            started = time.monotonic()
            trained = self._run(name, order)
            self.stdout.write(
                f"{name}: {len(trained)} versions in {time.monotonic() - started:.1f} s"
            )

    def _run(self, name: str, order: Order) -> list[Trained]:
        try:
            return pipeline_named(name)(order)
        except RegistryAway as away:
            raise CommandError(f"{away}. Is MLflow running? See MLFLOW_TRACKING_URI.") from away
        except NoData as error:
            raise CommandError(f"{name}: {error}") from error
        except (NotRegistered, Refused, serving.Unavailable) as error:
            raise CommandError(f"{name}: what was registered cannot be used: {error}") from error
