"""A large document is read in parts; that must make no difference to what is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import event, example, given, settings

from sensors.formats import (
    Batch,
    Dialect,
    FormatError,
    Inseparable,
    Template,
    alike,
    arrow,
    from_line_protocol,
    ndjson,
    parts,
    parts_of_csv,
    parts_of_json,
    parts_of_line_protocol,
    parts_of_ndjson,
)
from sensors.formats.csv import TYPES, sheet_of
from tests.sensors.documents import READERS, ROW, WRITERS, almost, content

PARTS: dict[str, Callable[..., Iterator[Batch]]] = {
    "application/json": parts_of_json,
    "application/x-ndjson": parts_of_ndjson,
    "text/csv": parts_of_csv,
}
each_format = pytest.mark.parametrize("media_type", PARTS)
LATER = ROW.replace("21.5", "-3e2")


@contextmanager
def parts_of(size: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_FIRST_BYTES", size)
        patch.setattr(parts, "_MOST_BYTES", size)
        yield


def joined(found: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """What several batches say, as `content` says it of one."""
    columns = list(zip(*found, strict=True))
    return tuple(
        b"".join(column) if isinstance(column[0], bytes) else [one for of in column for one in of]
        for column in columns
    )


def read_in_parts(media_type: str, body: bytes, **how: Any) -> tuple[Any, ...] | None:
    """None where only the whole says what the document is."""
    try:
        found = [content(part) for part in PARTS[media_type](body, **how)]
    except (Inseparable, FormatError):
        return None
    return joined(found) if found else content(READERS[media_type](body))


@each_format
def test_the_parts_and_the_whole_read_alike(media_type: str) -> None:
    @given(almost[media_type])
    @settings(max_examples=400)
    def holds(body: bytes) -> None:
        with parts_of(1):
            found = read_in_parts(media_type, body)
        event(f"in parts: {found is not None}")
        if found is not None:
            assert found == content(READERS[media_type](body))

    holds()


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
    columns = alike.objects(lines) if lines and body.isascii() else None
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
        columns = alike.cells(sheet.rows, sheet.names, sheet.delimiter)
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
        assert alike.objects(lines.encode()) is not None
    assert alike.cells(b"a,2026-01-02T03:04:05Z,1\nb,c,2", ("sensor", "time", "value"), ",")


@pytest.mark.parametrize(
    "array",
    [
        "[{0},{1},{0}]",
        " [{0}, {1}, {0}] ",
        "[\n  {0},\n  {1},\n  {0}\n]\n",
        '{{"readings":[{0},{1},{0}]}}',
        '{{ "readings" : [ {0} , {1} , {0} ] }}',
    ],
)
def test_arrays_of_flat_objects_are_read_in_parts(array: str) -> None:
    body = array.format(ROW, LATER).encode()
    with parts_of(1):
        assert len(list(parts_of_json(body))) > 1
        assert read_in_parts("application/json", body) == content(READERS["application/json"](body))


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
    ],
)
def test_any_other_json_is_left_to_who_reads_the_whole(body: str) -> None:
    with parts_of(1):
        assert read_in_parts("application/json", body.encode()) is None


@each_format
def test_rows_keep_their_place_and_their_text(media_type: str) -> None:
    rows: list[dict[str, Any]] = [{**json.loads(ROW), "value": i} for i in range(900)]
    if media_type != "application/json":
        rows[500]["value"] = "warm"
    body, places = WRITERS[media_type](rows), []
    with parts_of(5000):
        for part in PARTS[media_type](body):
            places += part.index.tolist()
            row = len(part.times) - 1
            assert json.loads(part.payload(row))["value"] == part.index[row] == part.values[row]
            places += [bad.index for bad in part.rejected]
    assert sorted(places) == list(range(900))


@each_format
def test_parts_grow_and_none_is_left_over(media_type: str) -> None:
    rows = [json.loads(ROW)] * 20_000
    found = [len(part) for part in PARTS[media_type](WRITERS[media_type](rows))]
    assert sum(found) == len(rows)
    assert found[0] < found[1] < found[2]
    assert found[-1] >= found[-2]


@each_format
def test_a_part_past_what_a_call_takes_is_not_read(media_type: str) -> None:
    body = WRITERS[media_type]([json.loads(ROW)] * 4)
    with parts_of(1):
        assert read_in_parts(media_type, body, max_readings=4) is not None
        assert read_in_parts(media_type, body, max_readings=3) is None


def test_a_byte_order_mark_belongs_to_the_document_alone() -> None:
    marked = b"\xef\xbb\xbf" + ROW.encode()
    with parts_of(1):
        assert read_in_parts("application/x-ndjson", marked + b"\n" + ROW.encode()) is not None
        assert read_in_parts("application/x-ndjson", ROW.encode() + b"\n" + marked) is None


def test_a_quoted_cell_may_go_on_over_lines_so_such_a_sheet_is_whole() -> None:
    body = b'sensor,time,value,note\na,2026-01-02T03:04:05Z,1,"x\ny"\n'
    assert read_in_parts("text/csv", body) is None


def test_lines_of_line_protocol_keep_their_numbers() -> None:
    dialect = Dialect(Template.parse("{measurement}"))
    lines = [f"m{i % 3} v={i if i % 7 else 'x'} {i}000" for i in range(50)]
    body, now = "\n".join(lines).encode(), np.datetime64("2026-01-02", "us")
    whole = from_line_protocol(body, dialect, now=now)
    with parts_of(1):
        found = list(parts_of_line_protocol(body, dialect, now=now))
    assert len(found) > 20
    assert joined([content(one.batch) for one in found])[:3] == content(whole.batch)[:3]

    def named(one: Any) -> list[tuple[int, str]]:
        return [(int(one.lines[bad.index]), bad.detail) for bad in one.batch.rejected]

    lines_of = np.concatenate([one.lines for one in found])
    parts_named = [
        (int(lines_of[bad.index]), bad.detail) for one in found for bad in one.batch.rejected
    ]
    assert parts_named == named(whole)


@pytest.mark.parametrize("body", [b'm f="a\nb",g=1', b"m,t=a\\ b f=1"])
def test_strings_and_escapes_are_left_to_who_reads_the_whole(body: bytes) -> None:
    dialect = Dialect(Template.parse("{measurement}"))
    with pytest.raises(Inseparable):
        list(parts_of_line_protocol(body, dialect, now=np.datetime64("2026-01-02", "us")))
