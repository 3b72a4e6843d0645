"""Floors under the quality of the streaming detectors, on public data and on injected faults."""

from pathlib import Path

import numpy as np
import pytest

from anomalies import tables
from anomalies.backtest import scores_of
from bench.demo_quality import UNTIL, evaluation_of
from bench.labelled import Windows, as_streams, by_row, experiments, pointwise
from mlops.detectors.base import ALARM_LEVEL
from mlops.detectors.streaming.alarm import Alarm
from mlops.detectors.streaming.core import Core
from mlops.windows_score import PROFILES, Stream, best_score, score_at
from sensors.generator import RANGES, generate, normal

DATA = Path(__file__).parents[2].parent / "shared" / "data"
WARMUP, ROWS, AT = 600, 4_000, 3_000
STEP = np.timedelta64(600, "s")


@pytest.fixture(scope="module")
def judged() -> list[Stream]:
    folder = DATA / "nab"
    if not (folder / "windows.json").exists():
        pytest.skip(f"the labelled windows are not at {folder}: no floor under the quality is kept")
    return as_streams(Windows(folder).judged())


@pytest.mark.parametrize(("profile", "floor"), list(zip(PROFILES, (71.5, 66.0, 76.5), strict=True)))
def test_labelled_windows_are_found_early_at_the_best_level(judged, profile, floor):
    assert best_score(judged, profile)[0] >= floor


def test_labelled_windows_are_found_early_at_the_shipped_level(judged):
    assert score_at(judged, ALARM_LEVEL, PROFILES[0]) >= 70


def test_faults_of_a_machine_are_found_at_the_shipped_level():
    folder = DATA / "skab"
    if not folder.is_dir():
        pytest.skip(f"the experiments are not at {folder}: no floor under the quality is kept")
    scores, labels = by_row(experiments(folder))
    found = pointwise(scores, labels, ALARM_LEVEL)
    assert found.f1 >= 0.78
    assert found.false_share <= 0.30


def test_a_bearing_that_fails_is_found_days_before_and_run_in_is_no_fault():
    path = DATA / "ims_bearing" / "test2_mean_abs.csv.gz"
    if not path.exists():
        pytest.skip(f"the run to failure is not at {path}: no floor under the quality is kept")
    table = tables.read(path)
    alarms = scores_of(table, warmup=int(0.15 * len(table))) >= ALARM_LEVEL
    half = len(table) // 2
    hours = (table.times[-1] - table.times[half:][alarms[half:]][0]) / np.timedelta64(1, "h")
    assert hours >= 60
    assert not alarms[:half].any()


def healthy(kind: str) -> tuple[np.ndarray, np.ndarray]:
    times = np.datetime64("2026-01-05", "us") + np.arange(ROWS) * STEP
    return times, normal(kind, times, np.random.default_rng(101))


def alarms_of(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    core = Core(Alarm(WARMUP))
    return np.flatnonzero(core.fold(core.start(), times, values)[1].alarms)


@pytest.mark.parametrize("kind", RANGES)
def test_a_value_never_seen_alarms_at_once(kind: str):
    times, values = healthy(kind)
    values[AT] = values[:AT].max() + 0.5 * np.ptp(values[:AT])
    assert AT in alarms_of(times, values)


@pytest.mark.parametrize("kind", RANGES)
def test_a_usual_value_at_an_unusual_place_alarms(kind: str):
    """A jump across the whole range and back: no value is new, the way there is."""
    times, values = healthy(kind)
    lowest, highest = values[:AT].min(), values[:AT].max()
    is_low = values[AT - 1] < (lowest + highest) / 2
    values[AT] = highest if is_low else lowest
    assert set(alarms_of(times, values)) & {AT, AT + 1}


def test_healthy_sensors_hardly_ever_alarm():
    warmups = len(RANGES) * (ROWS - WARMUP) / WARMUP
    assert sum(len(alarms_of(*healthy(kind))) for kind in RANGES) <= 0.5 * warmups


@pytest.mark.parametrize("judge", ["tails", "local", "statistical"])
def test_faults_of_a_generated_fleet_are_found_by_every_rung(judge: str):
    """Seed 103 was seen in development; the page of quality has those that were not. Of one fleet a
    precision of 0.95 comes out as 0.95 ± 0.05."""
    score = evaluation_of(generate(103, UNTIL), judge).overall()
    assert score.recall >= 0.9
    assert score.precision >= 0.85
