"""What detection would have said of the readings in a file, at the time."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, OutputWrapper
from tqdm import tqdm

from anomalies import tables
from anomalies.columnar import TableError
from sensors.kinds import KINDS, OTHER
from sensors.management.explained import ExplainedCommand

EPILOG = """\
IN is a CSV file (.csv, or .csv.gz) with a header and , ; or tab between cells, a Parquet or NDJSON
file (.parquet, .ndjson), or a folder of them:
  time,value                 one sensor
  sensor,time,value          several sensors, each judged by itself
  time and several numbers   the sensors of one asset, judged together
Times are ISO 8601 (UTC without a zone) or seconds since 1970, and go forward. An empty cell or NaN
is a gap. Columns named anomaly, label, fault, changepoint or score are known answers: they are
carried along and never read.

OUT is CSV, repeats the rows in order and adds
  score    0 to 1: how rare the row is among those before it
  anomaly  1 where score reaches 0.5, which is how an alarm begins; else 0
A row's score depends on the rows before it alone.

  manage.py backtest readings.csv --out scored.csv --warmup 600
  manage.py backtest folder/ --out scored/ --kind vibration

Exit status: 0 when all was judged; 1 when a file could not be (the others still are).
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = "Judge the readings in files: each by those before it, with no server and no database."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", metavar="IN", type=Path, help="a file, or a folder")
        parser.add_argument("--out", type=Path, required=True, help="a file, or a folder for IN's")
        parser.add_argument(
            "--kind", choices=[*KINDS, OTHER.name], help="of the sensors; brings physical limits"
        )
        parser.add_argument(
            "--warmup",
            type=_rows,
            metavar="N",
            help="rows at the start of each sensor that are only learnt from; alarms are as many "
            "as its length allows, and as with 600 rows where it is not given",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        pairs = _pairs(options["source"], options["out"])
        failed = 0
        for source, out in tqdm(pairs, unit="file", disable=None if len(pairs) > 1 else True):
            try:
                self._judge(source, out, options)
            except (TableError, OSError) as error:
                failed += 1
                self._say(self.stderr, f"{source}: {error}")
        if failed:
            raise CommandError(f"{failed} of {len(pairs)} files could not be judged.")

    def _judge(self, source: Path, out: Path, options: dict[str, Any]) -> None:
        # The detectors load their compiled code: --help need not wait for it.
        from anomalies.backtest import scores_of
        from mlops.detectors.base import ALARM_LEVEL

        table = tables.read(source)
        for doubt in table.doubts:
            self._say(self.stderr, f"{source}: {doubt}")
        with tqdm(total=len(table), unit="row", desc=source.name, leave=False, disable=None) as bar:
            scores = scores_of(
                table,
                kind=options["kind"],
                warmup=options["warmup"],
                on_rows=bar.update,
            )
        alarms = scores >= ALARM_LEVEL
        tables.write(out, table, scores, alarms)
        self._say(self.stdout, f"{source}: {len(table):,} rows, {int(alarms.sum())} anomalous")

    @staticmethod
    def _say(where: OutputWrapper, line: str) -> None:
        """Above the progress bars, where there are any."""
        with tqdm.external_write_mode(file=where):
            where.write(line)


def _rows(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a number of rows, 1 or more")
    return int(text)


def _pairs(source: Path, out: Path) -> list[tuple[Path, Path]]:
    """Each file to read and where its scores go; CommandError when there is none, or no place."""
    if source.is_file():
        target = _named_csv(out / source.name) if out.is_dir() else out
        if target.resolve() == source.resolve():
            raise CommandError(f"{out} is the file to read; name another.")
        return [(source, target)]
    if not source.is_dir():
        raise CommandError(f"There is no file or folder {source}.")
    if out.is_file() or source.resolve() in (out.resolve(), *out.resolve().parents):
        raise CommandError(f"--out must be a folder outside of {source}.")
    found = sorted(p for p in source.rglob("*") if p.name.lower().endswith(tables.SUFFIXES))
    if not found:
        raise CommandError(f"There is no {' or '.join(tables.SUFFIXES)} file in {source}.")
    return [(path, _named_csv(out / path.relative_to(source))) for path in found]


def _named_csv(path: Path) -> Path:
    """pump.parquet as pump.csv; pump.csv.gz as it is."""
    is_csv = path.name.lower().endswith(tables.CSV)
    return path if is_csv else path.with_name(f"{path.name.partition('.')[0]}.csv")
