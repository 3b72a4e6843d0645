"""How well detection finds the faults that are known of some readings."""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from django.core.management.base import CommandError
from tqdm import tqdm

from anomalies import labelled
from anomalies.columnar import TableError
from anomalies.figures import UNITS_S, Figure, figures_as_text, span_as_text
from anomalies.labelled import Labelled, Source
from sensors.kinds import KINDS, OTHER
from sensors.management.arguments import seed_number
from sensors.management.explained import ExplainedCommand

if TYPE_CHECKING:
    from anomalies.evaluation import Evaluation, Judged

EPILOG = """\
LABELLED is a file of readings (.csv, .csv.gz, .parquet, .ndjson) or a folder of them, as for
`backtest`: time,value; or sensor,time,value; or time and the numbers of one machine's sensors.
Which faults there were says
  a column named anomaly, label, is_anomaly, anomaly_label, fault or is_fault (or --label), with 0
    or 1, true or false, or the name of the fault; or
  faults.csv in the folder (or --faults FILE): start, end, and sensor or file where there are
    several; sort, where faults have names; without an end it is a moment; or
  windows.json in the folder (or --faults FILE): {"FILE": [["START", "END"], ...]}.
Labels are read for the figures alone; the detectors and their threshold are those of the service.

A fault is found when an alarm overlaps it; an alarm is false when it overlaps none. Alarms at most
6 rows apart are one. Nothing is point-adjusted.
  delay      from a fault's start to its first alarm, the median of the faults found
  lead time  from that alarm to the fault's end, which for wear is the failure
  AUC-PR     area under precision over recall, row by row, over all thresholds
  VUS-PR     the same with edges of faults uncertain by up to the median fault's length
Each with the 90 % interval of a bootstrap of blocks of rows.

  manage.py evaluate labelled.csv --warmup 25%
  manage.py evaluate folder/ --faults failures.csv --early 48h --json

Exit status: 0 when the figures were made, whatever they are; 1 when a file cannot be read.
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = "Find the labelled faults of readings in files, and say how well; without any server."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", metavar="LABELLED", type=Path, help="a file, or a folder")
        parser.add_argument("--label", metavar="COLUMN", help="that says whether a row is a fault")
        parser.add_argument("--faults", metavar="FILE", type=Path, help="intervals of the faults")
        parser.add_argument(
            "--healthy", action="store_true", help="a file without labels had no fault"
        )
        parser.add_argument(
            "--kind", choices=[*KINDS, OTHER.name], help="of the sensors; brings physical limits"
        )
        parser.add_argument(
            "--warmup",
            type=_warmup,
            metavar="N",
            default=None,
            help="rows at the start of each stream that are only learnt from and not judged, or a "
            "share of them such as 15%%",
        )
        parser.add_argument(
            "--early",
            type=_span,
            metavar="SPAN",
            default=np.timedelta64(0, "s"),
            help="an alarm that long before a fault begins foresees it (90min, 48h, 3d)",
        )
        parser.add_argument(
            "--seed", type=seed_number, default=0, help="of the bootstrap; %(default)s"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        source = Source(
            options["source"], options["label"], options["faults"], healthy=options["healthy"]
        )
        try:
            streams = labelled.read(source, self._say)
        except (TableError, OSError) as error:
            raise CommandError(str(error)) from error
        # The detectors load their compiled code: --help and a wrong file need not wait for it.
        from anomalies.evaluation import Rule, evaluate

        judged = [
            _judged(stream, options["kind"], options["warmup"])
            for stream in tqdm(streams, unit="stream", leave=False, disable=None)
        ]
        evaluation = evaluate(judged, Rule(early=options["early"]))
        figures = evaluation.figures(seed=options["seed"])
        if options["json"]:
            self.stdout.write(json.dumps(_as_dict(evaluation, figures, options["seed"])))
        else:
            self.stdout.write("\n".join(_as_text(evaluation, figures)))

    def _say(self, line: str) -> None:
        with tqdm.external_write_mode(file=self.stderr):
            self.stderr.write(line)


def _judged(stream: Labelled, kind: str | None, warmup: int | float | None) -> Judged:
    from anomalies.backtest import scores_of
    from anomalies.evaluation import Judged

    table = stream.table
    rows = max(1, int(warmup * len(table))) if isinstance(warmup, float) else warmup
    scores = scores_of(table, kind=kind, warmup=rows)
    return Judged(stream.name, table.times, scores, stream.faults, rows or 0)


def _as_dict(evaluation: Evaluation, figures: dict[str, Figure], seed: int) -> dict[str, Any]:
    from anomalies.evaluation import INTERVAL
    from mlops.detectors.base import ALARM_LEVEL

    counts = evaluation.counts
    return {
        "streams": len(evaluation.outcomes),
        "rows": evaluation.rows,
        "sensor_months": evaluation.sensor_months,
        "faults": len(evaluation.found),
        "found": counts.found,
        "false_alarms": counts.false_alarms,
        "threshold": ALARM_LEVEL,
        "interval": INTERVAL,
        "seed": seed,
        "vus_buffer_rows": evaluation.buffer,
        "figures": {name: figure.as_dict() for name, figure in figures.items()},
        "by_sort": evaluation.by_sort(),
        "by_stream": [
            {
                "stream": each.name,
                "rows": len(each.scores),
                "faults": len(each.found),
                "found": sum(found.is_found for found in each.found),
                "false_alarms": sum(not true for _, true in each.alarms),
            }
            for each in evaluation.outcomes
        ],
    }


def _as_text(evaluation: Evaluation, figures: dict[str, Figure]) -> Iterator[str]:
    counts = evaluation.counts
    months = f"{evaluation.sensor_months:.3g} sensor-months without fault"
    yield f"{len(evaluation.outcomes)} streams, {evaluation.rows:,} rows judged, {months}"
    found = f"{counts.found} of {len(evaluation.found)} faults found"
    yield f"{found}, {counts.false_alarms} false alarms"
    yield ""
    yield f"{'':<28} {'value':>9}   90 % interval"
    for name, value, interval in figures_as_text(figures):
        yield f"{name:<28} {value:>9}   {interval}"
    yield from _sorts(evaluation.by_sort())


def _sorts(sorts: dict[str, dict[str, Any]]) -> Iterator[str]:
    if sorts:
        yield ""
        yield f"{'sort':<28} {'found':>9}   median delay"
    for sort, each in sorts.items():
        delay = each["median_delay_s"]
        share = f"{each['found']} of {each['faults']}"
        yield f"{sort:<28} {share:>9}   {'-' if delay is None else span_as_text(delay)}"


def _warmup(text: str) -> int | float:
    """Rows, or a share as a float."""
    if text.endswith("%") and text[:-1].isdecimal() and 0 < int(text[:-1]) < 100:
        return int(text[:-1]) / 100
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise ArgumentTypeError(f"{text!r} is neither a number of rows nor a share such as 15%")


def _span(text: str) -> np.timedelta64:
    unit = next((unit for unit in ("min", "h", "d", "s") if text.endswith(unit)), "")
    try:
        return np.timedelta64(round(float(text.removesuffix(unit)) * UNITS_S[unit]), "s")
    except (KeyError, ValueError, OverflowError):
        raise ArgumentTypeError(f"{text!r} is no span such as 90min, 48h or 3d") from None
