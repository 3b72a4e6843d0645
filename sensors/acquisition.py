"""The data acquisition agent: judges the readings of a batch and stores them, all in one commit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

from django.db import transaction

from sensors import conflicts, notes, offers, profiles, rejections, statements, store
from sensors.conflicts import Clashes, Resolution
from sensors.counters import count_batch
from sensors.formats import Batch, BoolArray
from sensors.models import IngestKey, Site
from sensors.offers import Offer
from sensors.rows import Rejection
from sensors.signals import readings_ingested

# One statement for all that readings leave behind: each round trip counts for small batches.
_REMEMBER = f"merged AS ({profiles.MERGE}), {notes.WRITE}"
# The parts of a statement have no order of their own. Profiles wait for readings, as they do where
# both are statements: otherwise two writers could each hold what the other one wants.
_MERGE_LAST = profiles.MERGE.replace("ORDER BY", "WHERE (SELECT count(*) FROM stored) > 0 ORDER BY")
_STORE_AND_REMEMBER = (
    f"WITH stored AS ({store.INSERT} RETURNING 1), merged AS ({_MERGE_LAST}), {notes.WRITE}"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one row of the document was not accepted."""

    index: int
    category: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch. Every row is in exactly one of the first three numbers.

    conflicts: rows whose time has another value, whichever number they are in.
    """

    accepted: int = 0
    duplicates: int = 0
    quarantined: int = 0
    errors: tuple[Problem, ...] = ()
    conflicts: int = 0

    def __add__(self, other: Receipt) -> Receipt:
        return Receipt(
            self.accepted + other.accepted,
            self.duplicates + other.duplicates,
            self.quarantined + other.quarantined,
            self.errors + other.errors,
            self.conflicts + other.conflicts,
        )

    def as_json(self) -> dict[str, Any]:
        """Conflicts are named where there are any."""
        said = {**asdict(self), "errors": [asdict(error) for error in self.errors]}
        return said if self.conflicts else {k: v for k, v in said.items() if k != "conflicts"}


class Promise(Protocol):
    """Something to write in the transaction that stores the readings."""

    def keep(self, answer: dict[str, Any]) -> None: ...


def ingest(
    batch: Batch,
    *,
    site: Site,
    source: str,
    now: datetime,
    key: IngestKey | None = None,
    backfill: bool | BoolArray = False,
    keep_rejected: bool = True,
    promise: Promise | None = None,
) -> Receipt:
    """Judge and store a batch. What it returns is committed, or the caller's transaction's.

    backfill: the age of no row counts against it (rows older than a day are exempt anyway); or
        for each reading of the batch, shape (n,).
    keep_rejected: False when the rejected rows are in quarantine already.
    promise: what to write down in the same transaction, such as the answer for the ledger.
    Raises breaker.Open, OperationalError or InterfaceError when the store is away; then nothing
    was written.
    """

    def work() -> _Done:
        offer = offers.judged(batch, site, key, now, backfill)
        beside = _Beside(keep_rejected, site, key, source, now, promise)
        try:
            return _write(offer, beside, expect_new=True)
        except store.Duplicates:
            return _write(offer, beside, expect_new=False)

    done = store.breaker.call(work, on=store.AWAY)
    receipt = done.receipt
    count_batch(accepted=receipt.accepted, duplicates=receipt.duplicates, refused=done.refused)
    conflicts.count(receipt.conflicts, done.how)
    return receipt


@dataclass(frozen=True, slots=True)
class _Done:
    """What was written: the answer, every row that was refused, how conflicts were settled."""

    receipt: Receipt
    refused: list[Rejection]
    how: Resolution


@dataclass(frozen=True, slots=True)
class _Beside:
    """What is written in the readings' transaction besides them and what they leave behind."""

    keep_rejected: bool
    site: Site
    key: IngestKey | None
    source: str
    now: datetime
    promise: Promise | None

    def is_due(self, offer: Offer) -> bool:
        refused = bool(offer.refused) and self.keep_rejected
        return refused or bool(len(offer.within)) or self.promise is not None

    def write(self, done: _Done, clashes: Clashes) -> None:
        conflicts.record(clashes, done.how, key=self.key, source=self.source, now=self.now)
        if self.keep_rejected:
            rejections.hold(
                done.refused, site=self.site, key=self.key, source=self.source, now=self.now
            )
        if self.promise is not None:
            self.promise.keep(done.receipt.as_json())


def _write(offer: Offer, beside: _Beside, *, expect_new: bool) -> _Done:
    """All in one commit. Raises store.Duplicates, only if expect_new, and has done nothing."""

    def work() -> _Done:
        accepted, clashes = _store(offer, beside.now, expect_new=expect_new)
        done = _done(offer, accepted, clashes)
        beside.write(done, clashes)
        return done

    # A single statement is a transaction by itself, and needs no other round trips.
    is_one_statement = expect_new and len(offer.chosen) <= store.FEW and not beside.is_due(offer)
    return store.again(work) if is_one_statement else store.in_transaction(work)


def _done(offer: Offer, accepted: int, clashes: Clashes) -> _Done:
    """accepted: readings whose value was not there before and is now."""
    held = offer.contradicting(clashes) if offer.how is Resolution.QUARANTINE else []
    refused = [*offer.refused, *held]
    duplicates = len(offer.good) - accepted - len(held)
    problems = tuple(map(_problem, refused))
    receipt = Receipt(accepted, duplicates, len(refused), problems, len(clashes))
    return _Done(receipt, refused, offer.how)


def _store(offer: Offer, now: datetime, *, expect_new: bool) -> tuple[int, Clashes]:
    """Store the readings and remember what is new; how many that is, and what contradicts what."""
    readings = offer.readings
    if not len(readings):
        return 0, offer.within
    if expect_new and len(readings) <= store.FEW:
        store.run_unless_there(_STORE_AND_REMEMBER, (*readings.params(), *_traces(readings, now)))
    else:
        with store.inserting(readings, expect_new=expect_new) as insertion:
            left = _traces(readings, now)  # while the server is at work; mostly all are new
        if not insertion.is_new.all():
            return _store_others(offer, insertion.is_new, now)
        _remember(left)
    _wake_up_after_commit()
    return len(readings), offer.within


def _store_others(offer: Offer, is_new: BoolArray, now: datetime) -> tuple[int, Clashes]:
    """The rest of _store where some of the readings are stored already, perhaps otherwise."""
    if is_new.any():
        fresh = offer.readings.take(is_new)
        _remember(_traces(fresh, now))
    replaced, clashes = conflicts.settle(offer.good, offer.chosen, offer.within, is_new, offer.how)
    accepted = int(is_new.sum()) + replaced
    if accepted:
        _wake_up_after_commit()
    return accepted, clashes


def _remember(traces: tuple[object, ...]) -> None:
    """Write down what readings that were just stored leave behind. Needs their transaction."""
    statements.run(f"WITH {_REMEMBER}", traces)


def _traces(readings: store.Columns, now: datetime) -> tuple[object, ...]:
    """What `_remember` takes: profiles, and notes of what needs scoring and rolling up.

    readings: at least one, sorted by (sensor, time).
    """
    return (*profiles.summarise(readings).params(now), *notes.params(readings))


def _wake_up_after_commit() -> None:
    # Robust: the readings are stored, so a queue that cannot be reached is no error of this call.
    transaction.on_commit(_wake_up, robust=True)


def _wake_up() -> None:
    readings_ingested.send(sender=None)


def _problem(rejection: Rejection) -> Problem:
    return Problem(rejection.index, rejection.category, rejection.code, rejection.detail)
