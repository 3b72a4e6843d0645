"""Documents in each format: the same rows in all of them, and almost right ones."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet
from hypothesis import strategies as st

from sensors.formats import Batch, from_csv, from_json, from_ndjson

FIELDS = ("sensor", "time", "value", "quality", "kind", "unit")
ROW = '{"sensor":"a/b","time":"2026-01-02T03:04:05Z","value":21.5}'
READERS: dict[str, Callable[..., Batch]] = {
    "application/json": from_json,
    "application/x-ndjson": from_ndjson,
    "text/csv": from_csv,
}


def as_json(rows: list[Any]) -> bytes:
    return json.dumps(rows).encode()


def as_ndjson(rows: list[Any]) -> bytes:
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode()


def as_csv(rows: list[dict[str, Any]], fields: tuple[str, ...] = FIELDS) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, restval="")
    writer.writeheader()
    writer.writerows({name: _cell(row[name]) for name in row} for row in rows)
    return text.getvalue().encode()


def as_parquet(columns: dict[str, Any], *, group: int = 3, **options: Any) -> bytes:
    file = io.BytesIO()
    pa.parquet.write_table(pa.table(columns), file, row_group_size=group, **options)
    return file.getvalue()


def _cell(field: Any) -> Any:
    return repr(field) if isinstance(field, float) else field


WRITERS: dict[str, Callable[[list[Any]], bytes]] = {
    "application/json": as_json,
    "application/x-ndjson": as_ndjson,
    "text/csv": as_csv,
}


def content(batch: Batch) -> tuple[Any, ...]:
    """All that a batch says, comparable; numbers by their bits."""
    rows = range(len(batch.times))
    return (
        [batch.sensor.of_row(row) for row in rows],
        batch.times.tolist(),
        batch.values.tobytes(),
        [None if q != q else q for q in batch.quality.tolist()],
        [batch.kind.of_row(row) for row in rows],
        [batch.unit.of_row(row) for row in rows],
        batch.index.tolist(),
        [(bad.index, bad.category, bad.code, bad.detail, bad.sensor) for bad in batch.rejected],
    )


# What every format can hold: no null beside an absent field, no text where CSV sees a number.
texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)
good_rows = st.fixed_dictionaries(
    {
        "sensor": st.sampled_from(["pump-1/temp", "a,b", 'say "hi"', "über", "x" * 200]),
        "time": st.datetimes(min_value=datetime(1901, 1, 1)).map(  # noqa: DTZ001  the zone follows
            lambda at: f"{at.isoformat()}+01:30"
        )
        | st.sampled_from(["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123456789Z"]),
        "value": st.floats(-1e100, 1e100) | st.integers(-(10**15), 10**15).filter(bool),
    },
    optional={
        "quality": st.floats(0, 1),
        "kind": st.sampled_from(["pressure", "OTHER"]),
        "unit": st.sampled_from(["kPa", "°C", "m,s"]),
    },
)
bad_fields = st.fixed_dictionaries(
    {},
    optional={
        "sensor": texts | st.sampled_from(["  ", "x" * 201, "a\nb", "a\rb", "a\0b"]),
        "time": texts | st.sampled_from(["2026-01-02T03:04:05", "1767323045", "2026-02-30T00:00Z"]),
        "value": st.floats() | st.sampled_from(["warm", "1,5", "true"]),
        "quality": st.floats() | st.just("good"),
        "kind": texts,
        "unit": texts | st.just("x" * 21),
    },
)
same_rows = st.lists(
    good_rows
    | st.tuples(good_rows, bad_fields).map(lambda two: {**two[0], **two[1]})
    | bad_fields.filter(bool),
    max_size=6,
)

_JSON_PIECES = (
    *'{}[],:"\n', "\r\n", " ", "\0", "\\", "-0", "01", "1.", "+1", "1e999", "NaN", "Infinity",
    "null", "true", "1e5", "18446744073709551617", '"value":2', '"quality":0.5',
    '"kind":"Pressure"', '"unit":null', '"\\ud800"', '"\\u00e9"', '"é"', "},{", "}\n{", "},\n{",
    "/**/", ROW, ROW + "\n",
)  # fmt: skip
_CSV_PIECES = (
    *',;"\n', "\r", "\r\n", "\t", " ", "\0", '""', ",,", "a", "1", "nan", "-inf", "+1", "01", "1.",
    ".5", "1_0", "0x1", "１", "é", '"a"x', 'a"x', '"a\nb"', "2026-01-02T03:04:05Z",
    "b,2026-01-02T03:04:05Z,1\n", "pressure", "0.5",
)  # fmt: skip


def _spoilt(documents: list[str], pieces: tuple[str, ...]) -> st.SearchStrategy[bytes]:
    """A right document with a few pieces put over what is there."""
    edit = st.tuples(st.floats(0, 1), st.integers(0, 8), st.sampled_from(pieces))

    def apply(document: str, edits: list[tuple[float, int, str]]) -> bytes:
        for at, over, piece in edits:
            place = int(at * len(document))
            document = document[:place] + piece + document[place + over :]
        return document.encode()

    return st.builds(apply, st.sampled_from(documents), st.lists(edit, max_size=3))


def _mostly(right: list[str], rare: list[str]) -> st.SearchStrategy[str]:
    return st.integers(0, 39).flatmap(lambda draw: st.sampled_from(right if draw else rare))


_TIMES = ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.5+01:00", "2026-01-02T03:04Z"]
_ODD_TIMES = ["2026-01-02 03:04:05Z", "2026-01-02T03:04:05,5z", "1899-01-01T00:00:00Z", "later", ""]
_NUMBERS = ["1", "-2.5", "0", "-0.0", "1e5", "12345678901234567890", "0.1234567890123456789"]

_json_row = st.builds(
    lambda *parts: "".join(parts),
    _mostly(["{"], ["{ ", "[{", '{"x":[1],', '{"x":{},', '{"x":"y",', '{"value":1,', "\0{"]),
    _mostly(
        ['"sensor":"a"', '"sensor":"é[{"', '"sensor":"a\\u00e9"'],
        ['"sensor":7', '"sensor":"\\ud800"'],
    ),
    st.builds(lambda time: f',"time":"{time}"', _mostly(_TIMES, _ODD_TIMES)),
    st.builds(
        lambda value: f',"value":{value}',
        _mostly(
            _NUMBERS,
            ["NaN", "-Infinity", "1e999", "null", "true", '"1"', "01", "1.", "+1", "[]"],
        ),
    ),
    _mostly(
        ["", ',"quality":0.5', ',"quality":null', ',"kind":"PRESSURE"', ',"x":"},{"'],
        [',"quality":2', ',"kind":"x"', ',"unit":7', ',"x":', ","],
    ),
    _mostly(["}"], ["}}", "} ", "", "}]", ROW]),
)  # fmt: skip
_json_lines = st.lists(
    st.tuples(_json_row, _mostly(["\n", "\r\n"], ["", ",", "\n\n", " \n", "\r", ",\n"])), max_size=4
).map(lambda rows: "".join(row + end for row, end in rows).encode())

_csv_cell = _mostly(
    ["", "x", '"x"', '"a,b"', '"say ""hi"""'], ['"a\nb"', '"a"x', 'a"x', '"', "x,y"]
)
_csv_rows = st.lists(
    st.builds(
        lambda *cells: ",".join(cells),
        _mostly(["a", '"a"', "é", '"a,b"'], ["", "  ", '"a\nb"', "a\0b"]),
        _mostly(_TIMES, _ODD_TIMES),
        _mostly(
            [*_NUMBERS, " 1", "+1", "01", "1.", ".5", '"1"'],
            ["", "nan", "-INF", "1_0", "0x1", "１", "1e", "\v1", "1\t"],
        ),
        _mostly(["", "0.5", "1"], ["2", "x", "nan"]),
        _mostly(["", "pressure", "OTHER"], ["x"]),
        _csv_cell,
    ),
    max_size=4,
)  # fmt: skip
_csv_sheets = st.tuples(_csv_rows, _mostly(["\n", "\r\n"], ["\r", "\n\n"])).map(
    lambda drawn: drawn[1].join(["sensor,time,value,quality,kind,x", *drawn[0]]).encode()
)

_CSV_DOCUMENTS = [
    "sensor,time,value\na,2026-01-02T03:04:05Z,1\nb,2026-01-02T03:04:06Z,2\n",
    (
        'value;"sensor";time;note\n1;"a";2026-01-02T03:04:05Z;"x ""y"";\n"\n'
        "2;b;2026-01-02T03:04:05Z;\n"
    ),
    (
        "sensor,time,value,quality,kind,unit\na,2026-01-02T03:04:05Z,1,,,\n"
        "a,2026-01-02T03:04Z,1,1,pressure,kPa"
    ),
]
almost = {
    "application/json": _spoilt(
        [f"[{ROW},{ROW}]", f'{{"readings": [{ROW},\n {ROW}]}}', "[]"], _JSON_PIECES
    ),
    "application/x-ndjson": _json_lines
    | _spoilt([f"{ROW}\n{ROW}\n{ROW}", f"\n{ROW}\r\n\n{ROW}\r\n"], _JSON_PIECES),
    "text/csv": _csv_sheets | _spoilt(_CSV_DOCUMENTS, _CSV_PIECES),
}
