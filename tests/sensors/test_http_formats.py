"""`POST /api/v1/readings` in each format: the same answers, and what is stored is what was sent."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensors.formats import FormatError, TooManyReadings
from sensors.models import QuarantinedReading, Reading
from tests.factories import make_key, rows_of
from tests.sensors.documents import READERS, ROW, WRITERS, almost

pytestmark = pytest.mark.django_db
each_format = pytest.mark.parametrize("media_type", READERS)
GOOD = json.loads(ROW)


class Device:
    def __init__(self) -> None:
        self.key, self.secret = make_key(rate_per_second=1e6, burst=1_000_000)

    def post(self, body: bytes, media_type: str, **headers: str) -> tuple[int, dict[str, Any]]:
        answer = Client().post(
            "/api/v1/readings",
            body,
            content_type=media_type,
            # As a header: the test client states no type for an empty body otherwise.
            headers={
                "Content-Type": media_type,
                "Authorization": f"Api-Key {self.secret}",
                **headers,
            },
        )
        return answer.status_code, answer.json()


@pytest.fixture
def device() -> Device:
    return Device()


@each_format
def test_a_bad_row_is_named_by_its_place_and_kept(device: Device, media_type: str) -> None:
    rows = [GOOD, {**GOOD, "time": "later"}, {**GOOD, "sensor": "b"}]
    body = WRITERS[media_type](rows)
    status, answer = device.post(body, media_type)
    assert (status, answer["accepted"], answer["quarantined"]) == (200, 2, 1)
    [error] = answer["errors"]
    assert (error["index"], error["category"], error["code"]) == (1, "validation", "time_invalid")
    assert json.loads(QuarantinedReading.objects.get().payload) == rows[1]


@each_format
def test_a_batch_sent_twice_is_stored_once_whatever_its_format(
    device: Device, media_type: str
) -> None:
    rows = rows_of(n=3)
    device.post(WRITERS["application/json"](rows), "application/json")
    _, answer = device.post(WRITERS[media_type](rows), media_type)
    assert (answer["accepted"], answer["duplicates"]) == (0, 3)


@each_format
def test_gzip_and_a_charset_are_understood(device: Device, media_type: str) -> None:
    body = gzip.compress(WRITERS[media_type]([GOOD]))
    stated = f'{media_type}; charset="UTF-8"'
    status, answer = device.post(body, stated, **{"Content-Encoding": "gzip"})
    assert (status, answer["accepted"]) == (200, 1)


@each_format
def test_another_charset_is_refused(device: Device, media_type: str) -> None:
    status, answer = device.post(b"", f"{media_type}; charset=latin-1")
    assert (status, answer["error"]["code"]) == (415, "unsupported_media_type")
    assert "utf-8" in answer["error"]["message"]


def test_a_format_that_is_not_read_is_told_which_are(device: Device) -> None:
    status, answer = device.post(b"<r/>", "text/xml")
    assert status == 415
    for media_type in READERS:
        assert media_type in answer["error"]["message"]


@pytest.mark.parametrize(
    ("media_type", "body", "code", "line"),
    [
        ("application/json", b'[\n{"sensor": oops}]', "json_invalid", 2),
        ("application/json", b'[\n\n"\xff"]', "not_utf8", 3),
        ("application/x-ndjson", b"\nsensor time value\n", "json_invalid", 2),
        ("text/csv", b"sensor,value\na,1\n", "csv_header_invalid", 1),
        ("text/csv", b"", "csv_header_invalid", 1),
        ("text/csv", b'sensor,time,value\na,t,1\n5" pipe,t,1\n', "csv_quote_invalid", 3),
        ("text/csv", b'sensor,time,value\na,t,"1\nb,t,2\n', "csv_quote_invalid", 2),
    ],
)
def test_a_document_that_cannot_be_read_is_refused_with_its_line(
    device: Device, media_type: str, body: bytes, code: str, line: int
) -> None:
    status, answer = device.post(body, media_type)
    assert (status, answer["error"]["code"]) == (400, code)
    assert f"line {line}" in answer["error"]["message"]
    assert not QuarantinedReading.objects.exists()


@each_format
def test_too_many_readings_are_413(device: Device, settings: Any, media_type: str) -> None:
    settings.INGEST_MAX_READINGS = 2
    status, answer = device.post(WRITERS[media_type](rows_of(n=3)), media_type)
    assert (status, answer["error"]["code"]) == (413, "too_many_readings")


def _expected(media_type: str, body: bytes) -> tuple[int, str | None]:
    """Status and error code, as the parser decides them."""
    try:
        READERS[media_type](body)
    except TooManyReadings as refused:
        return 413, refused.code
    except FormatError as refused:
        return 400, refused.code
    return 200, None


@each_format
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_get_the_answer_of_their_class(
    device: Device, media_type: str, data: st.DataObject
) -> None:
    body = data.draw(st.binary(max_size=60) | almost[media_type])
    status, answer = device.post(body, media_type)
    assert (status, answer.get("error", {}).get("code")) == _expected(media_type, body)
    if status == 200:
        counted = answer["accepted"] + answer["duplicates"] + answer["quarantined"]
        assert counted == len(READERS[media_type](body))


YEARS = datetime(1901, 1, 1), datetime(2026, 1, 1)  # noqa: DTZ001  the strategy adds UTC
readings = st.lists(
    st.tuples(
        st.datetimes(*YEARS, timezones=st.just(UTC)),
        st.floats(-1e100, 1e100),
    ),
    unique_by=lambda reading: reading[0],
    max_size=8,
)


@each_format
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(readings=readings)
def test_what_was_accepted_reads_back_to_the_bit(
    device: Device, media_type: str, readings: list[tuple[datetime, float]]
) -> None:
    Reading.objects.all().delete()
    rows = [{"sensor": "s", "time": at.isoformat(), "value": value} for at, value in readings]
    status, answer = device.post(WRITERS[media_type](rows), media_type)
    assert (status, answer["accepted"]) == (200, len(rows))
    stored = Reading.objects.order_by("time").values_list("time", "value")
    # As text, which tells -0.0 from 0.0.
    assert [(at, repr(value)) for at, value in stored] == [
        (at, repr(value)) for at, value in sorted(readings)
    ]
