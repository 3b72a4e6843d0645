"""See which models there are, and say which one is champion."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from mlops import promotion, registry, serving
from mlops.approval import Refused
from mlops.catalogue import Entry, catalogue


class Command(BaseCommand):
    help = "List the registered models, show one, make a version champion, or roll back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="approved versions, and which are champion")
        show = verbs.add_parser("show", help="one model: versions, tags, promotions")
        show.add_argument("name")
        promote = verbs.add_parser("promote", help="make a version champion")
        promote.add_argument("name")
        promote.add_argument("version", type=int)
        promote.add_argument("--reason", default="by command")
        back = verbs.add_parser("rollback", help="back to the champion before")
        back.add_argument("name")
        back.add_argument("--reason", default="rolled back by command")

        out = verbs.add_parser("export", help="write a model with a plain example that loads it")
        out.add_argument("name")
        out.add_argument("directory", type=Path, metavar="DIR")
        out.add_argument("--version", dest="number", type=int, help="default: the champion")

    def handle(self, *args: Any, **options: Any) -> None:
        verbs = {
            "list": self._list,
            "show": self._show,
            "promote": self._promote,
            "rollback": self._roll_back,
            "export": self._export,
        }
        try:
            verbs[options["verb"]](options)
        except registry.RegistryAway as away:
            raise CommandError(f"{away}. Is MLflow running? See MLFLOW_TRACKING_URI.") from away
        except (
            registry.NotRegistered,
            promotion.NothingToRollBackTo,
            Refused,
            serving.Unavailable,
        ) as error:
            raise CommandError(str(error)) from error

    def _list(self, _options: dict[str, Any]) -> None:
        entries = catalogue()
        if not entries:
            self.stdout.write("No model is registered yet; `manage.py train all` makes some.")
        for entry in entries:
            self.stdout.write(_line(entry))

    def _show(self, options: dict[str, Any]) -> None:
        entries = [entry for entry in catalogue() if entry.name == options["name"]]
        if not entries:
            raise CommandError(f"There is no model named {options['name']!r}; see `models list`.")
        for entry in entries:
            self.stdout.write(_line(entry))
        for version in registry.versions([options["name"]]):
            tags = ", ".join(f"{key}={value}" for key, value in sorted(version["tags"].items()))
            aliases = " ".join(f"@{alias}" for alias in version["aliases"])
            self.stdout.write(f"  v{version['version']} {aliases} {tags}")

    def _promote(self, options: dict[str, Any]) -> None:
        made = promotion.promote(
            options["name"], options["version"], reason=options["reason"], now=timezone.now()
        )
        self.stdout.write(f"{made.name} v{made.version} is champion.")

    def _roll_back(self, options: dict[str, Any]) -> None:
        made = promotion.roll_back(options["name"], reason=options["reason"], now=timezone.now())
        self.stdout.write(f"{made.name} v{made.version} is champion again.")

    def _export(self, options: dict[str, Any]) -> None:
        from mlops.export import export  # the scientific libraries

        files = export(options["name"], options["number"], options["directory"])
        self.stdout.write(f"{len(files)} files in {options['directory']}; see predict.py")


def _line(entry: Entry) -> str:
    role = "champion" if entry.is_champion else "revoked" if entry.revoked_at else ""
    return (
        f"{entry.name:<24} v{entry.version:<4} {entry.detector:<18} {entry.dataset:<10} "
        f"{entry.approved_at:%Y-%m-%d %H:%M} {role}"
    ).rstrip()
