"""Bytes become columns; what is wrong with a row is said, and costs no other row."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors import rows as rules
from sensors.formats import Batch, FormatError, TooManyReadings, from_json
from tests.factories import rows_of

GOOD = {"sensor": "pump-1/temp", "time": "2026-01-02T03:04:05Z", "value": 21.5}
OMIT = object()


def a_row(**changes: Any) -> dict[str, Any]:
    row = {**GOOD, **changes}
    return {name: field for name, field in row.items() if field is not OMIT}


def test_good_rows_become_columns() -> None:
    batch = from_json(json.dumps(rows_of(n=3, unit="°C", kind="Temperature", quality=0.9)).encode())
    assert len(batch) == 3
    assert batch.rejected == ()
    assert batch.sensor.names == ("pump-1/temp",)
    assert batch.values.tolist() == [20.0, 21.0, 22.0]
    assert (np.diff(batch.times) == np.timedelta64(60, "s")).all()
    assert batch.unit.names == ("°C",)
    assert batch.kind.names == ("temperature",)
    assert batch.quality.tolist() == [0.9, 0.9, 0.9]


def test_readings_may_stand_in_an_object() -> None:
    assert len(from_json(json.dumps({"readings": [GOOD]}).encode())) == 1


def test_an_empty_batch_is_a_batch() -> None:
    assert len(from_json(b"[]")) == 0


def test_what_is_not_reported_is_unknown_not_zero() -> None:
    batch = from_json(json.dumps([GOOD, a_row(quality=0.0), a_row(quality=None)]).encode())
    assert np.isnan(batch.quality[[0, 2]]).all()
    assert batch.quality[1] == 0.0


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (7, "not_an_object"),
        (None, "not_an_object"),
        ([GOOD], "not_an_object"),
        ("sensor", "not_an_object"),
        ({}, "missing_field"),
        (a_row(sensor=OMIT), "missing_field"),
        (a_row(time=OMIT), "missing_field"),
        (a_row(value=OMIT), "missing_field"),
        (a_row(sensor=7), "sensor_invalid"),
        (a_row(sensor=""), "sensor_invalid"),
        (a_row(sensor="  "), "sensor_invalid"),
        (a_row(sensor="a\0b"), "sensor_invalid"),
        (a_row(sensor="a\nb"), "sensor_invalid"),
        (a_row(sensor="\ud800"), "sensor_invalid"),
        (a_row(sensor="x" * 10_000), "sensor_invalid"),
        (a_row(time="2026-01-02T03:04:05"), "time_invalid"),
        (a_row(time=1_767_323_045), "time_invalid"),
        (a_row(time=None), "time_invalid"),
        (a_row(time="0001-01-01T00:00:00Z"), "time_invalid"),
        (a_row(value="21.5"), "value_not_a_number"),
        (a_row(value=None), "value_not_a_number"),
        (a_row(value=True), "value_not_a_number"),
        (a_row(value=[]), "value_not_a_number"),
        (a_row(value=float("nan")), "value_not_finite"),
        (a_row(value=float("inf")), "value_not_finite"),
        (a_row(value=float("-inf")), "value_not_finite"),
        (a_row(value=1e101), "value_out_of_range"),
        (a_row(value=-1e101), "value_out_of_range"),
        (a_row(quality=1.5), "quality_invalid"),
        (a_row(quality=-0.1), "quality_invalid"),
        (a_row(quality=True), "quality_invalid"),
        (a_row(quality="good"), "quality_invalid"),
        (a_row(quality=float("nan")), "quality_invalid"),
        (a_row(kind="teleport"), "unknown_kind"),
        (a_row(kind=""), "unknown_kind"),
        (a_row(kind=3), "unknown_kind"),
        (a_row(unit=3), "unit_invalid"),
        (a_row(unit="x" * 21), "unit_invalid"),
        (a_row(unit="m\0"), "unit_invalid"),
    ],
)
def test_a_bad_row_is_named_and_the_others_stand(row: Any, code: str) -> None:
    batch = from_json(json.dumps([GOOD, row, a_row(value=3)]).encode())
    assert batch.values.tolist() == [21.5, 3.0]
    assert batch.index.tolist() == [0, 2]
    [rejected] = batch.rejected
    assert (rejected.index, rejected.category, rejected.code) == (1, "validation", code)
    assert rejected.detail
    assert rejected.payload.isascii()
    # Compared as text: NaN is not equal to itself.
    assert json.dumps(json.loads(rejected.payload)) == json.dumps(row)
    rejected.sensor.encode()  # what is stored in a text column
    assert len(rejected.sensor) <= rules.MAX_SENSOR
    assert "\0" not in rejected.sensor


@pytest.mark.parametrize("literal", [b"1e999", b"-1e999", b"NaN", b"Infinity", b"9" * 5000])
def test_a_number_that_is_no_json_harms_its_row_only(literal: bytes) -> None:
    good = orjson.dumps(GOOD)
    batch = from_json(b"[" + good + b"," + good.replace(b"21.5", literal) + b"," + good + b"]")
    assert len(batch.times) == 2
    assert [rejected.code for rejected in batch.rejected] == ["value_not_finite"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "json_invalid"),
        (b"[", "json_invalid"),
        (b'[{"sensor": "a"', "json_invalid"),
        (b"[1,]", "json_invalid"),
        (b"\xff\xfe[]", "not_utf8"),
        (b"[" * 100_000, "json_too_deep"),
        (b'[{"sensor":' + b"[" * 50_000 + b"]" * 50_000 + b"}]", "json_too_deep"),
        (b"7", "not_a_batch"),
        (b"null", "not_a_batch"),
        (b"{}", "not_a_batch"),
        (b'{"readings": {}}', "not_a_batch"),
        (b'{"readings": null}', "not_a_batch"),
    ],
)
def test_a_document_that_cannot_be_read_is_refused_as_a_whole(body: bytes, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        from_json(body)
    assert caught.value.code == code


def test_broken_json_is_pointed_at() -> None:
    with pytest.raises(FormatError) as caught:
        from_json(b'[{"sensor": oops}]')
    assert caught.value.position == 12


def test_of_a_key_given_twice_the_last_one_counts() -> None:
    batch = from_json(b'[{"sensor":"a","time":"2026-01-02T03:04:05Z","value":1,"value":2}]')
    assert batch.values.tolist() == [2.0]


def test_a_byte_order_mark_is_no_harm() -> None:
    assert len(from_json(b"\xef\xbb\xbf[]")) == 0


def test_more_readings_than_allowed_are_refused() -> None:
    body = json.dumps([GOOD] * 4).encode()
    assert len(from_json(body, max_readings=4)) == 4
    with pytest.raises(TooManyReadings):
        from_json(body, max_readings=3)


def test_a_large_document_of_crumbs_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(TooManyReadings):
        from_json(b"[" + b"{}," * 2_000_000 + b"{}]", max_readings=50_000)


@given(st.binary(max_size=200))
def test_random_bytes_give_a_batch_or_a_format_error(body: bytes) -> None:
    try:
        batch = from_json(body)
    except FormatError:
        return
    assert isinstance(batch, Batch)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)
almost_rows = st.fixed_dictionaries(
    {},
    optional={
        "sensor": st.sampled_from(["a", "b", "", "x" * 201]) | anything,
        "time": st.sampled_from(["2026-01-02T03:04:05Z", "2026-01-02T03:04Z", "later"]) | anything,
        "value": st.floats() | st.integers() | anything,
        "quality": st.sampled_from([None, 0, 0.5, 1]) | anything,
        "kind": st.sampled_from([None, "pressure", "OTHER"]) | anything,
        "unit": st.sampled_from([None, "kPa"]) | anything,
    },
)


@given(st.lists(almost_rows | anything, max_size=5))
def test_the_quick_look_at_columns_and_the_slow_one_at_rows_agree(rows: list[Any]) -> None:
    batch = from_json(json.dumps(rows).encode())
    together = dict(zip(batch.index.tolist(), range(len(batch.times)), strict=True))
    for place, row in enumerate(json.loads(json.dumps(rows))):
        rejection = next((r for r in batch.rejected if r.index == place), None)
        if rejection is not None:
            with pytest.raises(rules.RowError) as caught:
                rules.read_row(row)
            assert caught.value.code == rejection.code
            continue
        read = rules.read_row(row)
        at = together[place]
        assert batch.sensor.of_row(at) == read.sensor
        assert batch.times[at] == read.time
        assert batch.values[at] == read.value
        assert batch.kind.of_row(at) == (read.kind and read.kind.lower())


def test_a_batch_made_from_columns_can_say_how_a_row_would_have_come() -> None:
    times = np.array(["2026-01-02T03:04:05"], dtype="datetime64[us]")
    batch = Batch.of(["a"], times, np.array([1.5]), units=["V"])
    again = from_json(f"[{batch.payload(0)}]".encode())
    assert again.times[0] == times[0]
    assert (again.sensor.names, again.unit.names, again.values[0]) == (("a",), ("V",), 1.5)
