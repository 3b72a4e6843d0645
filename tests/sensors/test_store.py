"""Readings go in once per (sensor, time), in whatever company they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import psycopg
import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensors import store
from sensors.models import Reading
from sensors.series import to_datetime64
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def columns(rows: Sequence[tuple[int, int, float]]) -> store.Columns:
    """(sensor id, minutes after NOW, value) rows."""
    ids, minutes, values = zip(*rows, strict=True) if rows else ((), (), ())
    return store.Columns(
        np.array(ids, dtype=np.int64),
        to_datetime64(NOW) + np.array(minutes, dtype="timedelta64[m]"),
        np.array(values, dtype=np.float64),
        np.full(len(ids), 0.75),
        np.full(len(ids), 3, dtype=np.int16),
    )


def stored() -> dict[tuple[int, int], float]:
    rows = Reading.objects.values_list("sensor_id", "time", "value")
    return {
        (sensor, int((time - NOW).total_seconds() // 60)): value for sensor, time, value in rows
    }


def insert(rows: Sequence[tuple[int, int, float]]) -> list[bool]:
    with transaction.atomic():
        return store.insert(columns(rows)).tolist()


def test_rows_come_out_as_they_went_in() -> None:
    assert insert([(7, 0, -1.5)]) == [True]
    reading = Reading.objects.get()
    assert (reading.sensor_id, reading.time, reading.value) == (7, NOW, -1.5)
    assert (reading.quality, reading.flags) == (0.75, 3)


def test_nothing_is_nothing() -> None:
    assert insert([]) == []


def test_the_first_of_two_in_a_batch_is_kept() -> None:
    assert insert([(1, 5, 10.0), (1, 0, 11.0), (1, 5, 12.0)]) == [True, True, False]
    assert stored() == {(1, 5): 10.0, (1, 0): 11.0}


def test_the_first_of_two_in_the_table_is_kept() -> None:
    insert([(1, 0, 10.0), (2, 0, 20.0)])
    assert insert([(2, 0, 99.0), (1, 1, 11.0), (1, 0, 99.0), (2, 1, 21.0)]) == [
        False, True, False, True,
    ]  # fmt: skip
    assert stored() == {(1, 0): 10.0, (2, 0): 20.0, (1, 1): 11.0, (2, 1): 21.0}


def test_new_rows_take_one_copy() -> None:
    with CaptureQueriesContext(connection) as queries:
        insert([(1, minute, 0.0) for minute in range(500)])
    copies = [query["sql"] for query in queries if "COPY" in query["sql"]]
    assert len(copies) == 1
    assert len([query for query in queries if "SAVEPOINT" not in query["sql"]]) == 1


def test_two_batches_with_duplicates_fit_in_one_transaction() -> None:
    with transaction.atomic():
        store.insert(columns([(1, 0, 1.0)]))
        assert store.insert(columns([(1, 0, 2.0), (1, 1, 3.0)])).tolist() == [False, True]
        assert store.insert(columns([(1, 1, 4.0), (1, 2, 5.0)])).tolist() == [False, True]
    assert stored() == {(1, 0): 1.0, (1, 1): 3.0, (1, 2): 5.0}


def test_the_edges_of_time_are_kept() -> None:
    edges = ["1900-01-01T00:00:00", "1969-12-31T23:59:59.999999", "2000-01-01T00:00:00"]
    times = np.array(edges, dtype="datetime64[us]")
    plain = columns([(1, 0, 0.0)] * len(edges))
    with transaction.atomic():
        store.insert(
            store.Columns(plain.sensor_ids, times, plain.values, plain.quality, plain.flags)
        )
    found = Reading.objects.order_by("time").values_list("time", flat=True)
    assert [np.datetime64(time.replace(tzinfo=None), "us") for time in found] == times.tolist()


rows = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 4), st.floats(-1e100, 1e100)), max_size=12
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(rows, max_size=3))
def test_any_batches_end_in_the_first_value_of_each_pair(batches: list[Any]) -> None:
    expected: dict[tuple[int, int], float] = {}
    for batch in batches:
        for sensor, minute, value in batch:
            expected.setdefault((sensor, minute), value)
    with transaction.atomic():
        new = sum(sum(insert(batch)) for batch in batches)
        assert stored() == expected
        assert new == len(expected)
        transaction.set_rollback(True)


def test_other_integrity_errors_are_not_taken_for_duplicates() -> None:
    plain = columns([(1, 0, 0.0)])
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE sensors_reading ADD CONSTRAINT positive CHECK (value > 0)")
    with pytest.raises(IntegrityError, match="positive"), transaction.atomic():
        store.insert(plain)


# --- trying again ---------------------------------------------------------------------------------


class Deadlock(OperationalError):
    def __init__(self) -> None:
        self.__cause__ = psycopg.errors.DeadlockDetected()


@pytest.mark.django_db(transaction=True)
def test_a_deadlock_is_tried_again_and_the_whole_transaction_with_it() -> None:
    attempts: list[int] = []

    def work() -> str:
        store.insert(columns([(1, 0, 1.0)]))
        attempts.append(Reading.objects.count())
        if len(attempts) < 3:
            raise Deadlock
        return "done"

    assert store.in_transaction(work) == "done"
    assert attempts == [1, 1, 1]
    assert stored() == {(1, 0): 1.0}


@pytest.mark.django_db(transaction=True)
def test_trying_again_has_an_end() -> None:
    attempts: list[int] = []

    def work() -> None:
        attempts.append(1)
        raise Deadlock

    with pytest.raises(Deadlock):
        store.in_transaction(work, attempts=3)
    assert len(attempts) == 3


@pytest.mark.django_db(transaction=True)
def test_what_would_fail_again_is_not_tried_again() -> None:
    attempts: list[int] = []

    def work() -> None:
        attempts.append(1)
        raise OperationalError("disk full")

    with pytest.raises(OperationalError):
        store.in_transaction(work)
    assert len(attempts) == 1
