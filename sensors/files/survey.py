"""What is in a file: counted and written nowhere. Pure, but for the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from sensors.files.layout import Layout
from sensors.files.parts import Part, Place, parts_of
from sensors.files.sources import Source
from sensors.formats import Batch
from sensors.series import TimeArray


@dataclass(slots=True)
class Survey:
    """Counts over the parts of a file. latest: a reading after it lies in the future."""

    latest: np.datetime64
    rows: int = 0
    well_formed: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    sensors: Counter[str] = field(default_factory=Counter)
    first: np.datetime64 | None = None
    last: np.datetime64 | None = None

    def look(self, source: Source, layout: Layout, *, batch_rows: int) -> Iterator[Part]:
        """Each part once it is counted. Raises FileError as `parts_of` does."""
        for part in parts_of(source, layout, start=Place(), batch_rows=batch_rows):
            self._add(part.batch)
            self.rows = part.end.rows
            yield part

    def _add(self, batch: Batch) -> None:
        is_ahead = batch.times > self.latest
        self.rejected.update(rejected.code for rejected in batch.rejected)
        if is_ahead.any():
            self.rejected["time_in_future"] += int(is_ahead.sum())
        self.well_formed += int((~is_ahead).sum())
        codes = batch.sensor.codes[~is_ahead]
        counts = np.bincount(codes, minlength=len(batch.sensor.names)).tolist()
        self.sensors.update(dict(zip(batch.sensor.names, counts, strict=True)))
        self._widen(batch.times[~is_ahead])

    def _widen(self, times: TimeArray) -> None:
        if len(times):
            ends = [times.min(), times.max(), *(at for at in (self.first, self.last) if at)]
            self.first, self.last = min(ends), max(ends)
