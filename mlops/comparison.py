"""Whether a challenger may take a champion's place, in terms of maintenance. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mlops.metrics import Rows, episodes
from sensors.series import FloatArray

# What chance alone may take from the challenger: false episodes that come with any other model, the
# share of lead time, and of the F1 measured on few injected faults.
MORE_FALSE_EPISODES, LESS_LEAD, LESS_F1 = 1.10, 0.80, 0.05
EPISODE_GAP = 12  # readings


@dataclass(frozen=True, slots=True)
class FaultSeen:
    """How a version saw a fault that a person confirmed.

    lead_h: from its first alarm to the end of what was confirmed, in hours; None when it is missed.
    """

    label: str
    lead_h: float | None


@dataclass(frozen=True, slots=True)
class Record:
    """What one version says of the same stored readings.

    faults: in the same order for every version; asset_weeks: time of all machines together that was
    looked at; held_back: metrics by name, measured on what it was not fitted on; chance: how far
    the F1 among them may be off, for it was measured on few faults.
    """

    who: str
    faults: tuple[FaultSeen, ...] = ()
    false_episodes: int = 0
    asset_weeks: float = 0.0
    held_back: Mapping[str, float] = field(default_factory=dict)
    chance: float = LESS_F1

    @property
    def found(self) -> int:
        return sum(fault.lead_h is not None for fault in self.faults)

    @property
    def false_episodes_a_week(self) -> float:
        """Per machine."""
        return self.false_episodes / self.asset_weeks if self.asset_weeks else 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """reason: a sentence for people, also where it passes."""

    passes: bool
    reason: str


def compare(challenger: Record, reigning: Record) -> Answer:
    """reigning: the champion, or the rung below where there is none yet."""
    against = tuple(_objections(challenger, reigning))
    if against:
        return Answer(passes=False, reason="; ".join(against))
    return Answer(passes=True, reason="; ".join(_merits(challenger, reigning)))


def see(
    is_alarm: NDArray[np.bool_], faults: Sequence[tuple[str, Rows]], hours: FloatArray
) -> tuple[list[FaultSeen], int]:
    """How alarmed rows, shape (n,), see confirmed faults, and how many episodes see none.

    hours: of each row, shape (n,), from any origin.
    """
    alarms = episodes(is_alarm, EPISODE_GAP)
    seen, used = [], set()
    for label, (first, last) in faults:
        over = [place for place, (a, b) in enumerate(alarms) if a <= last and first <= b]
        used.update(over)
        lead = float(hours[last] - hours[alarms[over[0]][0]]) if over else None
        seen.append(FaultSeen(label, lead))
    return seen, len(alarms) - len(used)


def table(records: Sequence[Record]) -> list[str]:
    """The records side by side, a line each thing that is compared."""
    lines: list[tuple[str, list[str]]] = [
        ("", [each.who for each in records]),
        ("confirmed faults found", [f"{each.found} of {len(each.faults)}" for each in records]),
        (
            "false episodes a machine and week",
            [f"{each.false_episodes_a_week:.2f}" for each in records],
        ),
        ("median lead, hours", [_hours(_median_lead(each)) for each in records]),
    ]
    for name in dict.fromkeys(name for each in records for name in each.held_back):
        values = [each.held_back.get(name) for each in records]
        lines.append((f"held back: {name}", ["-" if v is None else f"{v:.3f}" for v in values]))
    first = max(len(name) for name, _ in lines)
    width = max(len(cell) for _, cells in lines for cell in cells) + 2
    return [
        f"{name:<{first}}" + "".join(f"{cell:>{width}}" for cell in cells) for name, cells in lines
    ]


def _objections(challenger: Record, reigning: Record) -> Iterator[str]:
    missed = [
        new.label
        for new, old in zip(challenger.faults, reigning.faults, strict=True)
        if new.lead_h is None and old.lead_h is not None
    ]
    if missed:
        named = ", ".join(missed[:3]) + (f" and {len(missed) - 3} more" if len(missed) > 3 else "")
        yield f"it misses {len(missed)} confirmed fault{'s'[: len(missed) > 1]}: {named}"
    # Where nobody confirmed a fault yet, an alarm that only one of them raises may well be one.
    most = max(MORE_FALSE_EPISODES * reigning.false_episodes, reigning.false_episodes + 1)
    if challenger.faults and challenger.false_episodes > most:
        yield f"it raises {_a_week(challenger)}, {reigning.who} {_a_week(reigning)}"
    yield from _later(challenger, reigning)
    new, old = challenger.held_back.get("f1"), reigning.held_back.get("f1")
    if new is not None and old is not None and new < old - challenger.chance:
        yield f"its F1 on what was held back is {new:.3f}, that of {reigning.who} {old:.3f}"


def _merits(challenger: Record, reigning: Record) -> Iterator[str]:
    if challenger.faults:
        yield f"it finds {challenger.found} of {len(challenger.faults)} confirmed faults"
        yield f"{_a_week(challenger)}, {reigning.who} {_a_week(reigning)}"
    else:
        yield "no fault was confirmed yet"
    new, old = challenger.held_back.get("f1"), reigning.held_back.get("f1")
    if new is not None and old is not None:
        yield f"F1 {new:.3f} on what was held back, that of {reigning.who} {old:.3f}"


def _later(challenger: Record, reigning: Record) -> Iterator[str]:
    """Of faults that both find."""
    pairs = [
        (new.lead_h, old.lead_h)
        for new, old in zip(challenger.faults, reigning.faults, strict=True)
        if new.lead_h is not None and old.lead_h is not None
    ]
    if pairs:
        new_h, old_h = (float(np.median(side)) for side in zip(*pairs, strict=True))
        if new_h < LESS_LEAD * old_h:
            yield f"its median lead is {new_h:.1f} h, that of {reigning.who} {old_h:.1f} h"


def _median_lead(record: Record) -> float | None:
    leads = [fault.lead_h for fault in record.faults if fault.lead_h is not None]
    return float(np.median(leads)) if leads else None


def _hours(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _a_week(record: Record) -> str:
    return f"{record.false_episodes_a_week:.2f} false episodes a machine and week"
