"""A file in parts is the file as a whole, wherever it is parted and wherever it is taken up."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors.files import parts as reading
from sensors.files.clock import Clock
from sensors.files.layout import Layout
from sensors.files.parts import Part, Place, parts_of
from sensors.files.sources import FileError, Source, find
from sensors.formats import from_csv
from tests.sensors.documents import as_csv, as_ndjson, as_parquet, same_rows

SUFFIXES = ("csv", "csv.gz", "ndjson", "ndjson.gz", "parquet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


def written(folder: Path, suffix: str, body: bytes) -> Source:
    path = folder / f"file.{suffix}"
    path.write_bytes(gzip.compress(body) if suffix.endswith("gz") else body)
    [source] = find([path])
    return source


def all_of(
    source: Source, layout: Layout | None = None, *, start: Place | None = None, rows: int = 10_000
) -> list[Part]:
    return list(parts_of(source, layout or Layout(), start=start or Place(), batch_rows=rows))


def readings(parts: list[Part]) -> list[tuple[Any, ...]]:
    """(row, sensor, time, value) of each reading and (row, code) of each that is none."""
    found: list[tuple[Any, ...]] = []
    for part in parts:
        batch = part.batch
        for place, index in enumerate(batch.index.tolist()):
            sensor, time = batch.sensor.of_row(place), str(batch.times[place])
            found.append((part.row_of(index), sensor, time, float(batch.values[place])))
        found += [(part.row_of(one.index), one.code) for one in batch.rejected]
    return sorted(found, key=str)


ROWS: list[dict[str, Any]] = [
    {"sensor": f"s{n % 3}", "time": f"2026-01-02T03:04:{n:02}Z", "value": n / 2} for n in range(20)
]
ROWS[7] = {"sensor": "s", "time": "later", "value": 1}
BODIES = {
    "csv": as_csv(ROWS),
    "csv.gz": as_csv(ROWS),
    "ndjson": as_ndjson(ROWS),
    "ndjson.gz": as_ndjson(ROWS),
    "parquet": as_parquet({name: [row[name] for row in ROWS] for name in ("sensor", "time")}
                          | {"value": [float(row["value"]) for row in ROWS]}),
}  # fmt: skip


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("rows", [1, 3, 7, 20, 1000])
def test_it_can_be_parted_and_taken_up_anywhere(folder: Path, suffix: str, rows: int) -> None:
    source = written(folder, suffix, BODIES[suffix])
    whole = readings(all_of(source))
    parts = all_of(source, rows=rows)
    assert readings(parts) == whole
    assert len(whole) == parts[-1].end.rows == len(ROWS)
    for number, part in enumerate(parts):
        rest = all_of(source, start=part.end, rows=5)
        assert readings([*parts[: number + 1], *rest]) == whole


@settings(max_examples=40)
@given(rows=same_rows, size=st.integers(1, 3))
def test_a_csv_in_parts_says_what_it_says_as_a_body(
    folder: Path, rows: list[dict[str, Any]], size: int
) -> None:
    body = as_csv(rows)
    parts = all_of(written(folder, "csv", body), rows=size)
    assert readings(parts) == readings([Part(from_csv(body), Place(), Place(), 1, 0)])


@pytest.mark.parametrize("suffix", ["csv", "ndjson"])
def test_a_line_at_fault_is_named_as_an_editor_counts_it(folder: Path, suffix: str) -> None:
    body = {
        "csv": b'\n\nsensor,time,value\n"a\n",2026-01-02T03:04:05Z,1\na,b,c\n5" pipe,t,1\n',
        "ndjson": as_ndjson(ROWS[:1]) + b"\n" * 5 + b"\xff\n",
    }[suffix]
    with pytest.raises(FileError, match=r"line 7"):
        all_of(written(folder, suffix, body), rows=2)


def test_an_open_quote_is_found_before_it_fills_the_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_LINE_BYTES", 4096)
    body = as_csv(ROWS) + b'a,2026-01-02T03:04:05Z,"1\n' + b"b,t,2\n" * 10**6
    with pytest.raises(FileError, match=r"quote left open\? \(line 22\)"):
        all_of(written(folder, "csv", body))


@pytest.mark.parametrize(
    ("suffix", "body"),
    [
        ("csv", b""),
        ("csv", b"sensor,value\n"),
        ("csv", b"sensor,time,value,value\n"),
        ("csv", b"\xff\xfes\0"),
        ("ndjson", b"sensor,time,value\na,b,c\n"),
        ("parquet", b"PAR1 and no more"),
        ("parquet", as_parquet({"sensor": ["a"], "value": [1.0]})),
    ],
)
def test_what_is_no_such_file_is_refused_with_a_sentence(
    folder: Path, suffix: str, body: bytes
) -> None:
    source = written(folder, suffix, body)
    with pytest.raises(FileError, match=r"file\.\w+: .{10,}"):
        all_of(source)


def test_a_zip_that_ends_early_gives_what_is_whole(folder: Path) -> None:
    path = folder / "cut.csv.gz"
    path.write_bytes(gzip.compress(as_csv(ROWS[:7] * 20_000))[:-2_000])
    [source] = find([path])
    parts = parts_of(source, Layout(), start=Place(), batch_rows=5_000)
    assert next(parts).end.rows == 5_000
    with pytest.raises(FileError, match="damaged"):
        list(parts)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_a_large_file_takes_no_more_memory_than_its_parts(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    head, _, rows = as_csv(ROWS[:7] * 1_000).partition(b"\n")
    path.write_bytes(head + b"\n" + rows * (48 * 2**20 // len(rows)))
    code = f"""
