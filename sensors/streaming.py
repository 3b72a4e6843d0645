"""The data acquisition agent for a document that is read in parts: the readings of the first parts
are on their way into the table while the last ones are read.

It takes documents in which everything is as it mostly is: every sensor is known, and no reading is
there already. All others it leaves untouched to `acquisition.ingest`, whose answer is the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import DatabaseError, transaction

from sensors import acquisition, conflicts, directory, offers, store
from sensors.acquisition import Beside, Done, Promise, Receipt
from sensors.conflicts import Clashes
from sensors.directory import Directory
from sensors.formats import Batch, Coded, FormatError, Inseparable
from sensors.models import IngestKey, Site
from sensors.rows import Rejection


class AsAWhole(Exception):
    """The document is to be ingested as a whole; nothing was written.

    is_stored: a reading of it is there already.
    """

    def __init__(self, *, is_stored: bool = False) -> None:
        super().__init__()
        self.is_stored = is_stored


def ingest(
    parts: Iterable[Batch],
    *,
    site: Site,
    source: str,
    now: datetime,
    key: IngestKey | None = None,
    promise: Promise | None = None,
) -> Receipt:
    """Judge and store the parts, all in one commit, as `acquisition.ingest` does.

    parts: may raise Inseparable or FormatError. Raises AsAWhole; and, when the store is away, what
    `acquisition.ingest` raises.
    """
    beside = Beside(True, site, key, source, now, promise)

    def work() -> Done:
        try:
            with transaction.atomic():
                return _stored(parts, beside)
        except (Inseparable, FormatError) as error:
            raise AsAWhole from error
        except store.Duplicates as error:
            raise AsAWhole(is_stored=True) from error
        except DatabaseError as error:
            if isinstance(error.__cause__, store.PASSING):
                raise AsAWhole from error
            raise

    return acquisition.counted(store.breaker.call(work, on=store.AWAY))


def _stored(parts: Iterable[Batch], beside: Beside) -> Done:
    sent = _Sent(_Fleet(beside.site, beside.now))
    with store.streaming() as stream:
        for part in parts:
            sent.add(part, stream)
        readings = sent.readings()
        traces = acquisition.traces(readings, beside.now)  # while the server is at work
    acquisition.remember(traces)
    acquisition.wake_up_after_commit()
    done = Done.of(len(readings), 0, sent.refused, conflicts.resolution())
    beside.write(done, Clashes.none())
    return done


@dataclass(slots=True)
class _Fleet:
    """The sensors that were met so far. places: of each name in what is known of them."""

    site: Site
    now: datetime
    places: dict[str, int] = field(default_factory=dict)
    known: Directory | None = None

    def look_up(self, part: Batch, stream: store.Stream) -> tuple[Batch, Directory]:
        """The part, its sensors in the order in which they are known."""
        names = dict.fromkeys((*self.places, *part.sensor.names))
        if self.known is None or len(names) > len(self.places):
            stream.pause()
            self.known = directory.registered(names, site=self.site, now=self.now)
            self.places = {name: place for place, name in enumerate(names)}
        if self.known is None:
            raise AsAWhole
        sensor = Coded(tuple(self.places), part.sensor.among(self.places))
        return replace(part, sensor=sensor), self.known


@dataclass(slots=True)
class _Sent:
    """What of the parts so far is on its way into the table, and what was refused."""

    fleet: _Fleet
    pieces: list[store.Columns] = field(default_factory=list)
    refused: list[Rejection] = field(default_factory=list)

    def add(self, part: Batch, stream: store.Stream) -> None:
        offer = offers.of(*self.fleet.look_up(part, stream), self.fleet.now)
        readings = offer.readings
        if len(readings) < len(offer.good):  # a time that comes twice
            raise AsAWhole
        stream.write(readings)
        self.pieces.append(readings)
        self.refused += offer.refused

    def readings(self) -> store.Columns:
        """All of them, sorted by (sensor, time)."""
        if not sum(map(len, self.pieces)):
            raise AsAWhole
        readings = store.Columns.joined(self.pieces)
        order = store.one_of_each(readings)
        if len(order) < len(readings):  # a time that comes twice
            raise AsAWhole
        return readings.take(order)
