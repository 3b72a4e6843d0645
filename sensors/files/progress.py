"""How far a file has come: noted with the readings of each part, so that a kill loses nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db.models import F

from sensors.files.layout import Layout
from sensors.files.parts import Part, Place
from sensors.files.sources import FileError, Source
from sensors.models import FileIngest, Site

_END_BYTES = 64 * 2**10
_COUNTED = ("accepted", "duplicates", "quarantined")


def begin(
    source: Source, layout: Layout, *, site: Site, now: datetime, again: bool = False
) -> FileIngest:
    """The file's record: the one there is, or a new one. again: from its first row."""
    record, _ = FileIngest.objects.get_or_create(
        site=site,
        digest=identity(source, layout),
        defaults={
            "name": source.path.name[-255:],
            "size": source.size,
            "started_at": now,
            "updated_at": now,
        },
    )
    if again:
        for name in ("position", "rows", "lines", *_COUNTED):
            setattr(record, name, 0)
        record.started_at = record.updated_at = now
        record.finished_at = None
        record.save()
    return record


def identity(source: Source, layout: Layout) -> bytes:
    """Of this content, read in this way. A file that grows or is read otherwise is another."""
    with source.path.open("rb") as file:
        head = file.read(_END_BYTES)
        file.seek(max(source.size - _END_BYTES, 0))
        tail = file.read(_END_BYTES)
    told = json.dumps(
        [source.path.name, source.size, source.format, asdict(layout)], sort_keys=True
    )
    return hashlib.sha256(b"\0".join((told.encode(), head, tail))).digest()


def place_of(record: FileIngest) -> Place:
    return Place(record.position, record.rows, record.lines)


@dataclass(frozen=True, slots=True)
class Mark:
    """That a part is done, written in the transaction that stores its readings.

    before: called with the answer, ahead of that; it may be called again when the transaction is.
    """

    record: FileIngest
    part: Part
    now: datetime
    before: Callable[[dict[str, Any]], None]

    def keep(self, answer: dict[str, Any]) -> None:
        """Raises FileError, which undoes the transaction, when somebody else did the part."""
        self.before(answer)
        moved = FileIngest.objects.filter(
            pk=self.record.pk, position=self.part.begin.position, rows=self.part.begin.rows
        ).update(
            **asdict(self.part.end),
            **{name: F(name) + answer[name] for name in _COUNTED},
            updated_at=self.now,
        )
        if not moved:
            raise FileError(f"{self.record.name}: another process is reading this file.")


def finish(record: FileIngest, *, now: datetime) -> None:
    record.refresh_from_db()
    record.finished_at = record.updated_at = now
    record.save(update_fields=["finished_at", "updated_at"])
