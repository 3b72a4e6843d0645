"""What is computed for many rows at once is what each has by itself."""

from __future__ import annotations

import numpy as np
import pytest

from anomalies.familiar.lately import noises_of, windows_at
from anomalies.stretch import Limits, Stretch
from mlops.windows import CONTEXT_ROWS
from sensors.series import FloatArray, Series


def walk(n: int) -> FloatArray:
    rng = np.random.default_rng(5)
    values = np.cumsum(rng.normal(0, 1, n)).round(1)
    values[n // 2 : n // 2 + CONTEXT_ROWS + 9] = 4.0  # a context in which it stands still
    return values


def noise_by_itself(before: FloatArray) -> float:
    if not len(before):
        return 0.0
    steps = np.abs(np.diff(before))
    moving = steps[steps > 0]
    if not len(moving):
        return 1e-3 * abs(float(before[-1])) + 1e-9
    return float(max(1.4826 / np.sqrt(2) * np.median(steps), moving.min() / 2))


def test_noise_is_the_median_step_of_the_context_before_a_row_to_the_bit() -> None:
    values = walk(4_000)
    at = np.concatenate([np.arange(6), np.arange(600, 4_000, 37)])
    expected = [noise_by_itself(values[max(0, row - CONTEXT_ROWS) : row]) for row in at]
    assert noises_of(values, at).tolist() == expected


@pytest.mark.parametrize("step", [10, 3_600])
def test_a_window_is_the_hour_that_ends_with_its_row(step: int) -> None:
    values = walk(2_000)
    times = np.datetime64("2026-01-05", "us") + np.arange(2_000) * np.timedelta64(step, "s")
    stretch = Stretch(Series(times, values, np.ones(2_000)), 0, Limits())
    at = np.array([0, 5, 700, 1_999])
    for row, window in zip(at.tolist(), windows_at(stretch, at), strict=True):
        own = values[max(0, row + 1 - 3_600 // step) : row + 1]
        assert (window.low, window.high, window.mean) == (own.min(), own.max(), own.mean())
        assert window.rows == len(own)
        assert window.hour == 490_992 + row * step // 3_600
