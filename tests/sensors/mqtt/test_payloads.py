"""JSON messages: three forms, and a documented reason for everything else."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sensors.formats import FormatError, TooManyReadings, from_json
from sensors.mqtt.content import Content, together
from sensors.mqtt.payloads import kept, rows_of
from tests.sensors.documents import almost, content, same_rows

ARRIVED = "2026-03-01T12:00:00.000001+00:00"


def read(payload: bytes, *, sensor: str | None = "temp", is_retained: bool = False):
    return rows_of(
        payload, sensor=sensor, arrived=ARRIVED, is_retained=is_retained, max_readings=100
    )


def test_a_bare_number_is_a_reading_at_its_arrival() -> None:
    assert read(b" 21.5\n") == ([{"sensor": "temp", "value": 21.5, "time": ARRIVED}], True)


def test_a_reading_keeps_its_own_time_and_its_own_sensor() -> None:
    row = {"sensor": "flow", "time": "2026-01-01T00:00:00Z", "value": 1, "unit": "V"}
    assert read(json.dumps(row).encode()) == ([row], False)


def test_readings_of_a_batch_need_their_times() -> None:
    rows, is_timeless = read(b'[{"value": 1}, {"value": 2}]')
    assert not is_timeless
    batch, _ = together([Content(rows=rows)])
    assert [one.code for one in batch.rejected] == ["missing_field", "missing_field"]


def test_a_message_that_the_broker_kept_needs_its_time() -> None:
    with pytest.raises(FormatError) as caught:
        read(b"21.5", is_retained=True)
    assert caught.value.code == "retained_without_time"
    read(b'{"value": 1, "time": "2026-01-01T00:00:00Z"}', is_retained=True)


def test_a_sensor_that_nobody_names_is_missing() -> None:
    rows, _ = read(b"21.5", sensor=None)
    assert [one.code for one in together([Content(rows=rows)])[0].rejected] == ["missing_field"]


def test_more_readings_than_a_call_may_have_are_refused_whole() -> None:
    with pytest.raises(TooManyReadings):
        read(json.dumps([{"value": 1}] * 101).encode())


@given(same_rows)
def test_a_batch_is_what_the_same_body_is_over_http(rows: list[dict[str, Any]]) -> None:
    body = json.dumps(rows).encode()
    batch, _ = together([Content(rows=read(body, sensor=None)[0])])
    assert content(batch) == content(from_json(body))


def answer(payload: bytes) -> list[Any] | str:
    """The rows, or the code of the error."""
    try:
        return read(payload)[0]
    except FormatError as error:
        return error.code


@given(st.binary() | almost["application/json"])
@example(b"[" * 5000)
@example(b'{"readings": 3}')
@example(b'{"value": NaN}')
@example(b'"\\ud800"')
def test_any_bytes_give_rows_or_a_documented_reason(payload: bytes) -> None:
    found = answer(payload)
    if isinstance(found, str):
        assert found in {"json_invalid", "json_too_deep", "not_utf8", "not_a_batch"}
    else:
        batch, _ = together([Content(rows=found)])
        assert len(batch) == len(found)


@given(st.binary(max_size=40))
def test_a_kept_message_says_exactly_what_came(payload: bytes) -> None:
    message = json.loads(kept("a/b", payload, limit=100))
    assert message["topic"] == "a/b"
    if "payload" in message:
        assert message["payload"].encode() == payload
    else:
        assert base64.b64decode(message["payload_base64"]) == payload


def test_of_a_long_message_the_beginning_is_kept_and_its_hash() -> None:
    message = json.loads(kept("a", b"x" * 200, limit=100))
    assert message["payload"] == "x" * 100
    assert message["bytes"] == 200
    assert len(message["sha256"]) == 64
