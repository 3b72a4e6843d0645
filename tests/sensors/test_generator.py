"""The generator: what is healthy stays within its range, what is faulty is really there."""

import numpy as np
import pytest

from sensors.generator import (
    FAULTS,
    LAYOUT,
    RANGES,
    Scales,
    draw_behaviour,
    generate,
    grid,
    inject,
    labelled_stream,
    normal,
    normal_values,
)
from sensors.generator.fleet import DEFAULT_PLAN, Plan, Stream
from sensors.generator.physics import RESOLUTION

UNTIL = np.datetime64("2026-05-04T12:00:00", "us")
INTERVAL = np.timedelta64(10, "m")
SCALES = Scales(noise=1.0, spread=3.0, interval=INTERVAL)
SEEDS = range(100, 106)


def _healthy(kind: str, seed: int) -> Stream:
    return labelled_stream(kind, (), until=UNTIL, rng=np.random.default_rng(seed))


def _faulty(kind: str, sort: str, seed: int) -> Stream:
    return labelled_stream(kind, (sort,), until=UNTIL, rng=np.random.default_rng(seed))


def _injected(sort: str, size: float, readings: int = 30, seed: int = 100):
    rng = np.random.default_rng(seed)
    times, values = grid(UNTIL, 200, INTERVAL, rng), rng.normal(50, 1, 200)
    done = inject(
        times, values, sort=sort, first=100, readings=readings, size=size, scales=SCALES, rng=rng
    )
    return times, values, done


def test_a_seed_gives_the_same_fleet_again():
    first, again = generate(104, UNTIL), generate(104, UNTIL)
    assert first.faults == again.faults
    for one, other in zip(first.streams, again.streams, strict=True):
        np.testing.assert_array_equal(one.times, other.times)
        np.testing.assert_array_equal(one.values, other.values)


def test_another_seed_gives_another_fleet():
    one, other = generate(104, UNTIL).streams[0], generate(105, UNTIL).streams[0]
    assert not np.array_equal(one.values[:100], other.values[:100])


def test_the_end_of_the_timeline_moves_it_and_changes_nothing_else():
    later = np.timedelta64(7 * 3600 + 600, "s")
    one, other = generate(104, UNTIL), generate(104, UNTIL + later)
    for a, b in zip(one.streams, other.streams, strict=True):
        np.testing.assert_array_equal(a.times + later, b.times)
        np.testing.assert_array_equal(a.values, b.values)
    assert other.held_back_from - one.held_back_from == later


@pytest.mark.parametrize("kind", RANGES)
def test_healthy_readings_stay_within_the_range_of_their_kind(kind):
    low, high = RANGES[kind]
    for seed in range(100, 130):
        values = normal(kind, grid(UNTIL, 1000, INTERVAL, np.random.default_rng(0)), _rng(seed))
        assert low <= values.min()
        assert values.max() <= high


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("kind", RANGES)
def test_values_come_in_steps_of_the_instruments_resolution(kind):
    steps = _healthy(kind, 100).values / RESOLUTION[kind]
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)


@pytest.mark.parametrize("kind", RANGES)
def test_healthy_readings_spread_as_the_behaviour_says(kind):
    ratios = []
    for seed in range(100, 120):
        behaviour = draw_behaviour(kind, _rng(seed))
        times = grid(UNTIL, 144 * 20, INTERVAL, _rng(seed))
        ratios.append(normal_values(behaviour, times, _rng(seed)).std() / behaviour.spread)
    assert 0.75 < np.median(ratios) < 1.4


def test_no_readings_at_no_times():
    assert (
        len(normal_values(draw_behaviour("voltage", _rng(100)), np.empty(0, "M8[us]"), _rng(1)))
        == 0
    )


@pytest.mark.parametrize("sort", FAULTS)
def test_readings_before_and_after_a_fault_are_as_they_were(sort):
    times, values, done = _injected(sort, size=6.5)
    untouched = np.r_[0:100, 130:200]
    kept = untouched if sort != "dropout" else np.arange(170)
    np.testing.assert_array_equal(done.times[kept], times[untouched])
    np.testing.assert_array_equal(done.values[kept], values[untouched])


@pytest.mark.parametrize("sort", sorted(set(FAULTS) - {"dropout", "clock_error"}))
def test_faults_of_the_value_change_it_and_leave_the_times(sort):
    times, values, done = _injected(sort, size=6.5)
    np.testing.assert_array_equal(done.times, times)
    assert (done.values[100:130] != values[100:130]).sum() >= 29
    assert (done.start, done.end) == (times[100], times[129])


def test_a_spike_and_a_level_shift_are_as_far_off_as_they_say():
    for sort in ("spike", "level_shift"):
        _, values, done = _injected(sort, size=9.0)
        np.testing.assert_allclose(np.abs(done.values - values)[100:130], 9.0 * SCALES.noise)


def test_a_drift_ends_at_its_size_and_comes_there_in_a_straight_line():
    _, values, done = _injected("drift", size=3.0)
    away = np.abs(done.values - values)[100:130]
    assert away[-1] == pytest.approx(3.0 * SCALES.spread)
    np.testing.assert_allclose(np.diff(away), away[0])


def test_a_growing_vibration_grows_to_its_size():
    _, values, done = _injected("growing_vibration", size=8.0, readings=60)
    away = np.abs(done.values - values)[100:160]
    assert away[:15].max() < 3.0 < 6.0 < away[-15:].max() <= 8.0


def test_a_variance_burst_scatters_more():
    _, values, done = _injected("variance_burst", size=5.0, readings=36)
    assert 3.0 < np.std(done.values[100:136]) / np.std(values) < 8.0
    assert abs(np.mean(done.values[100:136]) - 50) < 3.0


