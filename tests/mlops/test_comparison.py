"""What the gate says, from records alone."""

from __future__ import annotations

import numpy as np
import pytest

from mlops.comparison import FaultSeen, Record, compare, see, table

FAULTS = (FaultSeen("pump on 2026-01-02", 5.0), FaultSeen("fan on 2026-01-09", 3.0))
CHAMPION = Record("v1", FAULTS, 10, 20.0, {"f1": 0.9, "average_precision": 0.9})


def rival(**changed: object) -> Record:
    as_good = {"faults": FAULTS, "false_episodes": 10, "asset_weeks": 20.0, "held_back": {}}
    return Record("v2", **(as_good | changed))  # type: ignore[arg-type]


def test_a_better_average_precision_does_not_buy_a_missed_fault() -> None:
    missed = (FAULTS[0], FaultSeen(FAULTS[1].label, None))
    better = {"f1": 0.99, "average_precision": 0.99}
    answer = compare(rival(faults=missed, false_episodes=0, held_back=better), CHAMPION)
    assert not answer.passes
    assert "it misses 1 confirmed fault: fan on 2026-01-09" in answer.reason


def test_what_neither_finds_is_held_against_none() -> None:
    unseen = (FAULTS[0], FaultSeen(FAULTS[1].label, None))
    assert compare(rival(faults=unseen), Record("v1", unseen, 10, 20.0)).passes


@pytest.mark.parametrize(
    ("changed", "passes"),
    [
        ({}, True),
        ({"false_episodes": 11}, True),
        ({"false_episodes": 12}, False),
        ({"faults": (FaultSeen("", 4.1), FaultSeen("", 2.4))}, True),
        ({"faults": (FaultSeen("", 3.0), FaultSeen("", 2.0))}, False),
        ({"held_back": {"f1": 0.851}}, True),
        ({"held_back": {"f1": 0.849}}, False),
    ],
)
def test_each_boundary(changed: dict[str, object], passes: bool) -> None:
    answer = compare(rival(**changed), CHAMPION)
    assert answer.passes is passes
    assert answer.reason


def test_one_more_false_episode_is_chance_where_there_are_few() -> None:
    quiet = Record("v1", FAULTS, 0, 20.0)
    assert compare(rival(false_episodes=1), quiet).passes
    assert not compare(rival(false_episodes=2), quiet).passes


def test_where_nothing_was_confirmed_alarms_are_not_called_false() -> None:
    assert compare(rival(faults=(), false_episodes=99), Record("v1", (), 0, 20.0)).passes


def test_every_reason_is_given() -> None:
    bad = rival(
        faults=(FaultSeen("pump", None), FaultSeen("fan", 0.1)),
        false_episodes=30,
        held_back={"f1": 0.5},
    )
    assert compare(bad, CHAMPION).reason.count(";") == 3


def test_alarms_are_matched_with_what_was_confirmed() -> None:
    is_alarm = np.zeros(200, dtype=bool)
    is_alarm[[10, 12, 60, 100, 101, 150]] = True
    hours = np.arange(200) / 6
    faults = [("a", (58, 64)), ("b", (95, 103)), ("c", (170, 180))]
    seen, false = see(is_alarm, faults, hours)
    assert [fault.label for fault in seen] == ["a", "b", "c"]
    assert seen[0].lead_h == pytest.approx(4 / 6)
    assert seen[1].lead_h == pytest.approx(3 / 6)
    assert seen[2].lead_h is None
    assert false == 2


def test_the_table_has_a_column_for_each() -> None:
    lines = table([rival(), CHAMPION])
    assert lines[0].split() == ["v2", "v1"]
    assert any("2 of 2" in line for line in lines)
    assert any(line.split()[-2:] == ["-", "0.900"] for line in lines)
