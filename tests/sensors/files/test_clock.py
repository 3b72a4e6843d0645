"""Times as files write them: any form, any zone, and what clocks do twice a year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.files.clock import EPOCHS, Clock, ClockError
from sensors.series import to_datetime64

BERLIN = "Europe/Berlin"
ZONES = st.sampled_from(
    [BERLIN, "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]
)
LOCAL = st.datetimes(datetime(1950, 1, 1), datetime(2037, 1, 1))  # noqa: DTZ001  local by intent
# Half of them within a day of a change of the clocks.
NEAR = st.builds(
    lambda at, minutes: at + timedelta(minutes=minutes),
    st.sampled_from([datetime(2026, 3, 29), datetime(2026, 10, 25), datetime(2011, 11, 6)]),  # noqa: DTZ001
    st.integers(0, 24 * 60),
)


def read(clock: Clock, *texts: str | None) -> list[datetime | None]:
    return clock.read(pa.array(texts, pa.string())).tolist()


def moments(local: datetime, zone: str) -> list[datetime]:
    """When clocks in the zone showed this, by Python's own rules: never, once or twice."""
    tz = ZoneInfo(zone)
    found = {local.replace(tzinfo=tz, fold=fold).astimezone(UTC) for fold in (0, 1)}
    shown = {at for at in found if at.astimezone(tz).replace(tzinfo=None) == local}
    return [at.replace(tzinfo=None) for at in sorted(shown)]


@given(LOCAL | NEAR, ZONES)
def test_a_local_time_is_read_by_the_rules_of_its_zone(local: datetime, zone: str) -> None:
    expected: list[datetime | None] = [*moments(local, zone)]
    text = local.isoformat(sep=" ")
    for choice, meant in (("earlier", expected[:1]), ("later", expected[-1:])):
        assert read(Clock(zone=zone, ambiguous=choice), text) == (meant or [None])
    refused = Clock(zone=zone)
    assert read(refused, text) == (expected if len(expected) == 1 else [None])
    if len(expected) != 1:
        code, detail = refused.why(text)
        assert code == ("time_ambiguous" if expected else "time_nonexistent")
        assert zone in detail


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("iso", "2026-07-01T12:00:00.25"),
        ("iso", "2026-07-01 12:00:00.250000"),
        ("%d.%m.%Y %H:%M:%S.%f", "01.07.2026 12:00:00.25"),
    ],
)
def test_forms_of_one_local_time(form: str, text: str) -> None:
    assert read(Clock(form, BERLIN), text) == [datetime(2026, 7, 1, 10, 0, 0, 250_000)]  # noqa: DTZ001


def test_a_time_with_a_zone_is_that_moment_wherever_the_others_were_read() -> None:
    texts = ["2026-07-01T12:00:00Z", "2026-07-01T12:00:00", "2026-07-01t12:00:00,5-02:00"]
    hours = [at and (at.hour, at.microsecond) for at in read(Clock(zone=BERLIN), *texts)]
    assert hours == [(12, 0), (10, 0), (14, 500_000)]
    assert read(Clock("%d/%m/%y %H:%M %z"), "01/07/26 12:00 +0200") == [datetime(2026, 7, 1, 10)]  # noqa: DTZ001


@given(
    st.datetimes(datetime(1901, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001
    st.sampled_from(list(EPOCHS)),
)
def test_numbers_since_1970_are_exact_to_the_microsecond(at: datetime, form: str) -> None:
    micros = int(to_datetime64(at.replace(tzinfo=UTC)).astype(np.int64))
    number = {
        "epoch": f"{micros / 1e6:.6f}",
        "epoch_ms": f"{micros / 1e3:.3f}",
        "epoch_us": str(micros),
        "epoch_ns": str(micros * 1000),
    }[form]
    found = Clock(form).read(pa.array([number]))[0]
    # A fraction is a float: 2 ** -53 of a time two centuries away is a microsecond.
    assert abs(int(found.astype(np.int64)) - micros) <= (1 if "." in number else 0)
    if form in {"epoch_us", "epoch_ns"}:
        assert Clock(form).read(pa.array([int(number)]))[0] == found


@pytest.mark.parametrize(
    ("clock", "text"),
    [
        (Clock(), "2026-01-02 03:04:05"),
        (Clock(), "later"),
        (Clock(zone=BERLIN), ""),
        (Clock(zone=BERLIN), "1899-12-31 23:00:00"),
        (Clock(zone=BERLIN), "2026-02-30 00:00:00"),
        (Clock("epoch"), "now"),
        (Clock("epoch"), "nan"),
        (Clock("epoch"), "1e5"),
        (Clock("epoch"), "9" * 18),
        (Clock("epoch_ns"), "9" * 30),
        (Clock("%Y", BERLIN), "26"),
    ],
)
def test_what_is_no_time_is_none_among_those_that_are(clock: Clock, text: str) -> None:
    good = {"iso": "2026-01-02T03:04:05Z", "%Y": "2026"}.get(clock.form, "1767323045")
    found = read(clock, good, text, None, good)
    assert found[1] is found[2] is None
    assert found[0] == found[3] is not None
    assert clock.why(text)[0] == "time_invalid"


def test_timestamps_need_a_zone_of_their_own_or_a_stated_one() -> None:
    naive = pa.array([datetime(2026, 7, 1, 12)])  # noqa: DTZ001
    assert Clock(zone=BERLIN).read(naive).tolist() == [datetime(2026, 7, 1, 10)]  # noqa: DTZ001
    with pytest.raises(ClockError, match="time-zone"):
        Clock().read(naive)
    with pytest.raises(ClockError, match="time-format"):
        Clock().read(pa.array([1_767_323_045]))
    with pytest.raises(ClockError, match="time-zone"):
        Clock("%Y").read(pa.array(["2026"]))
