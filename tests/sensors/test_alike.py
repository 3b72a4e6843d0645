"""What devices mostly send is cut into columns at once; that must make no difference to what is
read."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from sensors.formats import (
    FormatError,
    TooManyReadings,
    alike,
    from_json,
    from_ndjson,
    ndjson,
    objects,
    scan,
)
from sensors.formats import json as json_form
from sensors.formats.csv import reading_of, sheet_of
from tests.sensors.documents import ROW, almost, content

LATER = ROW.replace("21.5", "-3e2")


# A number of any length, and a time of any form, among plain ones.
@st.composite
def numbers(draw: st.DrawFn) -> str:
    """What JSON has for a number, or nearly."""
    whole = draw(st.from_regex(r"-?[0-9]{1,22}", fullmatch=True))
    fraction = draw(st.from_regex(r"(\.[0-9]{0,22})?", fullmatch=True))
    return whole + fraction + draw(st.from_regex(r"([eE][-+]?[0-9]{0,4})?", fullmatch=True))


exact = st.floats(allow_nan=False, allow_infinity=False).map(repr)
days = st.from_regex(r"(000[01]|1[89]\d\d|20[02]\d|9999)-[01]\d-[0-3]\d", fullmatch=True)
clocks = st.from_regex(r"[0-2]\d:[0-6]\d:[0-6]\d(\.\d{0,10})?", fullmatch=True)
zones = st.from_regex(r"Z|z|[+-][0-2]\d:?[0-6]?\d?", fullmatch=True)
times = st.builds("{}T{}{}".format, days, clocks, zones)


def line(sensor: str, time: str, value: str) -> str:
    return f'{{"sensor":"{sensor}","time":"{time}","value":{value}}}'


@given(almost["application/x-ndjson"])
@example(f"{ROW}\n{LATER}".encode())
@example(f"{ROW}\r\n{LATER}\r\n".encode())
@example(f"{ROW}\r\n{LATER}\n".encode())
@example(f"{ROW}\n{ROW[:-1]} }}".encode())
@example(f'{ROW}\n{{"sensor":"a","time":"b"time":"c","value":1}}'.encode())
@example(b'{"sensor":"a","time":"2026-01-02T03:04:05Z","value":1}\n{"value":1}')
@settings(max_examples=500)
def test_lines_that_are_alike_are_what_they_are_one_by_one(body: bytes) -> None:
    is_it = is_read_at_once(body.strip()) if body.strip() and body.isascii() else False
    event(f"alike: {is_it}")


@given(st.lists(st.tuples(times, st.one_of(numbers(), exact)), min_size=1, max_size=4))
@settings(max_examples=300)
def test_any_time_and_any_number_are_what_they_are_by_themselves(rows: list[Any]) -> None:
    lines = "\n".join(line("a", time, value) for time, value in rows).encode()
    event(f"alike: {is_read_at_once(lines)}")


@given(st.lists(st.text(st.characters(exclude_characters='"\\', min_codepoint=32)), min_size=1))
@settings(max_examples=300)
def test_any_names_are_what_they_are_by_themselves(names: list[str]) -> None:
    lines = "\n".join(line(name, "2026-01-02T03:04:05Z", "1") for name in names)
    if all(name.strip() and name.isprintable() and len(name) <= 200 for name in names):
        assert is_read_at_once(lines.encode())


def is_read_at_once(lines: bytes) -> bool:
    batch = alike.objects(lines, at_most=1000, original=None)
    if batch is None:
        return False
    assert content(batch) == content(ndjson._line_by_line(lines, 1000))
    return True


@given(almost["text/csv"])
@example(b"sensor,time,value\na,b,1\nc,d,2")
@example(b"sensor;time;value\r\na;2026-01-02T03:04:05Z;1\r\nc;2026-01-02T03:04:05Z;2\r\n")
@example(b"sensor\ttime\tvalue\na\t2026-01-02T03:04:05Z\t1\nc\t2026-01-02T03:04:05Z\t2")
@example(b"sensor,time,value\na,b,1\nc,d\n2,e,3")
@settings(max_examples=500)
def test_rows_that_are_alike_are_what_they_are_one_by_one(body: bytes) -> None:
    if b'"' in body or not body.strip() or not body.isascii():
        return
    sheet = sheet_of(body)
    batch = alike.cells(sheet.rows, sheet.names, sheet.delimiter, at_most=1000, original=None)
    event(f"alike: {batch is not None}")
    if batch is not None:
        rows = [reading_of(row) for row in sheet.cells()]
        assert content(batch) == content(objects.batch_of(rows))


def test_what_devices_send_is_alike() -> None:
    spaced = json.dumps({**json.loads(ROW), "quality": 0.5, "unit": "kPa"})
    for lines in (f"{ROW}\n{LATER}\n", f"{spaced}\n{spaced}", f"{ROW}\r\n{LATER}\r\n"):
        assert alike.objects(lines.encode(), at_most=1000, original=None) is not None
    rows = b"a,2026-01-02T03:04:05Z,1,\nb,2026-01-02T03:04:05.25+01:00,-2e-3,x"
    assert alike.cells(rows, ("sensor", "time", "value", "note"), ",", at_most=2, original=None)
    assert not alike.cells(rows, ("sensor", "time", "value", "note"), ",", at_most=1, original=None)


def test_names_that_collide_on_purpose_are_left_to_other_readers() -> None:
    """A batch made for that takes no longer than others."""
    digits = "".join(f"{number:06}" for number in range(700_000)).encode() + bytes(8)
    first = np.frombuffer(digits, np.uint8)[:8].view(np.uint64)
    words = np.lib.stride_tricks.as_strided(first, (len(digits) - 7,), (1,), writeable=True)
    names = [
        digits[at : at + 6].decode()
        for at in range(0, len(digits) - 8, 6)
        if scan._hash(words, at, 6) & np.uint64(2047) == 0
    ]
    lines = "\n".join(line(name, "2026-01-02T03:04:05Z", "1") for name in names).encode()
    assert alike.objects(lines, at_most=1000, original=None) is None
    assert from_ndjson(lines).sensor.names == tuple(names)
    some = b"\n".join(lines.split(b"\n")[:200])
    assert is_read_at_once(some)


def as_lines_or_none(body: bytes) -> object:
    """What a JSON document holds, read as lines are; None where only its objects say."""
    batch = json_form._line_by_line(body, 1000)
    return batch and content(batch)


@given(almost["application/json"])
@settings(max_examples=500)
def test_an_array_read_as_lines_is_what_its_objects_are(body: bytes) -> None:
    found = as_lines_or_none(body)
    event(f"as lines: {found is not None}")
    if found is not None:
        assert found == content(json_form._object_by_object(body, 100))


@given(almost["application/json"])
@settings(max_examples=200)
def test_large_and_small_documents_get_the_same_answer(body: bytes) -> None:
    def read(large: int) -> object:
        with patch.object(json_form, "_LARGE_BYTES", large):
            try:
                return content(from_json(body, max_readings=5))
            except FormatError as error:
                return error.code, str(error), error.position, error.line

    assert read(0) == read(10**9)


@pytest.mark.parametrize(
    "array",
    [
        "[{0},{1},{0}]",
        " [{0}, {1}, {0}] ",
        "[\n  {0},\n  {1},\n  {0}\n]\n",
        '{{"readings":[{0},{1},{0}]}}',
        '{{ "readings" : [ {0} , {1} , {0} ] }} ',
        '[{{"sensor":"}},{{","time":"2026-01-02T03:04:05Z","value":1}},{0}]',
    ],
)
def test_arrays_of_flat_objects_are_read_as_lines(array: str) -> None:
    body = array.format(ROW, LATER).encode()
    assert as_lines_or_none(body) == content(json_form._object_by_object(body, 100))


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        f"[{ROW}",
        f"[{ROW},{ROW}}}",
        f"[{ROW},{ROW}]]",
        f"[{ROW}\n{ROW},{ROW}]",
        f"[{ROW}, {ROW},{ROW}]",
        f'{{"readings":[{ROW},{ROW}],"readings":[{ROW}]}}',
        f'{{"other":[{ROW},{ROW}]}}',
        f'[{ROW},{ROW[:-1]},"x":[1,2]}}]',
        f"[{ROW}{' ' * 300}]",
    ],
)
def test_any_other_json_is_left_to_who_reads_it_object_by_object(body: str) -> None:
    assert as_lines_or_none(body.encode()) is None


def test_more_readings_than_a_call_takes_are_refused_as_lines_too() -> None:
    body = f"[{','.join([ROW] * 100)}]".encode()
    assert len(body) > json_form._LARGE_BYTES
    assert len(from_json(body, max_readings=100)) == 100
    with pytest.raises(TooManyReadings):
        from_json(body, max_readings=99)
