"""Bearings until one fails (IMS test 2), as the product's users would have met them.

    python -m smartmaint.services run -- python -m bench.bearings

Each snapshot is ingested when it was taken, and all that waits is done before the next one comes:
detection by sensor and by machine, routing, validation, episodes, notifications; shipped defaults,
no verdicts. `together`: four sensors of one asset; `apart`: each bearing an asset of its own. At
15 % of life `train anomaly` is asked for a champion. Told is what a notification route with its
defaults says, to nobody. Early is from 15 to 50 % of the rows, as in bench/quality.py.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from anomalies import tables
from anomalies.tables import Table
from bench import learning
from bench.place import empty, own_place
from bench.plant import Track
from sensors.series import TimeArray, to_datetime, to_datetime64

if TYPE_CHECKING:
    from anomalies.models import Anomaly, Message
    from sensors.models import Site

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FILE = "ims_bearing/test2_mean_abs.csv.gz"
KIND, UNIT = "vibration", "g"
EARLY = (0.15, 0.5)
# How long a snapshot takes to arrive; and how much later messages are made of what is to be told,
# which waits half a minute for company.
ARRIVES, LATER = timedelta(seconds=30), timedelta(minutes=1)
SETTINGS = ("together", "apart")


@dataclass(frozen=True, slots=True)
class Life:
    """What the snapshots' times say. times: shape (n,), in order."""

    times: TimeArray

    @property
    def early(self) -> tuple[np.datetime64, np.datetime64]:
        """The first time that counts as early, and the first that does not any more."""
        first, stop = (self.times[int(share * len(self.times))] for share in EARLY)
        return first, stop

    def is_early(self, start: datetime, end: datetime) -> bool:
        """Whether a range, both ends included, shares a moment with it."""
        first, stop = self.early
        return bool(to_datetime64(start) < stop and to_datetime64(end) >= first)

    def share(self, at: datetime) -> float:
        """Of life, 0 at the first snapshot and 1 at the last."""
        return float((to_datetime64(at) - self.times[0]) / (self.times[-1] - self.times[0]))

    def hours_left(self, at: datetime) -> float:
        return float((self.times[-1] - to_datetime64(at)) / np.timedelta64(1, "h"))


@dataclass(frozen=True, slots=True)
class Found:
    """One anomaly, as it stands at the end. bearing: whose it is; of a machine's, which shows most.

    detected: when it was first written. credible: when the validation agent first called it so;
    decision and confidence are its newest. told: when the first message about its episode was made
    that could know of it, whatever else stood in it. withdrawn: detection took it back.
    """

    bearing: str
    level: str
    given_by: str
    start: datetime
    end: datetime
    detected: datetime
    score: float
    nature: str
    decision: str
    confidence: float
    episode: int | None
    credible: datetime | None
    told: datetime | None
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class Said:
    """One message."""

    at: datetime
    subject: str


@dataclass(frozen=True, slots=True)
class Outcome:
    found: tuple[Found, ...]
    said: tuple[Said, ...]
    champion: str
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="%(default)s")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=SETTINGS)
    parser.add_argument("--out", type=Path, help="JSON with everything that is printed")
    options = parser.parse_args()
    path = options.data / FILE
    if not path.exists():
        parser.exit(1, f"there is no {path}\n")
    table, outcomes = tables.read(path), {}
    with own_place():
        for setting in options.settings:
            empty()
            outcomes[setting] = outcome = lived(table, together=setting == "together")
            print("\n".join(told(setting, outcome, Life(table.times))), flush=True)
    if options.out:
        whole = {setting: asdict(outcome) for setting, outcome in outcomes.items()}
        options.out.write_text(json.dumps(whole, indent=1, default=str))


def lived(table: Table, *, together: bool) -> Outcome:
    """All snapshots as they come. Needs an empty database."""
    began, tracks = time.perf_counter(), tracks_of(table, together=together)
    place, champion = _made(tracks), ""
    cut = int(EARLY[0] * len(table))
    for row in tqdm(range(len(table)), desc="snapshots", disable=None):
        now = to_datetime(table.times[row]) + ARRIVES
        learning._ingest(tracks, slice(row, row + 1), place, now)
        _look(now)
        if row == cut:
            champion = _trained(now)
    return Outcome(tuple(_found()), tuple(_said()), champion, time.perf_counter() - began)


def tracks_of(table: Table, *, together: bool) -> list[Track]:
    """A sensor for each bearing, on one machine or on one each."""
    return [
        Track(name, "machine" if together else name, KIND, "", table.times, values, ())
        for name, values in table.values.items()
    ]


def _made(tracks: Sequence[Track]) -> Site:
    from anomalies.models import NotificationRoute
    from sensors.models import Sensor

    place, _ = learning._made(tracks)
    Sensor.objects.filter(site=place).update(unit=UNIT, created_at=to_datetime(tracks[0].times[0]))
    NotificationRoute.objects.create(
        name="all defaults", site=place, channel="webhook", target="https://example.org/"
    )
    return place


