"""What would have been: history through the agents as they are, with something changed."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from anomalies.management.arguments import event_time
from anomalies.rescoring import moment
from sensors.management.explained import ExplainedCommand
from sensors.models import Site

SAY_EVERY_S = 2.0
EPILOG = """\
Runs the readings of a range once more through detection, validation, episodes, windows and
notifications, each reading as if it had come when it was measured, and shows the anomalies,
episodes and notifications that would have been, as a difference to those that were. Nothing is
written and nobody is told: the agents work on temporary tables of a read-only session of their own.

  manage.py replay --since 2026-03-01                          is it as it was? (now: as configured)
  manage.py replay --since 2026-03-01 --rule 7                 rule 7 switched on, if off; else off
  manage.py replay --since 2026-03-01 --rule rule.json         with a rule that is not there yet
  manage.py replay --since 2026-03-01 --policy policy.json     {"EPISODE_POLICY": {"rejoin_s": 900}}
  manage.py replay --since 2026-03-01 --model anomaly-vibration@4
  manage.py replay --since 2026-03-01 --site north --window 2026-03-04T06:00/2026-03-04T10:00
  manage.py replay --since 2026-03-01 --without-window 3
  manage.py replay --since 2026-03-01 --until 2026-06-01 --labels faults.csv --json > out.json

A policy file names settings: DETECTION_POLICY, VALIDATION_POLICY, EPISODE_POLICY, NOTIFY_POLICY,
SILENCE_POLICY, FALSE_ALARMS_BY_KIND. Labels are CSV: asset (or sensor), start, end. Without labels
the verdicts of people judge the result; those given before the range count in it, later ones not.

What people did with episodes is not replayed, nor are forecasts and what was dropped by retention.
A champion that was trained on readings of the range knew them.

Exit status: 0 done; 1 there are differences and --exit-code was given; 2 an option is wrong;
130 Ctrl-C.
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = "Show what would have been found and told, and write nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since",
            type=event_time,
            required=True,
            help="event time, ISO 8601; UTC if none",
        )
        parser.add_argument("--until", type=event_time, help="the same; now without it")
        parser.add_argument("--site", help="slug; every site without it")
        parser.add_argument("--policy", type=Path, metavar="FILE", help="JSON: settings by name")
        parser.add_argument("--rule", metavar="ID|FILE", help="flip a rule, or add one")
        parser.add_argument(
            "--model",
            action="append",
            default=[],
            metavar="NAME@VERSION",
            help="as if it were champion; may be given again",
        )
        parser.add_argument("--window", metavar="START/END", help="plan one for the site")
        parser.add_argument("--asset", help="of that window: the name of a machine")
        parser.add_argument(
            "--without-window", type=int, metavar="ID", help="as if it had not been"
        )
        parser.add_argument("--labels", type=Path, metavar="FILE", help="known faults, CSV")
        parser.add_argument(
            "--step", type=_seconds, metavar="S", help="seconds between two looks; 300"
        )
        parser.add_argument(
            "--lead", type=_days, metavar="DAYS", help="to run before --since, silently; 2"
        )
        parser.add_argument("--json", action="store_true", help="everything, to standard output")
        parser.add_argument("--exit-code", action="store_true", help="1 if there are differences")

    def handle(self, *args: Any, **options: Any) -> None:
        from anomalies.replay.change import ChangeError
        from anomalies.replay.course import CourseError
        from anomalies.replay.known import LabelsError
        from anomalies.replay.report import lines

        try:
            found = self._replay(options)
        except (ChangeError, CourseError, LabelsError, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        except KeyboardInterrupt:
            self.stderr.write("\nStopped; nothing was written.")
            sys.exit(130)
        if options["json"]:
            self.stdout.write(json.dumps(found.as_json(), indent=2))
        else:
            self.stdout.write("\n".join(lines(found)))
        if options["exit_code"] and found.replayed.differences:
            sys.exit(1)

    def _replay(self, options: dict[str, Any]) -> Any:
        from anomalies.replay import known, running
        from anomalies.replay.report import report

        sites, course, change = _sites(options["site"]), _course(options), _change(options)
        span = {"since": course.since, "until": course.until}
        if options["labels"] is None:
            faults, by = known.of_verdicts(sites, **span), "verdicts"
        else:
            with options["labels"].open(newline="") as file:
                faults, by = known.of_labels(file, sites, **span), "labels"
        replayed = running.replay(sites, course, change, progress=self._progress())
        return report(sites, course, change, replayed, known=faults, known_by=by)

    def _progress(self) -> Any:
        """A line now and then, on standard error."""
        said = time.monotonic()

        def say(share: float, at: datetime) -> None:
            nonlocal said
            if time.monotonic() - said >= SAY_EVERY_S:
                said = time.monotonic()
                self.stderr.write(f"{share:4.0%}  {at:%Y-%m-%d %H:%M}")

        return say


def _sites(slug: str | None) -> list[int]:
    rows = Site.objects.filter(slug=slug) if slug is not None else Site.objects.all()
    found = list(rows.values_list("pk", flat=True))
    if not found:
        raise CommandError(f"There is no site {slug or 'at all'}.", returncode=2)
    return found


def _course(options: dict[str, Any]) -> Any:
    from anomalies.replay.course import LEAD, STEP, Course

    now = timezone.now()
    lead, step = (
        usual if given is None else given
        for given, usual in ((options["lead"], LEAD), (options["step"], STEP))
    )
    course = Course(options["since"], options["until"] or now, lead, step)
    course.check(now=now)
    return course


def _change(options: dict[str, Any]) -> Any:
    from anomalies.replay.change import Change

    rule = options["rule"]
    is_number = rule is not None and rule.isdecimal()
    return Change(
        policies=_json(options["policy"]) if options["policy"] else {},
        flip_rule=int(rule) if is_number else None,
        rule=_json(Path(rule)) if rule is not None and not is_number else None,
        window=_window(options),
        without_window=options["without_window"],
        models=dict(map(_model, options["model"])),
    )


def _window(options: dict[str, Any]) -> dict[str, Any] | None:
    if options["window"] is None:
        if options["asset"] is not None:
            raise CommandError("--asset is that of a --window.", returncode=2)
        return None
    from sensors.models import Asset

    start, slash, end = options["window"].partition("/")
    if not slash:
        raise CommandError("--window is START/END.", returncode=2)
    found: dict[str, Any] = {"reason": "preview"}
    for name, text in (("starts_at", start), ("ends_at", end)):
        try:
            found[name] = moment(text).isoformat()
        except ValueError:
            raise CommandError(f"--window: {text!r} is no ISO 8601 time.", returncode=2) from None
    if options["asset"] is not None:
        asset = Asset.objects.filter(name=options["asset"], site__in=_sites(options["site"]))
        if len(asset) != 1:
            raise CommandError(f"There is not one machine {options['asset']}.", returncode=2)
        found["asset"] = asset[0].pk
    return found


def _json(path: Path) -> Any:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CommandError(f"{path}: {error}", returncode=2) from error
    if not isinstance(found, dict):
        raise CommandError(f"{path}: not names with values.", returncode=2)
    return found


def _model(text: str) -> tuple[str, int]:
    name, _, version = text.rpartition("@")
    if not name or not version.isdecimal():
        raise CommandError(f"--model {text}: it is NAME@VERSION.", returncode=2)
    return name, int(version)


def _seconds(text: str) -> timedelta:
    return timedelta(seconds=_number(text))


def _days(text: str) -> timedelta:
    return timedelta(days=_number(text))


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no number") from None
    if not 0 <= found < 1e6:
        raise ArgumentTypeError(f"{text} is out of range")
    return found
