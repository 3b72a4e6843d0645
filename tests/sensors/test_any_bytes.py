"""Any bytes in any format: a batch or a reason, the same reading from each, in bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from sensors.formats import FormatError, TooManyReadings, batch_of, csv, from_json, ndjson, text
from tests.sensors import hostile
from tests.sensors.documents import READERS, ROW, WRITERS, almost, content, same_rows

CODES = {
    "application/json": {"json_invalid", "json_too_deep", "not_utf8", "not_a_batch"},
    "application/x-ndjson": {"json_invalid", "not_utf8"},
    "text/csv": {"csv_header_invalid", "csv_quote_invalid", "not_utf8"},
}
each_format = pytest.mark.parametrize("media_type", READERS)


@each_format
@given(data=st.data())
@settings(max_examples=300)
def test_any_bytes_give_a_batch_or_a_documented_reason(
    media_type: str, data: st.DataObject
) -> None:
    body = data.draw(st.binary(max_size=100) | almost[media_type])
    try:
        batch = READERS[media_type](body)
    except FormatError as refused:
        assert (refused.code in CODES[media_type], str(refused) != "") == (True, True)  # noqa: PT017
        return
    places = [*batch.index.tolist(), *(rejected.index for rejected in batch.rejected)]
    assert sorted(places) == list(range(len(batch)))
    for rejected in batch.rejected:
        assert rejected.payload.isascii()
        json.loads(rejected.payload)
        assert rejected.detail
    for row in range(len(batch.times)):
        json.loads(batch.payload(row))


@given(same_rows)
@settings(max_examples=200)
def test_the_same_readings_in_each_format_are_the_same_batch(rows: list[dict[str, Any]]) -> None:
    batches = [READERS[media_type](write(rows)) for media_type, write in WRITERS.items()]
    expected = content(batches[0])
    assert content(batches[1]) == expected
    assert content(batches[2]) == expected


@given(same_rows)
def test_a_row_in_quarantine_can_be_read_again_from_each_format(rows: list[dict[str, Any]]) -> None:
    for media_type, write in WRITERS.items():
        batch = READERS[media_type](write(rows))
        payloads = [rejected.payload for rejected in batch.rejected]
        again = from_json(f"[{','.join(payloads)}]".encode())
        assert [r.code for r in again.rejected] == [r.code for r in batch.rejected]


@given(almost["application/x-ndjson"])
@example(f"{ROW}{ROW}\n{ROW[:7]}\n{ROW[7:]}".encode())
@example(f"{ROW}\n\0{ROW}".encode())
@example(f'{{"x":[{{}}\n{{}}]}},{ROW}'.encode())
@settings(max_examples=500)
def test_lines_read_at_once_are_those_read_one_by_one(body: bytes) -> None:
    quick = ndjson.batch_of_lines(body)
    event(f"at once: {quick is not None}")
    if quick is not None:
        assert content(quick) == content(ndjson._line_by_line(body, 100))


@given(almost["text/csv"])
@settings(max_examples=500)
def test_rows_read_into_columns_are_those_read_as_cells(body: bytes) -> None:
    try:
        batch = READERS["text/csv"](body)
    except FormatError:
        return
    rows = [csv.reading_of(row) for row in csv.sheet_of(text.unmarked(body)).cells()]
    assert content(batch) == content(batch_of(rows))


@each_format
def test_more_readings_than_allowed_are_refused(media_type: str) -> None:
    body = WRITERS[media_type]([json.loads(ROW)] * 4)
    assert len(READERS[media_type](body, max_readings=4)) == 4
    with pytest.raises(TooManyReadings):
        READERS[media_type](body, max_readings=3)


@each_format
def test_bytes_that_are_no_utf8_are_pointed_at(media_type: str) -> None:
    body = WRITERS[media_type]([json.loads(ROW)]).replace(b"a/b", b"a\xffb")
    with pytest.raises(FormatError) as caught:
        READERS[media_type](body)
    assert caught.value.code == "not_utf8"
    assert caught.value.position == body.index(b"\xff")
    assert caught.value.line == body[: body.index(b"\xff")].count(b"\n") + 1


@each_format
def test_a_byte_order_mark_and_other_line_ends_are_no_harm(media_type: str) -> None:
    body = WRITERS[media_type]([json.loads(ROW)] * 2)
    dressed = b"\xef\xbb\xbf" + body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert content(READERS[media_type](dressed)) == content(READERS[media_type](body))


# --- memory ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def growths() -> dict[str, float | None]:
    code = "from tests.sensors import hostile; hostile.main()"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    found: dict[str, float | None] = json.loads(run.stdout)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("name", hostile.BODIES)
def test_a_body_that_does_its_worst_takes_a_bounded_multiple_of_its_size(
    name: str, growths: dict[str, float | None]
) -> None:
    growth = growths[name]
    assert growth is not None
    assert growth < hostile.MOST
