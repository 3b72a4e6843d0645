"""Parquet: readings as typed columns, and a reason for what is damaged or unfolds without end."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sensors.files.layout import Layout
from sensors.files.parts import Part, Place, parts_of
from sensors.files.sources import FileError, find
from sensors.formats import Batch, from_csv, parquet
from tests.sensors.documents import as_csv, as_parquet, content, good_rows

ROWS: list[dict[str, Any]] = [
    {"sensor": f"s{n % 3}", "time": f"2026-01-02T03:04:{n:02}Z", "value": n / 2} for n in range(20)
]
COLUMNS = {name: [row[name] for row in ROWS] for name in ("sensor", "time", "value")}
MOMENTS = pa.array([datetime(2026, 1, 2, 3, 4, n, tzinfo=UTC) for n in range(20)])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parquet") / "file.parquet"


def parts(file: Path, body: bytes, *, rows: int = 10_000) -> list[Part]:
    file.write_bytes(body)
    [source] = find([file])
    return list(parts_of(source, Layout(), start=Place(), batch_rows=rows))


def read(file: Path, body: bytes) -> Batch:
    [part] = parts(file, body)
    return part.batch


def whole(columns: dict[str, Any], **options: Any) -> bytes:
    """All rows in one group."""
    return as_parquet(columns, group=10_000, **options)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, 2], pa.int16()), pa.array([1, 2], pa.uint64()),
        pa.array([1.0, 2.0], pa.float32()), pa.array([1, 2], pa.decimal128(5, 2)),
    ],
    ids=str,
)  # fmt: skip
def test_values_are_numbers_of_any_width(file: Path, column: pa.Array) -> None:
    times = pa.array(["2026-01-02T03:04:05Z"] * 2).cast(pa.timestamp("ns", "UTC"))
    sensors = pa.array(["a", "b"]).dictionary_encode()
    batch = read(file, whole({"value": column, "time": times, "sensor": sensors}))
    assert batch.values.tolist() == [1.0, 2.0]
    again = read(
        file,
        whole({"value": column, "time": ["x", "2026-01-02T03:04:05Z"], "sensor": [7, 8]}),
    )
    assert (again.sensor.names, again.values.tolist()) == (("8",), [2.0])
    assert [(r.code, r.sensor) for r in again.rejected] == [("time_invalid", "7")]


@given(rows=st.lists(good_rows, min_size=1, max_size=6))
@settings(max_examples=100)
def test_what_is_written_is_the_batch_that_its_rows_are_in_csv(
    file: Path, rows: list[dict[str, Any]]
) -> None:
    columns: dict[str, Any] = {
        name: [row.get(name) for row in rows]
        for name in ("sensor", "time", "value", "quality", "kind", "unit")
    }
    types = {"value": pa.float64(), "quality": pa.float64()}
    typed = {name: pa.array(of, types.get(name, pa.string())) for name, of in columns.items()}
    assert content(read(file, whole(typed))) == content(from_csv(as_csv(rows)))


GOOD = [
    as_parquet({**COLUMNS, "unit": ["kPa"] * 20}, group=7, compression=how)
    for how in ("none", "zstd")
]
GOOD.append(as_parquet({**COLUMNS, "time": MOMENTS}, group=7, write_page_checksum=True))
edits = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 20), st.binary(max_size=6)),
    min_size=1,
    max_size=4,
)


@given(good=st.sampled_from(GOOD), edits=edits)
@example(good=GOOD[0][:20], edits=[(0.0, 0, b"")])
@example(good=b"", edits=[(0.0, 0, b"x")])
@settings(max_examples=500)
def test_a_damaged_file_gives_rows_or_a_documented_reason(
    file: Path, good: bytes, edits: list[tuple[float, int, bytes]]
) -> None:
    body = good
    for at, over, piece in edits:
        place = int(at * len(body))
        body = body[:place] + piece + body[place + over :]
    try:
        found = parts(file, body, rows=4)
    except FileError as refused:
        assert str(refused).startswith(f"{file}: ")  # noqa: PT017
        return
    for part in found:
        places = [*part.batch.index.tolist(), *(one.index for one in part.batch.rejected)]
        assert sorted(places) == list(range(len(part.batch)))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_parquet_are_refused(file: Path, body: bytes) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        parts(file, body)


def test_a_page_whose_checksum_is_wrong_is_refused(file: Path) -> None:
    body = as_parquet(COLUMNS, compression="none", write_page_checksum=True, use_dictionary=False)
    place = body.index(b"2026-01-02T03:04:07Z")
    assert len(parts(file, body)) == 7
    with pytest.raises(FileError, match=r"cannot be read.*CRC"):
        parts(file, body[:place] + b"2027" + body[place + 4 :])


# --- memory ---------------------------------------------------------------------------------------


@pytest.fixture
def pool() -> Any:
    """Counts what Arrow holds from here on."""
    before = pa.default_memory_pool()
    counting = pa.proxy_memory_pool(before)
    pa.set_memory_pool(counting)
    yield counting
    pa.set_memory_pool(before)


def test_one_long_text_in_a_thousand_rows_is_refused_before_it_unfolds(
    file: Path, pool: Any
) -> None:
    long = pa.array(["x" * 2**20]).dictionary_encode()
    sensors = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), long.dictionary)
    times = ["2026-01-02T03:04:05Z"] * 1000
    body = whole(
        {"sensor": sensors, "time": times, "value": [1.0] * 1000},
        compression="zstd",
        dictionary_pagesize_limit=2**24,
    )
    assert len(body) < 2**14
    with pytest.raises(FileError, match="column sensor has over 64 MiB of text"):
        parts(file, body)
    assert pool.max_memory() < 64 * 2**20


def test_a_group_of_rows_that_swells_is_refused_unread(
    file: Path, pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "MAX_GROUP_BYTES", 2**20)
    rows = 2**18
    body = as_parquet(
        {"sensor": ["a"] * rows, "time": [COLUMNS["time"][0]] * rows, "value": range(rows)},
        group=rows,
        compression="zstd",
    )
    pool_before = pool.bytes_allocated()
    with pytest.raises(FileError, match="a group of rows unfolds to more than 1 MiB"):
        parts(file, body)
    assert pool.bytes_allocated() == pool_before
