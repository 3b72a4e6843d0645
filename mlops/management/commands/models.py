"""See which models there are, and say which one is champion."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from mlops import promotion, registry, serving
from mlops.approval import Refused
from mlops.catalogue import Entry, catalogue
from mlops.served import serving_lines
from sensors.management.explained import ExplainedCommand

EPILOG = """\
  manage.py models list
  manage.py models show anomaly-vibration
  manage.py models compare anomaly-vibration         the challenger beside the champion
  manage.py models promote anomaly-vibration 3
  manage.py models promote anomaly-vibration 3 --force --reason "tried on line 2"
  manage.py models rollback anomaly-vibration
  manage.py models export remaining-life out/

Exit status: 0 done; 1 there is no such model, the gate refuses, or MLflow is away.
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = (
        "List the registered models, show one, compare a version with the champion, approve or "
        "promote it, roll back, or export."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="approved versions, and which are champion")
        show = verbs.add_parser("show", help="one model: versions, tags, promotions")
        show.add_argument("name")
        compare = verbs.add_parser(
            "compare", help="a version beside the champion, and whether the gate lets it through"
        )
        compare.add_argument("name")
        compare.add_argument("version", type=int, nargs="?", help="default: the challenger")
        approve = verbs.add_parser("approve", help="let a registered version be loaded")
        approve.add_argument("name")
        approve.add_argument("version", type=int)
        promote = verbs.add_parser("promote", help="make a version champion, if the gate allows it")
        promote.add_argument("name")
        promote.add_argument("version", type=int)
        promote.add_argument("--reason", default="")
        promote.add_argument(
            "--force", action="store_true", help="against the gate; needs a --reason, which is kept"
        )
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
            "compare": self._compare,
            "approve": self._approve,
            "promote": self._promote,
            "rollback": self._roll_back,
            "export": self._export,
        }
        try:
            verbs[options["verb"]](options)
        except registry.RegistryAway as away:
            raise CommandError(f"{away}. Is MLflow running? See MLFLOW_TRACKING_URI.") from away
        except registry.NotRegistered as error:
            version = f" v{options['version']}" if options.get("version") else ""
            raise CommandError(
                f"The registry has no {options['name']}{version}; see `models list`."
            ) from error
        except (
            promotion.NothingToRollBackTo,
            promotion.NotBetter,
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
        from mlops import shadow

        entries = [entry for entry in catalogue() if entry.name == options["name"]]
        if not entries:
            raise CommandError(f"There is no model named {options['name']!r}; see `models list`.")
        for entry in entries:
            self.stdout.write(_line(entry))
        for line in serving_lines(options["name"], now=timezone.now()):
            self.stdout.write(line)
        for version in registry.versions([options["name"]]):
            tags = ", ".join(f"{key}={value}" for key, value in sorted(version["tags"].items()))
            aliases = " ".join(f"@{alias}" for alias in version["aliases"])
            self.stdout.write(f"  v{version['version']} {aliases} {tags}")
            if registry.CHALLENGER in version["aliases"]:
                self.stdout.write(f"    {shadow.told(options['name'], version['version'])}")

    def _compare(self, options: dict[str, Any]) -> None:
        from mlops import gate, shadow  # the scientific libraries

        name, version = options["name"], options["version"]
        if version is None:
            aliases = registry.aliases_of(name)
            if registry.CHALLENGER not in aliases:
                raise CommandError(f"{name} has no challenger; name a version.")
            version = aliases[registry.CHALLENGER]
        verdict = gate.judge(name, version, now=timezone.now())
        for line in verdict.table:
            self.stdout.write(line)
        self.stdout.write(shadow.told(name, version))
        answer = "may become champion" if verdict.passes else "may not become champion"
        self.stdout.write(f"{name} v{version} {answer}: {verdict.reason}")

    def _approve(self, options: dict[str, Any]) -> None:
        from mlops.admission import admit  # the scientific libraries

        approval = admit(options["name"], options["version"], now=timezone.now())
        self.stdout.write(f"{approval} may be loaded: SHA-256 {approval.sha256}")

    def _promote(self, options: dict[str, Any]) -> None:
        if options["force"] and not options["reason"]:
            raise CommandError("--force goes against the gate: say why with --reason.")
        made = promotion.promote(
            options["name"],
            options["version"],
            reason=options["reason"] or "by command",
            now=timezone.now(),
            force=options["force"],
        )
        self.stdout.write(f"{made.name} v{made.version} is champion: {made.gate}")
        if made.forced:
            self.stdout.write("The gate had refused it; that is kept with the promotion.")

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
