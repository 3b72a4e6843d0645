"""A large document is read by two threads; that must make no difference to what is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import event, example, given, settings

from sensors.formats import Batch, FormatError, from_json, halves
from sensors.formats.json import _as_objects, _quickly
from tests.sensors.documents import READERS, ROW, WRITERS, almost, content


@contextmanager
def two_threads_from(size: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(halves, "LEAST_BYTES", size)
        yield


def read(media_type: str, body: bytes) -> tuple[object, ...]:
    try:
        return content(READERS[media_type](body))
    except FormatError as refused:
        return (refused.code, str(refused), refused.position, refused.line)


@pytest.mark.parametrize("media_type", READERS)
def test_halves_and_the_whole_read_alike(media_type: str) -> None:
    @given(almost[media_type])
    @settings(max_examples=300)
    def holds(body: bytes) -> None:
        with two_threads_from(10**9):
            whole = read(media_type, body)
        with two_threads_from(1):
            assert read(media_type, body) == whole

    holds()


@given(almost["application/json"])
@example(f"[{ROW},{ROW}]".encode())
@example(b'[{"sensor":"},{","time":"2026-01-02T03:04:05Z","value":1}]')
@example(f"[{ROW},{ROW[:-1]},{ROW}]".encode())
@settings(max_examples=300)
def test_an_array_read_as_lines_is_the_array(body: bytes) -> None:
    with two_threads_from(1):
        quick = _quickly(body, 100)
    event(f"as lines: {quick is not None}")
    if quick is not None:
        assert content(quick) == content(_as_objects(body, 100))


@pytest.mark.parametrize("media_type", READERS)
def test_rows_keep_their_order_and_their_text_in_both_halves(media_type: str) -> None:
    rows = [
        {"sensor": f"s{i % 3}" if i < 3000 else "late", "time": "2026-01-02T03:04:05Z", "value": i}
        for i in range(6000)
    ]
    body = WRITERS[media_type](rows).replace(b"}, {", b"},{")
    assert len(body) > halves.LEAST_BYTES
    batch: Batch = READERS[media_type](body)
    assert batch.values.tolist() == list(range(6000))
    assert batch.sensor.of_row(2999) == "s2"
    assert batch.sensor.of_row(3000) == "late"
    assert json.loads(batch.payload(4321))["value"] == 4321


def test_a_bad_row_in_the_second_half_rejects_itself_only() -> None:
    rows = [json.loads(ROW) for _ in range(6000)]
    rows[5000]["value"] = "warm"
    batch = from_json(json.dumps(rows, separators=(",", ":")).encode())
    assert [bad.index for bad in batch.rejected] == [5000]
    assert len(batch.times) == 5999


def test_what_a_half_raises_is_raised() -> None:
    def refuse(_part: object) -> object:
        raise ValueError("no table")

    with pytest.raises(ValueError, match="no table"):
        halves.read(b"a\n" * halves.LEAST_BYTES, refuse)
