"""Messages between two threads: never more than there may be, acknowledged in their order."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from sensors.mqtt.messages import Inbox, Message, Unacknowledged


def message(serial: int, *, payload: bytes = b"x", qos: int = 1) -> Message:
    return Message(
        serial=serial, number=serial, qos=qos, is_dup=False, is_retained=False, topic="t",
        payload=payload, arrived="2026-03-01T12:00:00+00:00", connection=1,
    )  # fmt: skip


def test_who_puts_into_a_full_inbox_waits_for_room() -> None:
    inbox = Inbox(max_messages=2, max_bytes=1000)
    putting = threading.Thread(target=lambda: [inbox.put(message(n)) for n in range(5)])
    putting.start()
    found = [inbox.get(5.0) for _ in range(5)]
    putting.join(5)
    assert [one.serial for one in found if one] == [0, 1, 2, 3, 4]
    assert inbox.most <= 2


def test_an_inbox_is_bounded_by_bytes_too_but_takes_one_message_of_any_size() -> None:
    inbox = Inbox(max_messages=100, max_bytes=10)
    assert inbox.put(message(0, payload=b"x" * 50))
    putting = threading.Thread(target=inbox.put, args=[message(1)], daemon=True)
    putting.start()
    putting.join(0.1)
    assert putting.is_alive()
    assert len(inbox) == 1
    inbox.get(0)
    putting.join(5)
    assert len(inbox) == 1


def test_a_closed_inbox_takes_nothing_and_gives_what_it_has() -> None:
    inbox = Inbox(max_messages=1, max_bytes=10)
    inbox.put(message(0))
    answers: list[bool] = []
    putting = threading.Thread(target=lambda: answers.append(inbox.put(message(1))))
    putting.start()
    inbox.close()
    putting.join(5)
    assert answers == [False]
    assert inbox.get(0) is not None
    assert inbox.get(0) is None


@given(st.data(), st.integers(1, 20))
def test_acknowledgements_go_in_the_order_of_receipt_each_once(data, count) -> None:
    waiting, due = Unacknowledged(), []
    messages = [message(n) for n in range(count)]
    for one in messages:
        waiting.received(one)
    for done in data.draw(st.permutations(messages)):
        due += waiting.settle([done])
        assert [claim.serial for claim in due] == list(range(len(due)))
    assert len(due) == count
    assert len(waiting) == 0


def test_messages_of_quality_of_service_0_are_not_acknowledged() -> None:
    waiting = Unacknowledged()
    waiting.received(message(0, qos=0))
    waiting.received(message(1))
    assert [claim.serial for claim in waiting.settle([message(0, qos=0), message(1)])] == [1]
