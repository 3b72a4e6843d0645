"""Detectors that fold over a stream: exact prefixes, bounded memory, one meaning of a score."""

import importlib
import inspect
import pkgutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops.detectors import streaming
from mlops.detectors.base import ALARM_LEVEL, score_of_rarity
from mlops.detectors.streaming import novelty, peaks, rarity
from mlops.detectors.streaming.alarm import ROWS_A_WARMUP, Alarm, score_of
from mlops.detectors.streaming.asset import Asset, EachSensor
from mlops.detectors.streaming.contract import State, dumped, loaded
from mlops.detectors.streaming.core import DEFAULT_VIEWS, Core, Judged, Views
from mlops.detectors.streaming.joint import LASTING, JointFold
from sensors.generator import normal

START = np.datetime64("2026-01-01T00:00", "us")
STEP = np.timedelta64(600, "s")
ONE_VIEW = tuple(replace(view, voice=1.0) for view in DEFAULT_VIEWS)
Detector = Core | EachSensor | Asset
DETECTORS: dict[str, Callable[[], Detector]] = {
    "core": lambda: Core(Alarm(warmup=100)),
    "each sensor": lambda: EachSensor(("a", "b"), Alarm(warmup=100)),
    "asset": lambda: Asset(("a", "b"), Alarm(warmup=100)),
    **{view.fold.name: partial(Core, Alarm(warmup=100), Views((view,))) for view in ONE_VIEW},
}


def times_of(rows: int) -> np.ndarray:
    return START + np.arange(rows) * STEP


