"""Generated sensors that go on for ever: what `simulate` streams. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sensors.generator import FAULTS, RANGES, Behaviour, Plan, Stream, draw_behaviour
from sensors.generator.fleet import labelled_stream
from sensors.generator.rows import Row, sent_rows

BLOCK_READINGS = 2_000
_READINGS_PER_FAULT = 160  # room for the longest fault and the way to the next


@dataclass(frozen=True, slots=True)
class Simulation:
    """`sensors` sensors, kinds in turn, that send one reading each every interval_s seconds.

    fault_every_s: mean seconds between faults over all sensors; 0 is none.
    """

    sensors: int
    interval_s: float
    seed: int
    fault_every_s: float = 0.0

    def rows(self, start: np.datetime64) -> Iterator[tuple[np.datetime64, Row]]:
        """Endless: (when it is sent, row), in the order of sending, from `start` on."""
        behaviours = [self._behaviour(i) for i in range(self.sensors)]
        block_s = np.timedelta64(round(BLOCK_READINGS * self.interval_s * 1e3), "ms")
        block = 0
        while True:
            until = start + block_s * (block + 1)
            streams = [self._stream(i, b, block, until, start) for i, b in enumerate(behaviours)]
            yield from sent_rows(streams, history=True, held_back=True)
            block += 1

    def _behaviour(self, sensor: int) -> Behaviour:
        rng = np.random.default_rng([self.seed, sensor])
        return draw_behaviour(list(RANGES)[sensor % len(RANGES)], rng)

    def _stream(
        self,
        sensor: int,
        behaviour: Behaviour,
        block: int,
        until: np.datetime64,
        day: np.datetime64,
    ) -> Stream:
        rng = np.random.default_rng([self.seed, sensor, block])
        return labelled_stream(
            behaviour.kind,
            self._sorts(rng),
            until=until,
            rng=rng,
            plan=Plan(slots=BLOCK_READINGS, history=0, interval_s=self.interval_s),
            place=("simulated", f"simulated-{sensor + 1:04}"),
            behaviour=behaviour,
            day_start=day,
        )

    def _sorts(self, rng: np.random.Generator) -> list[str]:
        """The faults of a sensor in a block: as many as the rate asks for and as have room."""
        if not self.fault_every_s:
            return []
        mean = BLOCK_READINGS * self.interval_s / (self.fault_every_s * self.sensors)
        count = min(int(rng.poisson(mean)), BLOCK_READINGS // _READINGS_PER_FAULT)
        return [str(sort) for sort in rng.choice(list(FAULTS), count)]
