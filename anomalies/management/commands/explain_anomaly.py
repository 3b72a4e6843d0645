"""Say why an anomaly was flagged, and prove it by computing its score again."""

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from anomalies.findings import Recomputed
from anomalies.models import Anomaly
from anomalies.recomputing import recompute
from mlops import serving
from sensors.management.explained import ExplainedCommand
from sensors.models import Reading

TOLERANCE = 1e-9

EPILOG = """\
  manage.py explain_anomaly 17
  manage.py explain_anomaly 17 --json

Exit status: 0 the stored score came out again, to 1e-9; 1 it did not, or cannot be computed.
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = (
        "Explain an anomaly and compute its score again from the stored readings, by the model "
        "version that it names. Exit status 1 when the score differs by more than 1e-9 or cannot "
        "be computed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int, help="The anomaly's id, as in the admin and the API.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            anomaly = Anomaly.objects.for_list().get(pk=options["id"])
        except Anomaly.DoesNotExist:
            raise CommandError(f"There is no anomaly {options['id']}.") from None
        try:
            again = recompute(anomaly)
        except (serving.Unavailable, serving.Refused, Reading.DoesNotExist) as error:
            raise CommandError(f"Its score cannot be computed again: {error}") from error
        difference = abs(again.score - anomaly.score)
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(anomaly, again)))
        else:
            self.stdout.write(_as_text(anomaly, again))
        if difference > TOLERANCE:
            why = " (the readings in its window have changed)" if again.readings_changed else ""
            raise CommandError(f"The score differs by {difference:.3g}{why}.")


def _as_json(anomaly: Anomaly, again: Recomputed) -> dict[str, Any]:
    return {
        "id": anomaly.pk,
        "sensor": anomaly.sensor.external_id,
        "peak": anomaly.peak.isoformat(),
        "rung": anomaly.rung,
        "detector": anomaly.detector,
        "model_name": anomaly.model_name,
        "model_version": anomaly.model_version,
        "stored_score": anomaly.score,
        "recomputed_score": again.score,
        "difference": abs(again.score - anomaly.score),
        "readings_changed": again.readings_changed,
        "explanation": anomaly.explanation,
    }


def _as_text(anomaly: Anomaly, again: Recomputed) -> str:
    model = f"{anomaly.model_name} v{anomaly.model_version}" if anomaly.model_name else "no model"
    return "\n".join(
        [
            anomaly.sentence,
            f"Judged by {anomaly.detector} ({model}), rung {anomaly.rung}.",
            f"Peak at {anomaly.peak.isoformat()}, severity {anomaly.severity}, {anomaly.nature}.",
            "Parts of the score:",
            *_parts(anomaly.explanation),
            f"Stored score     {anomaly.score:.12f}",
            f"Computed again   {again.score:.12f}",
        ]
    )


def _parts(explanation: dict[str, Any]) -> list[str]:
    """What the score is made of, and what a silence or a forecast is besides."""
    shares = [
        f"  {part['feature']:<16} {float(part['share']):>6.1%}  at {part['value']:.4g}"
        for part in explanation["contributions"]
        if float(part["share"]) >= 0.005
    ]
    return [*shares, *_facts(explanation)]


def _facts(explanation: dict[str, Any]) -> list[str]:
    if silent := explanation.get("silence"):
        return [
            f"  {silent['intervals_missed']} intervals missed of {silent['interval_s']:.4g} s each",
            f"  silent for {silent['silent_s']:.0f} s, patience {silent['patience_s']:.0f} s",
        ]
    if ahead := explanation.get("predicted"):
        latest = ahead["latest"] or "later than was forecast"
        return [
            f"  {ahead['limit']} {ahead['value']:g} met at {ahead['at']}",
            f"  between {ahead['earliest']} and {latest}; {ahead['record']}",
        ]
    return []