def test_a_stuck_sensor_repeats_its_last_value():
    _, values, done = _injected("stuck_value", size=0.0)
    assert set(done.values[99:130]) == {values[99]}


def test_a_dropout_takes_readings_away_and_ends_with_the_first_that_comes_again():
    times, _, done = _injected("dropout", size=0.0)
    assert not np.isin(times[100:130], done.times).any()
    assert (done.start, done.end) == (times[100], times[130])
    assert done.end in done.times


def test_a_clock_error_moves_times_ahead_so_that_they_interleave():
    times, values, done = _injected("clock_error", size=6.5)
    np.testing.assert_array_equal(done.values, values)
    np.testing.assert_array_equal(done.times[100:130] - times[100:130], np.timedelta64(65, "m"))
    assert (np.diff(done.times) < np.timedelta64(0)).sum() == 1
    assert (done.start, done.end) == (done.times[100], done.times[129])


@pytest.mark.parametrize(("first", "readings"), [(0, 5), (190, 10)])
def test_a_fault_needs_a_reading_before_and_one_after(first, readings):
    times, values = grid(UNTIL, 200, INTERVAL, _rng(1)), np.zeros(200)
    with pytest.raises(IndexError, match="need a row before and after"):
        inject(
            times, values, sort="spike", first=first, readings=readings, size=9.0,
            scales=SCALES, rng=_rng(1),
        )  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_the_fleet_is_twenty_sensors_on_six_machines_of_two_sites(seed):
    streams = generate(seed, UNTIL).streams
    assert len({stream.sensor for stream in streams}) == 20
    assert len({(stream.site, stream.asset) for stream in streams}) == len(LAYOUT) == 6
    assert len({stream.site for stream in streams}) == 2
    assert {stream.kind for stream in streams} == set(RANGES)
    assert 20_000 <= sum(len(stream.times) for stream in streams) <= 20_600


@pytest.mark.parametrize("seed", SEEDS)
def test_every_sort_of_fault_is_there_on_several_kinds_and_some_sensors_stay_clean(seed):
    fleet = generate(seed, UNTIL)
    kinds = {stream.sensor: stream.kind for stream in fleet.streams}
    for sort in FAULTS:
        of_sort = [fault.sensor for fault in fleet.faults if fault.sort == sort]
        assert len(of_sort) >= 3
        assert len({kinds[sensor] for sensor in of_sort}) >= 2
    assert sum(not stream.faults for stream in fleet.streams) >= 3


@pytest.mark.parametrize("seed", SEEDS)
def test_faults_lie_in_the_held_back_period_far_apart_on_each_sensor(seed):
    fleet = generate(seed, UNTIL)
    for stream in fleet.streams:
        times, _ = stream.in_event_order()
        assert (stream.times[: stream.history] < fleet.held_back_from).all()
        assert (stream.times[stream.history :] > fleet.held_back_from).all()
        for fault in stream.faults:
            assert fleet.held_back_from < fault.start <= fault.end < UNTIL
        for one, other in zip(stream.faults, stream.faults[1:], strict=False):
            between = (times > one.end) & (times < other.start)
            assert between.sum() >= DEFAULT_PLAN.separation - 1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sensor_never_reports_one_time_twice_nor_the_future(seed):
    for stream in generate(seed, UNTIL).streams:
        times, _ = stream.in_event_order()
        assert (np.diff(times) > np.timedelta64(0)).all()
        assert times[-1] < UNTIL


@pytest.mark.parametrize("kind", RANGES)
@pytest.mark.parametrize("sort", FAULTS)
def test_a_labelled_stream_holds_its_fault_and_is_otherwise_like_the_healthy_one(kind, sort):
    stream = _faulty(kind, sort, 103)
    (fault,) = stream.faults
    assert fault.sort == sort
    healthy = _healthy(kind, 103)
    np.testing.assert_array_equal(stream.values[: stream.history], healthy.values[: stream.history])
    after = stream.times > fault.end
    np.testing.assert_array_equal(
        stream.values[after], healthy.values[-after.sum() :] if after.any() else []
    )


def test_faults_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        labelled_stream("voltage", ["drift"] * 9, until=UNTIL, rng=_rng(1))


def test_more_faulty_sensors_than_sensors_are_refused():
    with pytest.raises(ValueError, match="sensors with faults are asked for"):
        generate(100, UNTIL, Plan(faults_per_sensor=1))


def test_a_stream_says_when_each_reading_was_really_sent():
    stream = _faulty("voltage", "clock_error", 101)
    (fault,) = stream.faults
    assert (np.diff(stream.sent) > np.timedelta64(0)).all()
    wrong = stream.times != stream.sent
    assert stream.times[wrong].min() == fault.start
    assert stream.times[wrong].max() == fault.end


def test_a_sensor_can_go_on_where_it_stopped():
    plan = Plan(slots=144, history=0)
    one = labelled_stream("temperature", (), until=UNTIL, rng=_rng(100), plan=plan)
    next_half_day = UNTIL + np.timedelta64(12, "h")
    other = labelled_stream(
        "temperature", (), until=next_half_day + np.timedelta64(12, "h"), rng=_rng(101), plan=plan,
        behaviour=one.behaviour, day_start=one.times[0] - np.timedelta64(12, "h"),
    )  # fmt: skip
    away = (one.values.mean() - other.values.mean()) / one.behaviour.spread
    assert abs(away) < 1.5
    turned = np.corrcoef(one.values[:130], other.values[:130])[0, 1]
    assert turned < -0.5
