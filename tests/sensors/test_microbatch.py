"""Items gather until they are enough, or until the first has waited."""

from __future__ import annotations

from sensors.microbatch import MicroBatch


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_is_due_when_it_is_full() -> None:
    batch: MicroBatch[str] = MicroBatch(2, 5.0, clock=Clock())
    assert batch.due_in() is None
    batch.add("a")
    assert batch.due_in() == 5.0
    batch.add("b")
    assert batch.due_in() == 0.0
    assert batch.take() == ["a", "b"]
    assert batch.due_in() is None


def test_it_is_due_when_its_first_item_has_waited() -> None:
    clock = Clock()
    batch: MicroBatch[str] = MicroBatch(100, 5.0, clock=clock)
    batch.add("a")
    clock.now = 4.0
    batch.add("b")
    assert batch.due_in() == 1.0
    clock.now = 9.0
    assert batch.due_in() == 0.0


def test_an_item_may_weigh_more_than_one() -> None:
    batch: MicroBatch[str] = MicroBatch(10, 5.0, clock=Clock())
    batch.add("a message of nine readings", weight=9)
    assert batch.due_in() == 5.0
    batch.add("one more", weight=1)
    assert batch.due_in() == 0.0
    assert len(batch) == 2


def test_what_was_taken_weighs_nothing_any_more() -> None:
    batch: MicroBatch[str] = MicroBatch(2, 5.0, clock=Clock())
    batch.add("a", weight=2)
    batch.take()
    batch.add("b")
    assert batch.due_in() == 5.0
