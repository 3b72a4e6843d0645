"""`manage.py ingest`: files of readings into the store."""

from __future__ import annotations

import time
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone
from tqdm import tqdm

from sensors.acquisition import Receipt
from sensors.files.ingestion import Rejects, ingest_file
from sensors.files.layout import Layout
from sensors.files.options import OptionError, add_clock, add_layout, layout_of
from sensors.files.parts import Part
from sensors.files.sources import FORMATS, SUFFIXES, FileError, Source, find
from sensors.files.survey import Survey
from sensors.management.explained import ExplainedCommand
from sensors.models import FileIngest, Site
from sensors.offers import MAX_AHEAD
from sensors.series import to_datetime64
from sensors.store import AWAY
from smartmaint.lib import breaker

BATCH_ROWS = 10_000
MAX_BATCH_ROWS = 100_000
STORE_IS_AWAY: tuple[type[Exception], ...] = (breaker.Open, *AWAY)
SOME_REJECTED, UNREADABLE, STORE_AWAY, STOPPED = 1, 2, 3, 130

EPILOG = f"""\
FILE is CSV, NDJSON or Parquet by its suffix ({", ".join(SUFFIXES)}), text also as .gz; a folder
stands for all such files in it. Rows have sensor, time and value, and quality, kind and unit where
they are known:
  ingest data.csv --site north-plant
  ingest plc.csv --site north-plant --map sensor=tag_name,time=ts,value=val
  ingest pump-1-temp.csv --site north-plant --sensor pump-1/temp
  ingest pump-1.csv --site north-plant --wide --prefix pump-1/     (time,temp,vib,…)
  ingest '2025/' --site north-plant --sensor '{{stem}}'              (a file a sensor)
  ingest scada.csv --site north-plant --time-format '%d.%m.%Y %H:%M:%S' --time-zone Europe/Berlin
An empty cell or null is a field that is not there; in a wide file, no reading.

A batch and how far the file has come are committed together: after a kill the same command goes on
where it was, and a file that is done is not read again without --again. A file is known by its
name, its size, its first and last 64 KiB and the options that say how it is read. Rows that cannot
be accepted are kept in quarantine. A reading that is stored already is a duplicate and changes
nothing.

Exit status: 0 when every row was accepted or stored already; {SOME_REJECTED} when some were
rejected; {UNREADABLE} when a file could not be read (the others still are) or the options make no
sense; {STORE_AWAY} when the store is away; {STOPPED} on Ctrl-C. What was committed stays.
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = "Ingest files of readings, of any size, in bounded memory; resumable."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="file or folder")
        parser.add_argument("--site", required=True, help="slug of the site")
        parser.add_argument("--format", choices=FORMATS, help="of all files, whatever the suffix")
        add_layout(parser)
        add_clock(parser)
        parser.add_argument(
            "--batch-size",
            type=_batch_rows,
            default=BATCH_ROWS,
            metavar="N",
            help=f"rows to commit at once; default: {BATCH_ROWS}",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say what is in the files; write nothing"
        )
        parser.add_argument(
            "--rejects",
            type=Path,
            metavar="OUT",
            help="append each rejected row with its reason to this file, as NDJSON",
        )
        parser.add_argument(
            "--no-quarantine", action="store_true", help="rejected rows go to --rejects alone"
        )
        parser.add_argument("--again", action="store_true", help="read files that are done again")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["no_quarantine"] and not (options["rejects"] or options["dry_run"]):
            raise _misused("--no-quarantine needs --rejects: a rejected row is kept somewhere.")
        site = _site(options["site"])
        try:
            layout, sources = layout_of(options), find(options["files"], options["format"])
        except (OptionError, FileError) as error:
            raise _misused(str(error)) from error
        read = self._dry_reader(options, site) if options["dry_run"] else None
        with ExitStack() as stack:
            reader = read or self._reader(options, site, stack)
            outcomes = [self._outcome(reader, source, layout) for source in sources]
        _conclude(outcomes)

    def _outcome(self, read: Reader, source: Source, layout: Layout) -> int | None:
        """How many rows of the file were rejected; None when it could not be read to its end."""
        try:
            return read(source, layout.for_file(source.path.name.split(".")[0]))
        except FileError as error:
            self.stderr.write(self.style.ERROR(str(error)))
            return None
        except STORE_IS_AWAY as error:
            raise CommandError(
                f"{source.path}: the store is away ({str(error).strip()}). "
                "The same command goes on from what was committed.",
                returncode=STORE_AWAY,
            ) from error
        except KeyboardInterrupt:
            self.stderr.write(f"{source.path}: stopped; the same command goes on from here.")
            raise SystemExit(STOPPED) from None

    # --- for good ---------------------------------------------------------------------------------

    def _reader(self, options: dict[str, Any], site: Site, stack: ExitStack) -> Reader:
        rejects = _rejects(options["rejects"], stack)

        def read(source: Source, layout: Layout) -> int:
            codes: Counter[str] = Counter()
            seen = Receipt()

            with _bar(source) as bar:

                def on_part(part: Part, receipt: Receipt) -> None:
                    nonlocal seen
                    codes.update(error.code for error in receipt.errors)
                    seen += replace(receipt, errors=())
                    bar.update(part.read - bar.n)

                begun = time.monotonic()
                record = ingest_file(
                    source,
                    layout,
                    site=site,
                    clock=timezone.now,
                    batch_rows=options["batch_size"],
                    rejects=rejects,
                    quarantine=not options["no_quarantine"],
                    again=options["again"],
                    on_part=on_part,
                )
            self._report(source, record, seen, codes, time.monotonic() - begun)
            return seen.quarantined

        return read

    def _report(
        self, source: Source, record: FileIngest, seen: Receipt, codes: Counter[str], seconds: float
    ) -> None:
        read = seen.accepted + seen.duplicates + seen.quarantined
        counted = f"{_counts(record)} of {record.rows:,} rows"
        if not read:
            self.stdout.write(
                f"{source.path}: done before, at {record.finished_at:%F %T}: {counted}"
            )
            return
        earlier = record.accepted + record.duplicates + record.quarantined - read
        went_on = f"; {earlier:,} of the readings by an earlier run" if earlier else ""
        differ = f"; {seen.conflicts:,} differ from what is stored" if seen.conflicts else ""
        self.stdout.write(
            f"{source.path}: {counted}{_by_code(codes)}, {seconds:.1f} s, "
            f"{read / max(seconds, 1e-9):,.0f} readings/s{differ}{went_on}"
        )

    # --- without a trace --------------------------------------------------------------------------

    def _dry_reader(self, options: dict[str, Any], site: Site) -> Reader:
        def read(source: Source, layout: Layout) -> int:
            survey = Survey(latest=to_datetime64(timezone.now() + MAX_AHEAD))
            begun = time.monotonic()
            with _bar(source) as bar:
                for part in survey.look(source, layout, batch_rows=options["batch_size"]):
                    bar.update(part.read - bar.n)
            self._describe(source, site, survey, time.monotonic() - begun)
            return survey.rejected.total()

        return read

    def _describe(self, source: Source, site: Site, survey: Survey, seconds: float) -> None:
        known = site.sensors.filter(external_id__in=list(survey.sensors))
        new = len(survey.sensors) - known.count()
        rejected = survey.rejected.total()
        self.stdout.write(
            f"{source.path}: {survey.rows:,} rows, {survey.well_formed:,} readings well-formed, "
            f"{rejected:,} rejected{_by_code(survey.rejected)}\n"
            f"  {len(survey.sensors):,} sensors, {new:,} of them new here"
            + "".join(f"\n    {name}: {count:,}" for name, count in survey.sensors.most_common(10))
            + ("\n    …" if len(survey.sensors) > 10 else "")
            + (f"\n  from {survey.first}Z to {survey.last}Z" if survey.well_formed else "")
            + f"\n  {survey.rows / max(seconds, 1e-9):,.0f} rows/s; nothing was written"
        )


Reader = Callable[[Source, Layout], int]


def _misused(message: str) -> CommandError:
    return CommandError(message, returncode=UNREADABLE)


def _batch_rows(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_BATCH_ROWS:
        raise ArgumentTypeError(f"{text!r} is not a number of rows from 1 to {MAX_BATCH_ROWS}")
    return int(text)


def _site(slug: str) -> Site:
    site = Site.objects.filter(slug=slug).first()
    if site is None:
        known = ", ".join(Site.objects.values_list("slug", flat=True)) or "none"
        raise _misused(f"There is no site {slug!r}. Sites: {known}.")
    return site


def _rejects(path: Path | None, stack: ExitStack) -> Rejects | None:
    if path is None:
        return None
    try:
        rejects = Rejects.to(path)
    except OSError as error:
        raise _misused(f"--rejects: {error}") from error
    stack.callback(rejects.close)
    return rejects


def _bar(source: Source) -> Any:
    """A progress bar on stderr, where that is a terminal."""
    return tqdm(
        total=source.size,
        unit="B",
        unit_scale=True,
        desc=source.path.name,
        leave=False,
        disable=None,
    )


def _counts(record: FileIngest) -> str:
    return (
        f"{record.accepted:,} accepted, {record.duplicates:,} duplicates, "
        f"{record.quarantined:,} rejected"
    )


def _by_code(codes: Counter[str]) -> str:
    said = ", ".join(f"{code} {count:,}" for code, count in codes.most_common())
    return f" ({said})" if said else ""


def _conclude(outcomes: list[int | None]) -> None:
    """Raises CommandError with the exit status that goes with them."""
    unread = outcomes.count(None)
    if unread:
        raise CommandError(
            f"{unread} of {len(outcomes)} files could not be read to the end.",
            returncode=UNREADABLE,
        )
    rejected = sum(rows or 0 for rows in outcomes)
    if rejected:
        raise CommandError(f"{rejected:,} rows were rejected.", returncode=SOME_REJECTED)
