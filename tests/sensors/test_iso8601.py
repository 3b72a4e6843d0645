"""Times as devices write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors import iso8601
from sensors.series import to_datetime64

zones = st.integers(-23 * 60, 23 * 60).map(lambda m: timezone(timedelta(minutes=m)))
moments = st.datetimes(
    min_value=datetime(1901, 1, 1),  # noqa: DTZ001  the zone comes from `timezones`
    max_value=datetime(9998, 12, 31),  # noqa: DTZ001
    timezones=zones,
)
specs = st.sampled_from(["seconds", "milliseconds", "microseconds"])


@given(st.lists(st.tuples(moments, specs), max_size=8))
def test_a_column_is_read_like_python_reads_it(times: list[tuple[datetime, str]]) -> None:
    texts = [time.isoformat(timespec=spec) for time, spec in times]
    expected = [to_datetime64(datetime.fromisoformat(text)) for text in texts]
    found = iso8601.parse_column(texts)
    assert found is not None
    assert found.tolist() == [time.item() for time in expected]
    assert [iso8601.parse(text) for text in texts] == expected


@given(moments)
def test_z_means_utc(moment: datetime) -> None:
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    found = iso8601.parse_column([text])
    assert found is not None
    assert found[0] == iso8601.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "NaT",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02 03:04:05Z",
        "2026-13-02T03:04:05Z",
        "2026-02-30T03:04:05Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T03:04:60Z",
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05+01:60",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05.1234567890Z",
        "2026-01-02T03:04.5Z",
        "0000-01-02T03:04:05Z",
        "0001-01-01T00:00:00+01:00",
        "1899-12-31T23:59:59Z",
        "9999-12-31T23:59:59-01:00",
        "２026-01-02T03:04:05Z",
        "2026-01-02T03:04:05Z\0",
        "+2026-01-02T03:04:0Z",
        "2026-01-02T-3:04:05Z",
    ],
)
def test_what_is_no_time_with_a_zone_is_refused_in_both_ways(text: str) -> None:
    assert iso8601.parse_column([text]) is None
    with pytest.raises(ValueError, match="time"):
        iso8601.parse(text)


@given(st.lists(st.text(alphabet="0123456789-:.,TtZz+ \0é", max_size=36), min_size=1, max_size=3))
def test_the_column_never_accepts_what_a_single_time_would_not(texts: list[str]) -> None:
    found = iso8601.parse_column(texts)
    if found is not None:
        assert found.tolist() == [iso8601.parse(text).item() for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T03:04Z",
        "2026-01-02t03:04:00z",
        "2026-01-02T04:04:00,000+01",
        "2026-01-02T03:04:00-0000",
    ],
)
def test_rarer_forms_are_read_one_by_one(text: str) -> None:
    assert iso8601.parse(text) == np.datetime64("2026-01-02T03:04:00", "us")


def test_digits_past_the_microsecond_are_cut() -> None:
    text = "2026-01-02T03:04:05.123456789Z"
    column = iso8601.parse_column([text])
    assert column is not None
    assert column[0] == iso8601.parse(text) == np.datetime64("2026-01-02T03:04:05.123456", "us")
