"""What an instrument does and a machine does not, from one sensor's readings. Pure."""

from __future__ import annotations

import numpy as np

from anomalies.nature.looks import INSTRUMENT, MARGIN_ROWS, Bounds, Look, Ruling, Track
from mlops import features
from sensors.series import FloatArray

_FLAT = features.FEATURES.index("flat")
_GAP = 2.5  # usual intervals; a shorter one is a single reading lost
_OFF_ROWS, _OFF_TIMES = 4, 3.0  # intervals out of rhythm, and how many times the usual number
_RETURN_ROWS = 6  # readings after a spike that say that it is over
_SPIKE_ROWS = 3
_SIDE_ROWS = 9
_LEAST_LEAP = 4.0  # noises
_SCATTER = 0.5  # of a spike's leap, that the readings around it may reach
_CALM = 1.25  # of a notable feature, around a spike
_AT_BOUND_ROWS, _AT_BOUND_SHARE = 6, 0.4  # of the odd readings


def impossible(
    track: Track, start: np.datetime64, end: np.datetime64, bounds: Bounds
) -> Ruling | None:
    """A value that is physically impossible; needs no history."""
    values = track.values[(track.times >= start) & (track.times <= end)]
    low = -np.inf if bounds.low is None else bounds.low
    high = np.inf if bounds.high is None else bounds.high
    if not ((values < low) | (values > high)).any():
        return None
    return Ruling(INSTRUMENT, "out_of_range", "such a value is physically impossible")


def times(look: Look) -> Ruling | None:
    """A wrong clock, or readings that were missing just before."""
    intervals = np.diff(look.track.times) / look.interval  # interval i ends at row i + 1
    off = (np.abs(intervals - np.round(intervals)) > 0.2) | (intervals < 0.5)
    near = slice(max(look.start - MARGIN_ROWS, 0), look.end + features.SHORT_ROWS)
    usual = float(off[: near.start].mean()) if near.start else 0.0
    if off[near].sum() >= max(_OFF_ROWS, _OFF_TIMES * usual * len(off[near])):
        return Ruling(INSTRUMENT, "clock", "its clock jumped: readings come out of rhythm")
    begin = max(look.start - 2, 0)
    gaps = np.flatnonzero(intervals[begin : look.start + 1] > _GAP) + begin
    if not len(gaps) or look.end - gaps[-1] > _RETURN_ROWS:
        return None
    missed = round(float(intervals[gaps[-1]])) - 1
    return Ruling(INSTRUMENT, "dropout", f"{missed} readings are missing before it")


def flat(look: Look, bounds: Bounds) -> Ruling | None:
    """Clipped at a bound, or stuck."""
    return _clipped(look, bounds) or _stuck(look)


def _clipped(look: Look, bounds: Bounds) -> Ruling | None:
    """Many readings at one extreme value that none goes beyond and that none was at before."""
    values, past = look.odd_values, look.track.values[: look.start]
    for extreme, limit, is_beyond in (
        (values.max(), bounds.high, values.max() >= past.max(initial=-np.inf)),
        (values.min(), bounds.low, values.min() <= past.min(initial=np.inf)),
    ):
        at = int((values == extreme).sum())
        often = at >= max(_AT_BOUND_ROWS, _AT_BOUND_SHARE * len(values))
        if often and is_beyond and not (past == extreme).any():
            bound = "its physical limit" if extreme == limit else "one bound"
            reason = f"{at} of {len(values)} readings end at {bound}"
            return Ruling(INSTRUMENT, "saturation", reason)
    return None


def _stuck(look: Look) -> Ruling | None:
    """A run of equal values, by far longer than any before, that the anomaly stands in."""
    values, last = look.track.values, look.end
    while last + 1 < len(values) and values[last + 1] == values[look.end]:
        last += 1
    first = max(look.start - 1 - look.track.first, 0)
    flats = look.X[first : last + 1 - look.track.first, _FLAT]
    if flats.max() < features.NOTABLE["flat"]:
        return None
    run = _longest_run(values[max(look.start - 64, 0) : last + 1])
    return Ruling(INSTRUMENT, "stuck", f"it repeated one value {run} times")


def _longest_run(values: FloatArray) -> int:
    changes = np.flatnonzero(np.diff(values) != 0)
    return int(np.diff(np.concatenate([[-1], changes, [len(values) - 1]])).max())


def spike(look: Look) -> Ruling | None:
    """A leap of one to three readings from a calm level and back to it."""
    if look.end - look.start >= _SPIKE_ROWS:
        return None
    values, (first, last) = look.track.values, _leaping(look)
    before = values[max(first - _RETURN_ROWS, 0) : first]
    after = values[last + 1 : last + 1 + _RETURN_ROWS]
    if min(len(before), len(after)) < _RETURN_ROWS or last - first >= _SPIKE_ROWS:
        return None
    middles = np.array([np.median(before), np.median(after)])
    leap = np.abs(values[first : last + 1] - middles.mean()).max()
    returned = np.ptp(middles) <= max(_SCATTER * leap, 2.0 * look.noise)
    scatter = np.abs(np.concatenate([before - middles[0], after - middles[1]])).max()
    if leap < _LEAST_LEAP * look.noise or not returned or scatter > _SCATTER * leap:
        return None
    if not _calm_around(look, first, last):
        return None
    length = "one reading" if first == last else f"{last - first + 1} readings"
    return Ruling(INSTRUMENT, "spike", f"it leapt for {length} and was back at once")


def _leaping(look: Look) -> tuple[int, int]:
    """The anomaly's rows, and those beside them that lie nearer to its peak than to the level."""
    values, first, last = look.track.values, look.start, look.end
    level = np.median(values[max(first - _SIDE_ROWS, 0) : first + _SIDE_ROWS])
    most = np.abs(look.odd_values - level).max()
    if first > 0 and abs(values[first - 1] - level) > most / 2:
        first -= 1
    if last + 1 < len(values) and abs(values[last + 1] - level) > most / 2:
        last += 1
    return first, last


def _calm_around(look: Look, first: int, last: int) -> bool:
    rows = np.arange(len(look.loud)) + look.track.first
    near = (rows >= first - MARGIN_ROWS) & ((rows < first) | (rows > last))
    return bool(look.loud[near].max(initial=0.0) < _CALM)