def _look(now: datetime) -> None:
    """What the workers do about all that waits. No snapshot is missing, so nobody is silent."""
    from anomalies import cycle
    from anomalies.models import NotificationRoute

    unsent = dict.fromkeys(NotificationRoute.Channel.values, _unsent)
    cycle.act(lambda: now)
    cycle.tell(lambda: now + LATER, rng=Random(0), channels=unsent)  # noqa: S311


def _unsent(message: Message) -> None:
    """It counts as sent."""


def _trained(now: datetime) -> str:
    """What `train anomaly` says by then; a champion serves from then on."""
    from mlops.pipelines import NoData, Order, anomaly

    said: list[str] = []
    try:
        anomaly.run(Order(now=now, kinds=(KIND,), say=said.append))
    except NoData:
        said.append("no champion")
    return "; ".join(said)


def _found() -> Iterator[Found]:
    from anomalies.models import Anomaly

    rows = Anomaly.objects.select_related("sensor").order_by("start", "pk")
    return (_as_found(row) for row in rows)


def _as_found(row: Anomaly) -> Found:
    from anomalies.models import Message

    credible = row.validations.filter(decision="credible_anomaly")
    about = Message.objects.filter(
        notifications__episode=row.episode_id, created_at__gte=row.detected_at
    ).exclude(notifications__event__kind="resolved")
    told = about.values_list("created_at", flat=True) if row.episode_id else ()
    return Found(
        bearing=row.sensor.external_id,
        level=row.level,
        given_by=f"{row.detector} ({row.rung})",
        start=row.start,
        end=row.end,
        detected=row.detected_at,
        score=row.score,
        nature=row.nature,
        decision=row.decision,
        confidence=row.confidence or 0.0,
        episode=row.episode_id,
        credible=min(credible.values_list("validated_at", flat=True), default=None),
        told=min(told, default=None),
        withdrawn=row.withdrawn_at is not None,
    )


def _said() -> Iterator[Said]:
    from anomalies.models import Message

    return (Said(each.created_at, str(each)) for each in Message.objects.order_by("created_at"))


def told(setting: str, outcome: Outcome, life: Life) -> Iterator[str]:
    """Lines for people: every anomaly, every message, and the table."""
    yield f"\n{setting}: {len(outcome.found)} anomalies, {outcome.seconds:.0f} s"
    yield f"champion at {EARLY[0]:.0%} of life: {outcome.champion}"
    yield from (_line(one, life) for one in outcome.found)
    yield from (f"message {_when(one.at, life)}: {one.subject}" for one in outcome.said)
    yield from table_of(outcome, life)


def _line(one: Found, life: Life) -> str:
    told = f"told {life.hours_left(one.told):.1f} h" if one.told else "not told"
    credible = f", credible {life.hours_left(one.credible):.1f} h" if one.credible else ""
    episode = f"episode {one.episode}" if one.episode else "no episode"
    early = ", early" if life.is_early(one.start, one.end) else ""
    gone = ", withdrawn" if one.withdrawn else ""
    return (
        f"{one.bearing} {_when(one.start, life)} to {one.end:%m-%d %H:%M}: {one.level} by "
        f"{one.given_by}, score {one.score:.3f}, {one.nature}, {one.decision} "
        f"{one.confidence:.2f}{credible}, {episode}, {told}{early}{gone}"
    )


def _when(at: datetime, life: Life) -> str:
    return f"{at:%m-%d %H:%M} {life.share(at):.1%} {life.hours_left(at):.1f} h"


def table_of(outcome: Outcome, life: Life) -> Iterator[str]:
    """A row for each bearing: what was early, and of what began later, how many hours before the
    end the first was written, called credible and told of. What detection took back counts too."""
    yield "| | early | of them credible | told of | hours before the end: later | credible | told |"
    yield "|---|---|---|---|---|---|---|"
    for name in sorted({one.bearing for one in outcome.found}):
        own = [one for one in outcome.found if one.bearing == name]
        early = [one for one in own if life.is_early(one.start, one.end)]
        late = [one for one in own if to_datetime64(one.start) >= life.early[1]]
        cells = [
            len(early),
            len(_known(one.credible for one in early)),
            len(_known(one.told for one in early)),
            _first((one.detected for one in late), life),
            _first((one.credible for one in late), life),
            _first((one.told for one in late), life),
        ]
        yield f"| {name} | {' | '.join(map(str, cells))} |"


def _known(times: Iterable[datetime | None]) -> list[datetime]:
    return [at for at in times if at is not None]


def _first(times: Iterable[datetime | None], life: Life) -> str:
    """Hours before the end of the first that is known."""
    known = _known(times)
    return f"{life.hours_left(min(known)):.0f}" if known else "none"


if __name__ == "__main__":
    main()
