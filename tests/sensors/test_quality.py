"""Quality: a weighted mean of what is known, with its reasons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sensors.quality import Evidence, Flag, Quality, judge, reasons

UNKNOWN = np.array([np.nan])
NO, YES = np.array([False]), np.array([True])
PLAIN = Evidence(
    values=np.array([20.0]),
    sensor=np.array([0]),
    has_wrong_unit=NO,
    physical_min=np.array([-50.0]),
    physical_max=np.array([100.0]),
    shown_min=UNKNOWN,
    shown_max=UNKNOWN,
    age_s=np.array([1.0]),
    interval_s=UNKNOWN,
    reported=UNKNOWN,
    is_backfill=NO,
)


def of(**known: object) -> tuple[float, Flag]:
    found = judge(replace(PLAIN, **known))  # type: ignore[arg-type]
    return round(float(found.score[0]), 3), Flag(int(found.flags[0]))


def test_a_reading_with_nothing_against_it_is_worth_1() -> None:
    assert of() == (1.0, Flag(0))


def test_negative_values_are_ordinary() -> None:
    assert of(values=np.array([-40.0])) == (1.0, Flag(0))


def test_outside_the_physical_limits_is_kept_but_marked() -> None:
    assert of(values=np.array([101.0])) == (0.5, Flag.NOT_PHYSICAL)
    assert of(values=np.array([-51.0])) == (0.5, Flag.NOT_PHYSICAL)


def test_a_wrong_unit_on_top_leaves_nothing() -> None:
    score, flags = of(values=np.array([101.0]), has_wrong_unit=YES)
    assert score == 0.0
    assert flags == Flag.NOT_PHYSICAL | Flag.UNIT_MISMATCH


def test_a_device_that_says_0_is_below_one_half() -> None:
    score, flags = of(reported=np.array([0.0]))
    assert score < 0.5
    assert flags == Flag.REPORTED_LOW


@pytest.mark.parametrize(
    ("value", "is_far"), [(30.0, False), (34.9, False), (35.1, True), (4.9, True)]
)
def test_far_from_what_was_shown_lowers_a_little(value: float, is_far: bool) -> None:
    shown = {"shown_min": np.array([10.0]), "shown_max": np.array([30.0])}
    margin_min = {"shown_min": np.array([15.0]), "shown_max": np.array([25.0])}
    score, flags = of(values=np.array([value]), **(margin_min if is_far else shown))
    assert (flags == Flag.UNUSUAL) == is_far
    assert (score < 1.0) == is_far
    assert score > 0.8


def test_late_readings_lose_the_freshness() -> None:
    minute = np.array([60.0])
    assert of(age_s=np.array([100.0]), interval_s=minute)[0] == 1.0
    score, flags = of(age_s=np.array([3600.0]), interval_s=minute)
    assert flags == Flag.STALE
    assert score == round(0.4 / 0.45, 3)


def test_age_is_neutral_for_backfill() -> None:
    late = {"age_s": np.array([1e9]), "interval_s": np.array([60.0])}
    assert of(**late, is_backfill=YES) == (1.0, Flag.BACKFILL)


def test_acceptance_does_not_depend_on_when_a_reading_came() -> None:
    fresh = judge(PLAIN)
    late = judge(
        replace(
            PLAIN,
            age_s=np.array([1e6]),
            interval_s=np.array([1.0]),
            shown_min=np.array([0.0]),
            shown_max=np.array([1.0]),
        )
    )
    assert late.score[0] < fresh.score[0]
    assert late.intrinsic[0] == fresh.intrinsic[0]


def test_every_flag_has_its_words() -> None:
    everything = sum(Flag)
    assert len(reasons(everything)) == len(Flag)


numbers = st.floats(-1e100, 1e100) | st.just(np.nan)


@given(st.floats(-1e100, 1e100), numbers, numbers, numbers, st.floats(0, 1) | st.just(np.nan))
@example(0.0, np.nan, np.nan, 1e-310, np.nan)
def test_quality_is_always_a_number_from_0_to_1(
    value: float, low: float, high: float, interval: float, reported: float
) -> None:
    found: Quality = judge(
        replace(
            PLAIN,
            values=np.array([value]),
            physical_min=np.array([low]),
            physical_max=np.array([high]),
            shown_min=np.array([low]),
            shown_max=np.array([high]),
            interval_s=np.array([abs(interval) or np.nan]),
            reported=np.array([reported]),
        )
    )
    assert 0 <= found.score[0] <= 1
    assert 0 <= found.intrinsic[0] <= 1
