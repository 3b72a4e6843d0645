"""Forecast sensors now, and say which limits they are heading for."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import Q
from django.utils import timezone

from anomalies import predictions
from anomalies.predictions import Outcome
from mlops import forecasts
from mlops.forecasting.policy import ForecastPolicyError
from sensors.management.explained import ExplainedCommand
from sensors.models import Sensor

EPILOG = """\
  manage.py forecast
  manage.py forecast --sensors pump-1.temperature --json

A sensor takes seconds. Exit status: 0 done; 1 none of the sensors named could be forecast.
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = (
        "Forecast sensors from their newest readings, by whichever forecaster did best on their "
        "own past, and update what is predicted of their alarm limits. Without --sensors those "
        "that have an hour of readings since their last forecast."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sensors", nargs="+", metavar="SENSOR", help="external ids or ids")
        parser.add_argument("--json", action="store_true", help="one JSON object a sensor")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        asked = options["sensors"]
        sensors = _named(asked) if asked else list(forecasts.due(now=now))
        try:
            policy = forecasts.policy()
        except ForecastPolicyError as error:
            raise CommandError(f"FORECAST_POLICY: {error}") from error
        made = 0
        for outcome in predictions.run(sensors, policy=policy, now=now):
            made += outcome.forecast is not None
            self.stdout.write(json.dumps(_as_json(outcome)) if options["json"] else _line(outcome))
        if not options["json"]:
            self.stdout.write(f"{made} of {len(sensors)} sensors forecast.")
        if asked and not made:
            raise CommandError("None of these sensors could be forecast.")


def _named(names: list[str]) -> list[Sensor]:
    numbers = [int(name) for name in names if name.isdigit()]
    found = Sensor.objects.filter(Q(external_id__in=names) | Q(pk__in=numbers))
    sensors = list(found.select_related("site", "profile").order_by("pk"))
    known = {str(sensor.pk) for sensor in sensors} | {sensor.external_id for sensor in sensors}
    if missing := [name for name in names if name not in known]:
        raise CommandError(f"There is no sensor {', '.join(missing)}.")
    return sensors


def _line(outcome: Outcome) -> str:
    made = outcome.forecast
    if made is None:
        return f"{outcome.sensor}: no forecast: {outcome.reason}"
    lines = [f"{outcome.sensor}: {made.horizon} steps ahead. {made.record['sentence']}"]
    for each in made.estimates:
        limit = f"{each['limit']} {each['value']:g}"
        if "at" in each:
            latest = each["latest"] or "beyond the forecast"
            lines.append(f"  {limit} met at {each['at']} ({each['earliest']} to {latest})")
        else:
            lines.append(f"  {limit}: no estimate: {each['reason']}")
    return "\n".join(lines)


def _as_json(outcome: Outcome) -> dict[str, Any]:
    made = outcome.forecast
    told: dict[str, Any] = {"sensor": outcome.sensor.external_id, "reason": outcome.reason}
    if made is not None:
        names = ("model", "horizon", "step_s", "mean", "low", "high", "record", "estimates")
        told |= {"as_of": made.as_of.isoformat(), **{name: getattr(made, name) for name in names}}
    return told
