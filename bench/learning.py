"""What verdicts are worth: six simulated months, judged with a person's verdicts and without.

    python -m smartmaint.services run -- python -m bench.learning --seeds 1-3

Readings, faults and nuisances are those of bench.plant; everything else is the production path:
ingestion, detection, validation, episodes, reviews, calibration, week by week in event time. The
person looks at every anomaly that stands in an episode of the first three months, confirms what
overlaps a labelled fault and refutes the rest. Counted are the episodes of the last three months,
about which nobody says anything. Seeds from 100 on are for development.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
from tqdm import tqdm

from bench.place import empty, own_place
from bench.plant import A_DAY, BEGIN, DAYS, HALF, SORTS, Label, Track, plant

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from anomalies.models import Anomaly
    from sensors.models import Site

WEEK = 7 * A_DAY
# The effect of a fault on what is compared with it: twelve readings.
AFTER = np.timedelta64(2, "h")
HALF_AT = BEGIN + np.timedelta64(HALF, "D")


@dataclass(frozen=True, slots=True)
class Run:
    """Of the last three months: episodes, how many of them false, and faults found by sort."""

    with_verdicts: bool
    episodes: int
    false: int
    false_by_nuisance: dict[str, int]
    found: dict[str, int]
    detected: dict[str, int]
    faults: dict[str, int]
    confirmed: int
    refuted: int
    calibrations: int
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="1-3", help="e.g. 1-3 or 101,102")
    parser.add_argument(
        "--missed", action="store_true", help="print why faults that were detected are not told of"
    )
    parser.add_argument("--out", type=Path, help="JSON with everything that is printed")
    options = parser.parse_args()
    pairs = {}
    with own_place():
        for seed in _seeds(options.seeds):
            pairs[seed] = [
                _told(seed, with_verdicts=said, explain=options.missed) for said in (False, True)
            ]
            _print(seed, *pairs[seed])
    _print_total(list(pairs.values()))
    if options.out:
        told = {seed: [asdict(run) for run in pair] for seed, pair in pairs.items()}
        options.out.write_text(json.dumps(told, indent=1))


def _told(seed: int, *, with_verdicts: bool, explain: bool) -> Run:
    run = _run(seed, with_verdicts=with_verdicts)
    if explain:
        _explain(plant(seed))
    print(
        f"seed {seed} {'with' if with_verdicts else 'without'} verdicts: {_line(run)}", flush=True
    )
    return run


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last) + 1)) if last else [int(s) for s in text.split(",")]


def _run(seed: int, *, with_verdicts: bool) -> Run:
    from mlops import serving
    from mlops.serving import NoChampion

    empty()
    began, tracks = time.perf_counter(), plant(seed)
    place, person = _made(tracks)
    none = NoChampion("no registry in this bench", expected=False)
    with patch.object(serving, "champions_for", lambda all_: {pk: none for pk, _ in all_}):
        for week in tqdm(range(DAYS // 7), desc=f"seed {seed}", unit="week", disable=None):
            rows = slice(week * WEEK, (week + 1) * WEEK)
            now = _time(tracks[0].times[rows][-1]) + timedelta(minutes=5)
            _ingest(tracks, rows, place, now)
            _work(now)
            if with_verdicts and (week + 1) * 7 <= HALF:
                _review(tracks, person, now)
                _work(now)
    return _result(tracks, with_verdicts, time.perf_counter() - began)


def _made(tracks: Sequence[Track]) -> tuple[Site, User]:
    from django.contrib.auth.models import User

    from sensors.kinds import kind_named
    from sensors.models import Asset, Sensor, Site

    place = Site.objects.create(slug="plant", name="Plant")
    for track in tracks:
        machine, _ = Asset.objects.get_or_create(site=place, name=track.machine)
        Sensor.objects.create(site=place, asset=machine, external_id=track.name, kind=track.kind,
                              unit=kind_named(track.kind).unit)  # fmt: skip
    person, _ = User.objects.get_or_create(username="reliability")
    return place, person


def _ingest(tracks: Sequence[Track], rows: slice, place: Site, now: datetime) -> None:
    from sensors import acquisition, formats

    for track in tracks:
        body = io.StringIO()
        body.write("sensor,time,value\n")
        texts = np.datetime_as_string(track.times[rows], unit="s", timezone="UTC")
        for text, value in zip(texts, track.values[rows].tolist(), strict=True):
            body.write(f"{track.name},{text},{value!r}\n")
        batch = formats.from_csv(body.getvalue().encode())
        receipt = acquisition.ingest(batch, site=place, source="bench", now=now)
        assert receipt.accepted == len(texts), receipt


def _work(now: datetime) -> None:
    """What the workers do, until nothing waits."""
    from anomalies import detection, validation
    from anomalies.episodes import closing, placing

    while detection.drain(now=now, policy=detection.policy()).sensors:
        pass
    while validation.validate_due(now=now):
        pass
    placing.place_due(now=now, policies=placing.policies())
    closing.settle(now=now, policies=placing.policies())


def _review(tracks: Sequence[Track], person: User, now: datetime) -> None:
    """Every anomaly that stands in an episode and was not looked at yet, and what nights do."""
    from anomalies import exclusions, recalibration
    from anomalies.models import Anomaly, Verdict
    from anomalies.review import review

    labels = {track.name: track.faults for track in tracks}
    waiting = Anomaly.objects.awaiting_review().filter(episode__isnull=False)
    for anomaly in waiting.select_related("sensor").order_by("start"):
        is_fault = _fault(anomaly, labels[anomaly.sensor.external_id]) is not None
        verdict = Verdict.CONFIRMED if is_fault else Verdict.FALSE_POSITIVE
        review(anomaly=anomaly, verdict=verdict, note="", person=person, now=now)
    exclusions.renew(now=now)
    recalibration.run(now=now)


def _fault(anomaly: Anomaly, labels: Sequence[Label]) -> Label | None:
    """The labelled fault that an anomaly overlaps."""
    start, end = (np.datetime64(t.replace(tzinfo=None), "us") for t in (anomaly.start, anomaly.end))
    return next((one for one in labels if start <= one.end + AFTER and end >= one.start), None)


def _result(tracks: Sequence[Track], with_verdicts: bool, seconds: float) -> Run:
    from anomalies.models import Anomaly, Calibration, Episode

    labels = {track.name: track.faults for track in tracks}
    nuisance = {track.name: track.nuisance or "none" for track in tracks}
    judged = [fault for track in tracks for fault in track.faults if fault.start >= HALF_AT]
    found, detected = set[Label](), set[Label]()
    is_true: dict[int, bool] = {}
    owner: dict[int, str] = {}
    late = Anomaly.objects.standing().filter(end__gte=_time(HALF_AT)).order_by("start")
    for anomaly in late.select_related("sensor"):
        name = anomaly.sensor.external_id
        hit = _fault(anomaly, labels[name])
        if hit:
            detected.add(hit)
        if anomaly.episode_id is None:
            continue
        if hit:
            found.add(hit)
        owner.setdefault(anomaly.episode_id, nuisance[name])
        is_true[anomaly.episode_id] = is_true.get(anomaly.episode_id, False) or hit is not None
    counted = set(
        Episode.objects.filter(started_at__gte=_time(HALF_AT)).values_list("pk", flat=True)
    )
    false = [pk for pk, yes in is_true.items() if not yes and pk in counted]
    said = Counter(Anomaly.objects.exclude(verdict="").values_list("verdict", flat=True))
    return Run(
        with_verdicts=with_verdicts,
        episodes=len([pk for pk in is_true if pk in counted]),
        false=len(false),
        false_by_nuisance=dict(Counter(owner[pk] for pk in false)),
        found=_by_sort(judged, found),
        detected=_by_sort(judged, detected),
        faults=dict(Counter(fault.sort for fault in judged)),
        confirmed=said["confirmed"],
        refuted=said["false_positive"],
        calibrations=Calibration.objects.in_force().count(),
        seconds=round(seconds, 1),
    )


def _explain(tracks: Sequence[Track]) -> None:
    """The judgements of labelled faults that stand in no episode."""
    from anomalies.models import Anomaly

    labels = {track.name: track for track in tracks}
    rows = Anomaly.objects.standing().filter(end__gte=_time(HALF_AT), episode__isnull=True)
    for anomaly in rows.select_related("sensor").order_by("start"):
        track = labels[anomaly.sensor.external_id]
        fault = _fault(anomaly, track.faults)
        if fault is not None:
            judged = anomaly.validations.all()[0]
            terms = ", ".join(f"{t['name']} {t['value']:+.2f}" for t in judged.terms)
            place = track.nuisance or "nothing"
            print(f"  {fault.sort} next to {place}, score {anomaly.score:.2f}, "
                  f"{anomaly.decision}: {terms}", flush=True)  # fmt: skip


def _by_sort(judged: Sequence[Label], found: set[Label]) -> dict[str, int]:
    counts = Counter(fault.sort for fault in judged if fault in found)
    return {sort: counts[sort] for sort in SORTS}


def _time(time: np.datetime64) -> datetime:
    from sensors.series import to_datetime

    return to_datetime(time)


def _print(seed: int, without: Run, said: Run) -> None:
    lost = list(_lost(without, said))
    print(f"seed {seed}: false episodes {_fall(without.false, said.false)}, "
          f"kinds of fault lost: {', '.join(lost) or 'none'}", flush=True)  # fmt: skip


def _line(run: Run) -> str:
    kinds = ", ".join(f"{sort} {run.found[sort]}/{run.detected[sort]}/{run.faults[sort]}"
                      for sort in SORTS)  # fmt: skip
    return (f"{run.episodes} episodes, {run.false} false {run.false_by_nuisance}; "
            f"told/detected/all: {kinds}; {run.confirmed} confirmed, {run.refuted} refuted, "
            f"{run.calibrations} calibrations; {run.seconds} s")  # fmt: skip


def _lost(without: Run, said: Run) -> Iterator[str]:
    """Kinds of fault that are told of without verdicts and not with them."""
    return (sort for sort in SORTS if without.found[sort] and not said.found[sort])


def _fall(before: int, after: int) -> str:
    return f"{before} to {after} ({(before - after) / max(before, 1):.0%} fewer)"


def _print_total(pairs: Sequence[Sequence[Run]]) -> None:
    sums: list[dict[str, Any]] = [
        {
            "false": sum(run.false for run in side),
            "found": sum(sum(run.found.values()) for run in side),
        }
        for side in zip(*pairs, strict=True)
    ]
    print(f"all seeds: false episodes {_fall(sums[0]['false'], sums[1]['false'])}; faults told of "
          f"{sums[0]['found']} and {sums[1]['found']}")  # fmt: skip


if __name__ == "__main__":
    main()
