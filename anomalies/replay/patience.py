"""Whose silence would be found by now: so the watch need not look at each step.

The watch asks the same of all sensors; here it is known from the readings that came when it would
find something. What it then raises is its own affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from anomalies import silence
from anomalies.silence import SilencePolicy
from sensors import rhythms
from sensors.rhythm import rhythm_of
from sensors.series import TimeArray, to_datetime

NEVER = np.datetime64("9999-12-31", "us")


class Patience:
    """sensors: by number, in order; stated_s: the interval that a person stated, where one did."""

    def __init__(
        self,
        sensors: NDArray[np.int64],
        stated_s: Mapping[int, float | None],
        policy: SilencePolicy,
    ) -> None:
        self._sensors, self._stated_s, self._policy = sensors, stated_s, policy
        self._floor = np.timedelta64(timedelta(seconds=policy.floor_s))
        self._known = np.full(len(sensors), NEVER)  # up to which reading it ends is known
        self._ends = np.full(len(sensors), NEVER)

    def overdue(self, newest: TimeArray, now: np.datetime64) -> list[tuple[int, np.datetime64]]:
        """Sensors that were waited for long enough by `now`, each with its newest reading.

        newest: of each sensor, shape (n,). Nobody's patience is shorter than the floor, so hardly
        any sensor is looked at closely.
        """
        quiet = np.flatnonzero(now - newest > self._floor)
        self._look_at([at for at in quiet.tolist() if self._known[at] != newest[at]], newest)
        late = quiet[self._ends[quiet] < now].tolist()
        return [(int(self._sensors[at]), newest[at]) for at in late]

    def _look_at(self, places: Iterable[int], newest: TimeArray) -> None:
        """When the patience with these ends, by the readings up to their newest."""
        of = {int(self._sensors[at]): at for at in places}
        asked = [(pk, to_datetime(newest[at])) for pk, at in of.items()]
        for at in of.values():
            self._known[at], self._ends[at] = newest[at], NEVER
        for pk, window in rhythms.windows(asked):
            stated_s = self._stated_s[pk]
            expected = silence.expectation(rhythm_of(window.times), stated_s, self._policy)
            if expected is not None:
                waited = np.timedelta64(timedelta(seconds=expected.patience_s))
                self._ends[of[pk]] = newest[of[pk]] + waited