from pathlib import Path
from sensors.files.layout import Layout
from sensors.files.parts import Place, parts_of
from sensors.files.sources import find
from tests.sensors.hostile import bytes_of
parts = parts_of(*find([Path({str(path)!r})]), Layout(), start=Place(), batch_rows=10_000)
for _ in range(5):
    next(parts)
before = bytes_of("VmHWM")
for part in parts:
    pass
print(bytes_of("VmHWM") - before)
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(run.stdout) < path.stat().st_size / 4


# --- layouts --------------------------------------------------------------------------------------


def values(parts: list[Part]) -> list[tuple[str | None, str, float]]:
    return [
        (b.sensor.of_row(i), str(b.times[i])[11:19], float(b.values[i]))
        for b in (part.batch for part in parts)
        for i in range(len(b.times))
    ]


@pytest.mark.parametrize("bad", ["", "x;x;1;1;1\n"], ids=["at once", "row by row"])
def test_columns_go_by_any_name(folder: Path, bad: str) -> None:
    body = f"tag_name;ts;val;value;extra\nT1;2026-01-02T03:04:05Z;1.5;9;x\n{bad}"
    layout = Layout(names={"sensor": "tag_name", "time": "ts", "value": "val"})
    parts = all_of(written(folder, "csv", body.encode()), layout)
    assert values(parts) == [("T1", "03:04:05", 1.5)]
    assert len(parts[0].batch.rejected) == bool(bad)
    row = json.loads(parts[0].batch.payload(0))
    assert (row["sensor"], row["value"], row["extra"]) == ("T1", 1.5, "x")


@pytest.mark.parametrize("suffix", ["csv", "ndjson", "parquet"])
def test_a_file_of_one_sensor_needs_no_column_for_it(folder: Path, suffix: str) -> None:
    rows = [{"time": "2026-01-02T03:04:05Z", "value": 1.5}]
    body = {
        "csv": as_csv(rows, ("time", "value")),
        "ndjson": as_ndjson(rows),
        "parquet": as_parquet({"time": [rows[0]["time"]], "value": [1.5]}),
    }[suffix]
    parts = all_of(written(folder, suffix, body), Layout(sensor="pump-1/temp"))
    assert values(parts) == [("pump-1/temp", "03:04:05", 1.5)]


