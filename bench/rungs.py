"""Who judges in the bench of detection: champions that were fitted here, or the local rung.

Champions are fitted on the generated history of another seed and handed over in place of the
registry, so that its network is no part of the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from unittest.mock import patch

from anomalies import folding, regions
from anomalies.detection_policy import DetectionPolicy
from anomalies.scoring import context_rows, score_stretches
from anomalies.stretch import Stretch
from bench.demo_quality import champion_of
from bench.readings import SEED, UNTIL
from mlops import serving
from mlops.detectors.base import Detector
from mlops.serving import Champion, NoChampion
from sensors.generator import RANGES, generate
from sensors.models import Reading, Sensor

POLICY = DetectionPolicy()

Groups = Mapping[str, Sequence[Stretch]]  # by kind


@dataclass(frozen=True, slots=True)
class Rung:
    """The champion of each kind, or without any the local rung."""

    name: str
    champions: dict[str, Detector] = field(default_factory=dict)

    def serves(self) -> AbstractContextManager[object]:
        """This rung instead of what the registry says."""

        def champions_for(sensors: Sequence[tuple[int, str]]) -> dict[int, Champion | NoChampion]:
            return {pk: self._of(kind) for pk, kind in sensors}

        return patch.object(serving, "champions_for", champions_for)

    def bare(self, groups: Groups) -> None:
        """The computation alone, grouped by kind as the agent groups it; the core included."""
        for kind, stretches in groups.items():
            score_stretches(stretches, self.champions.get(kind), POLICY)
            for one in stretches:
                folding.fold(folding.beginning(), one.series[one.first :])

    def _of(self, kind: str) -> Champion | NoChampion:
        if kind not in self.champions:
            return NoChampion("none here", expected=False)
        return Champion(f"anomaly-{kind}", 1, self.champions[kind])


LOCAL = Rung("local")


def champions(name: str) -> Rung:
    """One of CANDIDATES as the champion of each kind, as what loads models hands it out."""
    fleet = generate(SEED + 1, UNTIL)
    fitted = {
        kind: champion_of([stream for stream in fleet.streams if stream.kind == kind], name)
        for kind in RANGES
    }
    return Rung(name, {kind: one.in_arrays() or one for kind, one in fitted.items()})


def whole(sensors: Sequence[Sensor]) -> dict[str, list[Stretch]]:
    """All that is stored of these sensors, to be scored from the first reading on."""
    groups: dict[str, list[Stretch]] = {}
    for sensor in sensors:
        stretch = Stretch(Reading.objects.series(sensor.pk), 0, regions.limits_of(sensor))
        groups.setdefault(sensor.kind, []).append(stretch)
    return groups


def newest(sensor: Sensor, rung: Rung, rows: int) -> Stretch:
    """Its last readings, with what their scores depend on before them."""
    context = context_rows(POLICY, champion=bool(rung.champions))
    block = 6 * POLICY.local_block_hours  # readings of the local model's block, ten minutes apart
    series = Reading.objects.series(sensor.pk)[-(rows + context + block) :]
    return Stretch(series, len(series) - rows, regions.limits_of(sensor))


def rows_of(groups: Groups) -> int:
    return sum(len(s.times) for stretches in groups.values() for s in stretches)