def stream(rows: int, *, seed: int = 1) -> np.ndarray:
    """A day's course with noise, some gaps, a stuck stretch, a level change and spikes."""
    rng = np.random.default_rng(seed)
    values = 50 + 5 * np.sin(np.arange(rows) * 2 * np.pi / 144) + rng.normal(0, 0.5, rows)
    values[rows // 2 : rows // 2 + 20] = values[rows // 2]
    values[3 * rows // 4 :] += 3
    values[rng.integers(0, rows, 5)] += 30
    values[rng.integers(0, rows, rows // 50)] = np.nan
    return values


def values_for(name: str, rows: int) -> np.ndarray:
    one = stream(rows)
    is_asset = name in {"each sensor", "asset"}
    return np.column_stack([one, stream(rows, seed=2)]) if is_asset else one


def whole(detector: Detector, values: np.ndarray) -> Judged:
    return detector.fold(detector.start(), times_of(len(values)), values)[1]


def classes_with(method: str) -> Iterator[type]:
    """Of the package of streaming detectors, without protocols."""
    for module in pkgutil.iter_modules(streaming.__path__, f"{streaming.__name__}."):
        for each in vars(importlib.import_module(module.name)).values():
            is_protocol = getattr(each, "_is_protocol", False)
            if inspect.isfunction(getattr(each, method, None)) and not is_protocol:
                yield each


def test_no_detector_and_no_view_is_left_out_of_these_tests():
    tested = {type(make()) for make in DETECTORS.values()} | {JointFold}  # a part of Asset
    assert set(classes_with("fold")) - {Views} == tested
    assert set(classes_with("advance")) == {type(view.fold) for view in DEFAULT_VIEWS}


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("cut", [1, 99, 101, 640, 1_399])
def test_what_comes_later_changes_no_bit(name: str, cut: int):
    values = values_for(name, 1_500)
    all_of_it, before = whole(DETECTORS[name](), values), whole(DETECTORS[name](), values[:cut])
    np.testing.assert_array_equal(before.scores, all_of_it.scores[:cut])
    np.testing.assert_array_equal(before.rarities, all_of_it.rarities[:cut])


@pytest.mark.parametrize("name", DETECTORS)
def test_a_state_saved_between_any_readings_goes_on_to_the_bit(name: str):
    detector, values = DETECTORS[name](), values_for(name, 900)
    expected = whole(detector, values)
    state, scores = detector.start(), []
    for begin, end in ((0, 0), (0, 1), (1, 2), (2, 300), (300, 301), (301, 900)):
        state = loaded(dumped(state))
        state, judged = detector.fold(state, times_of(900)[begin:end], values[begin:end])
        scores.append(judged.scores)
    np.testing.assert_array_equal(np.concatenate(scores), expected.scores)


@pytest.mark.parametrize("name", DETECTORS)
def test_folding_leaves_the_given_state_as_it_was(name: str):
    detector, values = DETECTORS[name](), values_for(name, 400)
    state, _ = detector.fold(detector.start(), times_of(400)[:200], values[:200])
    before = dumped(state)
    detector.fold(state, times_of(400)[200:], values[200:])
    assert dumped(state) == before


@pytest.mark.parametrize("name", DETECTORS)
def test_memory_does_not_grow(name: str):
    detector = DETECTORS[name]()
    values = values_for(name, 20_000)
    values[~np.isnan(values)] += np.random.default_rng(3).normal(size=(~np.isnan(values)).sum())

    def size(state: State) -> int:
        return sum(array.nbytes for array in state.values())

    begun = detector.start()
    state, _ = detector.fold(begun, times_of(20_000), values)
    assert size(state) == size(begun)
    assert {k: v.shape for k, v in state.items()} == {k: v.shape for k, v in begun.items()}


@pytest.mark.parametrize("name", DETECTORS)
def test_every_view_is_named(name: str):
    detector = DETECTORS[name]()
    judged = whole(detector, values_for(name, 50))
    assert judged.rarities.shape == (50, len(detector.features_))


def test_a_constant_stream_never_alarms_and_the_first_change_does():
    values = np.full(2_000, 7.0)
    assert not whole(Core(), values).alarms.any()
    values[1_500] = 7.5
    assert np.flatnonzero(whole(Core(), values).alarms).tolist() == [1_500]


def test_gaps_score_nothing_and_are_not_learnt_from():
    values = stream(800)
    values = values[~np.isnan(values)]
    with_gaps = np.insert(values, 300, [np.nan] * 50)
    judged = whole(Core(), with_gaps)
    assert (judged.scores[300:350] == 0).all()
    # Times aside: views that know the time of day see the same readings later.
    plain = novelty.distances(novelty.start(), values)
    assert (novelty.distances(novelty.start(), with_gaps[~np.isnan(with_gaps)]) == plain).all()


def test_a_stream_of_gaps_alone_scores_nothing():
    assert (whole(Core(), np.full(100, np.nan)).scores == 0).all()
    assert len(whole(Core(), np.zeros(0)).scores) == 0


def test_the_largest_numbers_there_are_do_not_break_it():
    values = stream(1_000)
    values[[200, 400, 600]] = [1e308, -1e308, 5e-324]
    judged = whole(Core(), values)
    assert np.isfinite(judged.rarities).all()
    assert ((judged.scores >= 0) & (judged.scores <= 1)).all()


def test_nothing_alarms_while_warming_up():
    values = stream(500)
    values[399] = 1_000.0
    assert (whole(Core(Alarm(warmup=400)), values).scores[:400] == 0).all()


@settings(max_examples=40, deadline=None)
@given(
    scale=st.floats(1e-6, 1e6),
    shift=st.floats(-1e3, 1e3),
    seed=st.integers(0, 9),
    flip=st.booleans(),
)
def test_a_value_is_as_novel_in_any_unit(scale: float, shift: float, seed: int, flip: bool):
    values = np.random.default_rng(seed).normal(size=200)
    there = (values + shift) * (-scale if flip else scale)
    before, after = (novelty.distances(novelty.start(), each) for each in (values, there))
    np.testing.assert_allclose(after, before * scale, rtol=1e-6, atol=scale * 1e-9)


def test_the_distance_is_to_the_nearest_value_of_the_past():
    values = np.random.default_rng(0).normal(size=300)
    found = novelty.distances(novelty.start(), values)
    expected = [0.0, *(np.abs(values[:i] - values[i]).min() for i in range(1, 300))]
    np.testing.assert_array_equal(found, expected)


def test_full_memory_still_knows_every_value_to_within_its_reach():
    values = np.random.default_rng(0).normal(size=5_000)
    state = novelty.start(1, 128)
    novelty.distances(state, values)
    again = novelty.distances(state, values.copy())
    assert 0 < state["resolution"][0] <= state["reach"][0] < 0.5
    assert (again <= state["reach"][0]).all()


def test_a_tail_probability_is_the_share_of_past_distances_at_least_as_large():
    distances = np.random.default_rng(0).exponential(size=2_000)
    found = rarity.rarities(rarity.start(), distances)
    for row in (10, 500, 1_999):
        exact = np.log10((row + 1) / ((distances[:row] >= distances[row]).sum() + 1))
        assert exact - 0.1 < found[row] <= exact + 1e-12


def test_rarity_promises_what_it_says():
    """Of exchangeable distances, at most a share of 10**-r is of rarity r."""
    found = rarity.rarities(rarity.start(), np.random.default_rng(0).exponential(size=50_000))
    for level in (0.5, 1.0, 2.0, 3.0):
        assert (found >= level).mean() <= 10**-level * 1.2


def test_a_peak_is_above_all_rows_of_the_span_before_it():
    heights = np.random.default_rng(0).integers(0, 50, 2_000).astype(float)
    found = peaks.peaks(peaks.start(20), heights)
    expected = [(heights[max(0, i - 20) : i] < heights[i]).all() for i in range(2_000)]
    np.testing.assert_array_equal(found, expected)


def test_a_score_is_one_half_at_the_stated_rate_and_grows_with_rarity():
    rates = score_of(np.log10(600 / (ROWS_A_WARMUP * np.array([10, 1, 0.1]))), 600)
    assert rates[0] < ALARM_LEVEL < rates[2]
    assert rates[1] == pytest.approx(ALARM_LEVEL)


def test_healthy_noise_alarms_no_more_often_than_stated():
    alarms = sum(
        int(whole(Core(Alarm(500)), np.random.default_rng(seed).normal(size=5_500)).alarms.sum())
        for seed in range(10)
    )
    assert (
        alarms <= 10 * 10 * ROWS_A_WARMUP
    )  # streams, warm-ups in each after the first, alarms a warm-up


def best_seconds(call: Callable[[], object]) -> float:
    taken = []
    for _ in range(3):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def test_a_reading_costs_the_same_after_a_long_history():
    rng, core = np.random.default_rng(0), Core()
    young, _ = core.fold(core.start(), times_of(5_000), rng.normal(size=5_000))
    old, _ = core.fold(young, times_of(100_000), rng.normal(size=100_000))
    new = rng.normal(size=5_000)
    early = best_seconds(lambda: core.fold(young, times_of(5_000), new))
    late = best_seconds(lambda: core.fold(old, times_of(5_000), new))
    assert late < 3 * early


@pytest.mark.parametrize("name", DETECTORS)
def test_the_parts_of_a_score_sum_to_one(name: str):
    detector = DETECTORS[name]()
    judged = whole(detector, values_for(name, 900))
    parts = detector.contributions(judged)
    assert parts.shape == (900, len(detector.features_))
    assert (parts >= 0).all()
    np.testing.assert_allclose(parts.sum(axis=1), 1.0)


def test_a_jump_between_usual_values_is_owed_to_the_step_and_a_new_value_to_the_value():
    values = 50 + 10 * np.sin(np.arange(4_000) * 2 * np.pi / 144)
    values += np.random.default_rng(0).normal(0, 0.3, 4_000)
    values[2_500], values[3_500] = 100.0 - values[2_500] + 1, 500.0
    core = Core()
    judged = whole(core, values)
    first = core.features_
    owed_to = [first[part] for part in core.contributions(judged).argmax(axis=1)]
    assert owed_to[3_500] == "value"
    assert owed_to[2_500] in {"step", "shape"}


def test_the_sensor_that_moved_has_the_whole_of_an_assets_score():
    values = np.random.default_rng(0).normal(size=(900, 2))
    values[800, 1] = 40.0
    detector = EachSensor(("a", "b"))
    parts = detector.contributions(whole(detector, values))[800]
    owed_to = {name for name, part in zip(detector.features_, parts, strict=True) if part > 0}
    assert {name.partition(".")[0] for name in owed_to} == {"b"}


def test_after_years_a_fault_is_still_found_and_memory_no_longer_coarsens():
    """Two years, a reading every ten minutes: what was learnt does not blind the detector."""
    rows = 105_000
    times = times_of(rows + 10)
    values = normal("vibration", times, np.random.default_rng(101))
    core = Core()
    half, _ = core.fold(core.start(), times[: rows // 2], values[: rows // 2])
    state, later = core.fold(half, times[rows // 2 : rows], values[rows // 2 : rows])
    coarse = [each["views.shape.past.points.resolution"][0] for each in (half, state)]
    assert coarse[1] <= 2 * coarse[0]
    assert later.alarms.sum() <= ROWS_A_WARMUP * len(later.scores) / 600
    values[rows] = values.max() + np.ptp(values) / 2
    assert core.fold(state, times[rows:], values[rows:])[1].alarms[0]


def machine(rows: int, seed: int = 0) -> np.ndarray:
    """Three sensors that share a load."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, 1)) + rng.normal(size=(rows, 3))


def test_a_change_of_a_machine_is_an_alarm_while_it_lasts_and_then_how_it_runs():
    asset = Asset(("a", "b", "c"), Alarm(400))
    values = machine(3_500)
    values[1_000:] += [2.0, -2.0, 0.0]
    alarms, lasting = whole(asset, values).alarms, LASTING * 400
    assert alarms[:1_000].mean() < 0.05
    assert alarms[1_020 : 990 + lasting].mean() > 0.95
    assert alarms[1_100 + lasting :].mean() < 0.1


def test_a_machine_that_was_repaired_is_usual_at_once():
    asset = Asset(("a", "b", "c"), Alarm(400))
    values = machine(1_600)
    values[800:1_100] += [2.0, -2.0, 0.0]
    alarms = whole(asset, values).alarms
    assert alarms[820:1_100].mean() > 0.95
    assert alarms[1_240:].mean() < 0.1


@pytest.mark.parametrize("every_s", [1, 1_800])  # the latter long enough to learn the day
def test_a_machine_that_learns_again_does_so_to_the_bit_in_any_pieces(every_s):
    joint, values = JointFold(3, 400), machine(2_500)
    times = START + np.arange(2_500) * np.timedelta64(every_s, "s")
    values[600:] += [2.0, -2.0, 0.0]
    _, whole_of_it = joint.fold(joint.start(), times, values)
    state, found = joint.start(), []
    for begin, end in pairwise((0, 1, 400, 401, 1_199, 1_200, 1_403, 1_408, 2_500)):
        piece = slice(begin, end)
        state, rarities = joint.fold(loaded(dumped(state)), times[piece], values[piece])
        found.append(rarities)
    np.testing.assert_array_equal(np.concatenate(found), whole_of_it)
    for cut in (399, 402, 1_201, 1_405, 2_300):
        cut_short = joint.fold(joint.start(), times[:cut], values[:cut])[1]
        np.testing.assert_array_equal(cut_short, whole_of_it[:cut])


def test_what_a_machine_does_every_day_is_usual_and_is_told_with_what_was_seen():
    times = START + np.arange(3_000) * np.timedelta64(1_800, "s")
    day = np.sin(2 * np.pi * np.arange(3_000) / 48)[:, np.newaxis] * [5.0, -3.0, 0.0]
    values, joint = machine(3_000), JointFold(3, 400)
    values[2_900:, 0] += 4.0
    _, flat = joint.judge(joint.start(), times, values)
    _, daily = joint.judge(joint.start(), times, values + day)
    quiet, changed = slice(400, 2_900), slice(2_920, 3_000)
    assert (score_of_rarity(daily.parts.sum(axis=1))[quiet] >= 0.5).mean() < 0.01
    assert (score_of_rarity(daily.parts.sum(axis=1))[changed] >= 0.5).mean() > 0.9
    seen, without = daily.tell(2_950), flat.tell(2_950)
    last_mean = day[2_950 - joint.window_rows + 1 : 2_951].mean(axis=0)
    np.testing.assert_allclose(seen.observed, without.observed + last_mean, atol=1e-9)
    assert seen.low[0] < seen.high[0] < seen.observed[0]


def test_a_sensor_that_says_nothing_leaves_the_others_to_be_judged():
    asset = Asset(("a", "b", "c"), Alarm(200))
    values = machine(1_000)
    values[:, 2] = np.nan
    values[600:] += [2.0, -2.0, 0.0]
    judged = whole(asset, values)
    assert judged.alarms[640:].mean() > 0.95
    parts = asset.contributions(judged)[800]
    owed_to = {name for name, part in zip(asset.features_, parts, strict=True) if part > 0}
    assert owed_to == {"a.joint", "b.joint"}
