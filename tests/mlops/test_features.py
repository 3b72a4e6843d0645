"""Features: only the past, to the bit; as usual is 0; each sort of oddity moves its own feature."""

import numpy as np
import pytest

from mlops import features
from mlops.features import CONTEXT_ROWS, FEATURES, MIN_ROWS, compute, expected, nature
from sensors.series import FloatArray
from tests.mlops.makers import INTERVAL, column, healthy, times_of


def bits(X: FloatArray) -> np.ndarray:
    return np.ascontiguousarray(X).view(np.int64)


@pytest.mark.parametrize("kind", ["vibration", "humidity", "voltage"])
def test_cutting_the_stream_leaves_earlier_rows_as_they_were_to_the_bit(kind: str) -> None:
    times, values = healthy(900, kind)
    whole = compute(times, values)
    for cut in (1, MIN_ROWS, 333, CONTEXT_ROWS - 1, CONTEXT_ROWS, CONTEXT_ROWS + 1, 801):
        assert np.array_equal(bits(compute(times[:cut], values[:cut])), bits(whole[:cut]))


@pytest.mark.parametrize("first", [0, 1, MIN_ROWS, 640, 700, 899, 900])
def test_rows_from_first_on_are_those_of_the_whole_to_the_bit(first: int) -> None:
    times, values = healthy(900)
    assert np.array_equal(bits(compute(times, values, first)), bits(compute(times, values)[first:]))


@pytest.mark.parametrize("row", [640, 700, 899])
def test_a_row_knows_its_context_and_nothing_older(row: int) -> None:
    times, values = healthy(900)
    start = row - CONTEXT_ROWS + 1
    alone = compute(times[start : row + 1], values[start : row + 1])[-1]
    assert np.array_equal(bits(alone), bits(compute(times, values)[row]))


def test_batches_of_any_size_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    times, values = healthy(900)
    whole = compute(times, values)
    monkeypatch.setattr(features, "_CHUNK_ROWS", 37)
    assert np.array_equal(bits(compute(times, values)), bits(whole))


def test_rows_without_enough_past_carry_no_evidence() -> None:
    times, values = times_of(MIN_ROWS + 1), np.arange(MIN_ROWS + 1.0) ** 3
    X = compute(times, values)
    assert not X[: MIN_ROWS - 1].any()
    assert X[-1].any()


def test_no_readings_give_no_rows() -> None:
    assert compute(times_of(0), np.zeros(0)).shape == (0, len(FEATURES))


def test_zero_variance_is_as_usual() -> None:
    assert not compute(times_of(300), np.full(300, 5.0)).any()


def test_a_constant_sensor_that_moves_is_odd() -> None:
    values = np.full(300, 5.0)
    values[-1] = 6.0
    assert column(compute(times_of(300), values), "novelty")[-1] > 10


@pytest.mark.parametrize("size", [1e-300, 1e-12, 1e12, 1e300])
def test_features_stay_finite_at_any_size(size: float) -> None:
    values = np.random.default_rng(1).normal(size=700) * size
    assert np.isfinite(compute(times_of(700), values)).all()


def test_unit_and_offset_do_not_matter() -> None:
    times, values = healthy(700)
    X = compute(times, values)
    assert np.allclose(compute(times, 8 * values + 1024), X, atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_an_error(bad: float) -> None:
    values = np.zeros(10)
    values[3] = bad
    with pytest.raises(ValueError, match="not finite"):
        compute(times_of(10), values)


def test_times_that_go_back_are_an_error() -> None:
    with pytest.raises(ValueError, match="times go back"):
        compute(times_of(10)[::-1], np.zeros(10))


def test_healthy_readings_stay_below_what_is_notable() -> None:
    for kind in ("vibration", "pressure", "temperature", "humidity", "voltage"):
        X = np.abs(compute(*healthy(1000, kind))[144:])
        share = ([features.NOTABLE[name] for name in FEATURES] <= X).any(axis=1).mean()
        assert share < 0.02, kind


def test_a_spike_moves_spike_and_only_where_it_is() -> None:
    times, values = healthy(800)
    values = values.copy()
    values[700] += 15 * np.median(np.abs(np.diff(values)))
    spike = np.abs(column(compute(times, values), "spike"))
    assert spike[700] > 8
    assert spike[690:700].max() < 5


def test_a_shift_moves_the_seasonal_level_while_it_lasts() -> None:
    times, values = healthy(800)
    values = values.copy()
    values[700:740] += 10 * np.median(np.abs(np.diff(values)))
    level = column(compute(times, values), "season_level")
    assert level[708:740].min() > 2
    assert abs(level[795]) < 2


def test_wilder_readings_move_spread() -> None:
    times, values = healthy(800)
    values = values.copy()
    values[700:730] += np.random.default_rng(2).normal(size=30) * 8 * np.std(np.diff(values))
    assert column(compute(times, values), "spread")[712:730].min() > 1.5


def test_a_stuck_value_moves_flat_and_a_pair_does_not() -> None:
    times, values = healthy(800)
    values = values.copy()
    values[700:730] = values[700]
    flat = column(compute(times, values), "flat")
    assert flat[729] > 2.8
    assert flat[701] == 0
    assert (np.diff(flat[702:730]) >= 0).all()


def test_a_silence_moves_gap_and_one_lost_reading_does_not() -> None:
    times, values = healthy(800)
    lost, silent = np.delete(np.arange(800), 700), np.delete(np.arange(800), np.s_[700:712])
    assert abs(column(compute(times[lost], values[lost]), "gap")[700]) < 0.1
    assert column(compute(times[silent], values[silent]), "gap")[700] > 1.5


def test_interleaved_times_move_rhythm_and_lost_readings_do_not() -> None:
    times, values = healthy(800)
    early = times.copy()
    early[700:720] += INTERVAL * 4 // 10
    early = np.sort(np.concatenate([early[:720], times[705:720], times[720:]]))
    doubled = np.interp(early.astype(float), times.astype(float), values)
    assert column(compute(early, doubled), "rhythm")[700:740].max() > 0.5
    kept = np.delete(np.arange(800), [650, 652, 655, 659])
    assert not column(compute(times[kept], values[kept]), "rhythm").any()


def test_the_expected_band_holds_healthy_readings_and_not_a_spike() -> None:
    times, values = healthy(900)
    bands = np.array([expected(times, values, row) for row in range(600, 900, 7)])
    inside = (values[600:900:7] >= bands[:, 0]) & (values[600:900:7] <= bands[:, 1])
    assert inside.mean() > 0.95
    spread = np.ptp(values)
    low, high = expected(times, np.where(np.arange(900) == 800, values + 3 * spread, values), 800)
    assert high < values[800] + 3 * spread
    assert high - low < 2 * spread


def test_the_expected_band_of_the_first_reading_is_itself() -> None:
    assert expected(times_of(1), np.array([4.0]), 0) == (4.0, 4.0)


@pytest.mark.parametrize(
    ("feature", "said"), [("flat", "instrument"), ("gap", "instrument"), ("spike", "machine")]
)
def test_nature_follows_the_feature_that_moved(feature: str, said: str) -> None:
    shares = np.full(len(FEATURES), 0.2 / (len(FEATURES) - 1))
    shares[FEATURES.index(feature)] = 0.8
    assert nature(shares) == said


def test_the_hash_changes_with_what_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = features.features_hash()
    monkeypatch.setattr(features, "CONTEXT_ROWS", 641)
    assert features.features_hash() != before
