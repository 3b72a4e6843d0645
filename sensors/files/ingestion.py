"""A file into the store, batch by batch, from where it was left."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

from sensors.acquisition import Receipt, ingest
from sensors.files import progress
from sensors.files.layout import Layout
from sensors.files.parts import Part, parts_of
from sensors.files.sources import FileError, Source
from sensors.models import FileIngest, Site

SOURCE = "file"
# So many rows at the beginning of a file are not all bad by chance.
MANY_ROWS = 1_000
OnPart = Callable[[Part, Receipt], None]


def ingest_file(
    source: Source,
    layout: Layout,
    *,
    site: Site,
    clock: Callable[[], datetime],
    batch_rows: int,
    rejects: Rejects | None = None,
    quarantine: bool = True,
    again: bool = False,
    on_part: OnPart = lambda _part, _receipt: None,
) -> FileIngest:
    """Every row of the file once; what a run before this one has committed is not read again.

    rejects: where rows that are not accepted are written, besides quarantine or instead of it.
    Raises FileError when the file cannot be read further, and what `acquisition.ingest` raises
    when the store is away; the batches before are committed.
    """
    record = progress.begin(source, layout, site=site, now=clock(), again=again)
    if record.finished_at is None:
        start = progress.place_of(record)
        for part in parts_of(source, layout, start=start, batch_rows=batch_rows):
            _require_some(source, part)
            now = clock()
            write = rejects.writer(source, part) if rejects else _write_nothing
            receipt = ingest(
                part.batch,
                site=site,
                source=SOURCE,
                now=now,
                backfill=True,
                keep_rejected=quarantine,
                promise=progress.Mark(record, part, now, write),
            )
            on_part(part, receipt)
        progress.finish(record, now=clock())
    return record


class Rejects:
    """A file of NDJSON: each row that was not accepted, with its reason and as it came.

    Written before the batch is committed, so that none is missing; after a crash the rows of the
    batch that was at work may be there twice.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    @classmethod
    def to(cls, path: Path) -> Self:
        """Appends; a run that goes on where another was stopped adds to what that one wrote."""
        return cls(path.open("a", encoding="ascii"))

    def writer(self, source: Source, part: Part) -> Callable[[dict[str, Any]], None]:
        begin = self._file.tell()

        def write(answer: dict[str, Any]) -> None:
            self._file.seek(begin)
            self._file.truncate()
            for line in refused_rows(source, part, answer["errors"]):
                self._file.write(json.dumps(line) + "\n")
            self._file.flush()

        return write

    def close(self) -> None:
        self._file.close()


def refused_rows(
    source: Source, part: Part, errors: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """What became of which row: file, row from 0, category, code, detail, and the row itself."""
    payloads = {rejected.index: rejected.payload for rejected in part.batch.rejected}
    for error in errors:
        place = error["index"]
        payload = payloads.get(place) or part.batch.payload(
            int(np.searchsorted(part.batch.index, place))
        )
        yield {
            "file": source.path.name,
            "row": part.row_of(place),
            **{name: error[name] for name in ("category", "code", "detail")},
            "reading": json.loads(payload),
        }


def _require_some(source: Source, part: Part) -> None:
    """A file that is read in the wrong way shall not end in quarantine row by row."""
    if part.begin.rows or len(part.batch.times) or len(part.batch) < MANY_ROWS:
        return
    first = part.batch.rejected[0]
    raise FileError(
        f"{source.path}: none of the first {part.end.rows:,} rows is a reading, beginning with "
        f"{first.code}: {first.detail}. Nothing was written; is it read as it should be? "
        "--dry-run shows what is in it."
    )


def _write_nothing(_answer: dict[str, Any]) -> None:
    """Quarantine has it."""
