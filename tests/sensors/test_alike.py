"""What devices mostly send is cut into columns at once; that must make no difference to what is
read."""

from __future__ import annotations

import json
from unittest.mock import patch

import pytest
from hypothesis import event, example, given, settings

from sensors.formats import FormatError, TooManyReadings, alike, arrow, from_json, ndjson
from sensors.formats import json as json_form
from sensors.formats.csv import TYPES, sheet_of
from tests.sensors.documents import ROW, almost, content

LATER = ROW.replace("21.5", "-3e2")


@given(almost["application/x-ndjson"])
@example(f"{ROW}\n{LATER}".encode())
@example(f"{ROW}\r\n{LATER}\r\n".encode())
@example(f"{ROW}\r\n{LATER}\n".encode())
@example(f"{ROW}\n{ROW[:-1]} }}".encode())
@example(f'{ROW}\n{{"sensor":"a","time":"b"time":"c","value":1}}'.encode())
@example(b'{"sensor":"a","time":"2026-01-02T03:04:05Z","value":1}\n{"value":1}')
@settings(max_examples=500)
def test_lines_that_are_alike_are_what_they_are_one_by_one(body: bytes) -> None:
    lines = body.strip()
    columns = alike.objects(lines, at_most=1000) if lines and body.isascii() else None
    event(f"alike: {columns is not None}")
    if columns is not None:
        batch = arrow.batch_of(columns, None)
        assert batch is None or content(batch) == content(ndjson._line_by_line(lines, 100))


@given(almost["text/csv"])
@example(b"sensor,time,value\na,b,1\nc,d,2")
@example(b"sensor;time;value\r\na;b;1\r\nc;d;2\r\n")
@example(b"sensor\ttime\tvalue\na\tb\t1\nc\td\t2")
@example(b"sensor,time,value\na,b,1\nc,d\n2,e,3")
@settings(max_examples=500)
def test_rows_that_are_alike_are_what_arrow_reads(body: bytes) -> None:
    if b'"' in body or not body.strip():
        return
    sheet = sheet_of(body)
    columns = None
    if sheet.rows.strip():
        columns = alike.cells(sheet.rows, sheet.names, sheet.delimiter, at_most=1000)
    event(f"alike: {columns is not None}")
    if columns:
        expected = sheet.columns({name: TYPES[name] for name in columns})
        assert expected is not None
        assert {name: column.to_pylist() for name, column in columns.items()} == {
            name: column.to_pylist() for name, column in expected.items()
        }


def test_what_devices_send_is_alike() -> None:
    spaced = json.dumps({**json.loads(ROW), "quality": 0.5, "unit": "kPa"})
    for lines in (f"{ROW}\n{LATER}\n", f"{spaced}\n{spaced}", f"{ROW}\r\n{LATER}\r\n"):
        assert alike.objects(lines.encode(), at_most=1000) is not None
    rows = b"a,2026-01-02T03:04:05Z,1\nb,c,2"
    assert alike.cells(rows, ("sensor", "time", "value"), ",", at_most=9)


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
        '[{"sensor":"},{","time":"2026-01-02T03:04:05Z","value":1}]',
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
