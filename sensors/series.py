"""One sensor's readings as columns, oldest first, as they leave the database. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
TimeArray = NDArray[np.datetime64]
# Nothing was measured before; years further back overflow the arithmetic of those who read them.
EARLIEST_DATETIME = datetime(1900, 1, 1, tzinfo=UTC)


def to_datetime64(time: datetime) -> np.datetime64:
    """An aware datetime as UTC datetime64[us].

    >>> to_datetime64(datetime(2026, 1, 2, tzinfo=UTC))
    np.datetime64('2026-01-02T00:00:00.000000')
    """
    return np.datetime64(time.astimezone(UTC).replace(tzinfo=None), "us")


def to_datetime(time: np.datetime64) -> datetime:
    """A UTC datetime64 as an aware datetime.

    >>> to_datetime(np.datetime64("2026-01-02T00:00:00.5"))
    datetime.datetime(2026, 1, 2, 0, 0, 0, 500000, tzinfo=datetime.timezone.utc)
    """
    moment: datetime = time.astype("datetime64[us]").item()
    return moment.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Series:
    """times: datetime64[us] in UTC, strictly increasing; values: float64 in the sensor's unit;
    quality: float64 in 0..1. All of shape (n,)."""

    times: TimeArray
    values: FloatArray
    quality: FloatArray

    @classmethod
    def of(cls, rows: Iterable[tuple[datetime, float, float]]) -> Series:
        """Columns from (time, value, quality) rows, in the order they come."""
        columns = list(zip(*rows, strict=True)) or [(), (), ()]
        times = np.array([t.replace(tzinfo=None) for t in columns[0]], dtype="datetime64[us]")
        return cls(times, np.array(columns[1], dtype=float), np.array(columns[2], dtype=float))

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, rows: slice) -> Series:
        return Series(self.times[rows], self.values[rows], self.quality[rows])

    def reversed(self) -> Series:
        return self[::-1]

    @staticmethod
    def concatenate(parts: Iterable[Series]) -> Series:
        found = list(parts)
        return Series(
            np.concatenate([part.times for part in found]),
            np.concatenate([part.values for part in found]),
            np.concatenate([part.quality for part in found]),
        )