WIDE: list[dict[str, Any]] = [
    {"time": "2026-01-02T03:04:05Z", "temp": 1.5, "vib": 2.0},
    {"time": "2026-01-02T03:04:06Z", "vib": 3.0},
    {"time": "2026-01-02T03:04:07Z"},
]


@pytest.mark.parametrize("suffix", ["csv", "ndjson", "parquet"])
@pytest.mark.parametrize("bad", [False, True], ids=["at once", "row by row"])
def test_a_wide_file_has_a_sensor_in_each_column(folder: Path, suffix: str, bad: bool) -> None:
    rows = [*WIDE, {"time": "later", "temp": 1.0, "vib": 2.0}][: 3 + bad]
    body = {
        "csv": as_csv(rows, ("time", "temp", "vib")),
        "ndjson": as_ndjson(rows),
        "parquet": as_parquet(
            {name: [row.get(name) for row in rows] for name in ("time", "temp", "vib")}
        ),
    }[suffix]
    layout = Layout(is_wide=True, prefix="p/")
    for size in (1, 2, 10):
        parts = all_of(written(folder, suffix, body), layout, rows=size)
        assert values(parts) == [
            ("p/temp", "03:04:05", 1.5), ("p/vib", "03:04:05", 2.0), ("p/vib", "03:04:06", 3.0),
        ]  # fmt: skip
        refused = [(part.row_of(r.index), r.sensor) for part in parts for r in part.batch.rejected]
        assert refused == ([(3, "p/temp"), (3, "p/vib")] if bad else [])
        assert parts[-1].end.rows == len(rows)


def test_some_columns_of_a_wide_file_are_enough(folder: Path) -> None:
    body = b"time,state,temp\n2026-01-02T03:04:05Z,on,1.5\n2026-01-02T03:04:06Z,off,-\n"
    layout = Layout(is_wide=True, columns=("temp",), missing=("", "-"))
    parts = all_of(written(folder, "csv", body), layout)
    assert values(parts) == [("temp", "03:04:05", 1.5)]
    assert not parts[0].batch.rejected


@pytest.mark.parametrize("bad", ["", "b;2026-01-02T03:04:06Z;1.5\n"], ids=["at once", "by row"])
def test_a_comma_may_be_the_mark_in_numbers(folder: Path, bad: str) -> None:
    body = f"sensor;time;value\na;2026-01-02T03:04:05Z;-1,5e3\n{bad}"
    parts = all_of(written(folder, "csv", body.encode()), Layout(decimal=","))
    assert values(parts) == [("a", "03:04:05", -1500.0)]
    codes = [one.code for one in parts[0].batch.rejected]
    assert codes == (["value_not_a_number"] if bad else [])


def test_a_column_that_is_not_there_is_named_with_those_that_are(folder: Path) -> None:
    with pytest.raises(FileError, match=r"no column ts; there are sensor, time, value"):
        all_of(written(folder, "csv", as_csv(ROWS)), Layout(names={"time": "ts"}))


@pytest.mark.parametrize("bad", ["", "x,2026-10-25 02:30:00,1\n"], ids=["at once", "row by row"])
def test_local_times_are_read_in_their_zone(folder: Path, bad: str) -> None:
    body = f"sensor,time,value\na,2026-07-01 12:00:00,1\n{bad}"
    layout = Layout(clock=Clock(zone="Europe/Berlin"))
    parts = all_of(written(folder, "csv", body.encode()), layout)
    assert values(parts) == [("a", "10:00:00", 1.0)]
    [*rejected] = parts[0].batch.rejected
    assert [one.code for one in rejected] == (["time_ambiguous"] if bad else [])
    if bad:
        assert json.loads(rejected[0].payload)["time"] == "2026-10-25 02:30:00"
