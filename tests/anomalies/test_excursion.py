"""How a value went away and came back, and whether two did so alike."""

from itertools import product

import numpy as np
import pytest

from anomalies.excursion import ROWS, Excursion, likeness

TIMES = np.datetime64("2026-01-01", "us") + np.arange(40) * np.timedelta64(600, "s")
DOOR = Excursion((-3.0, -1.8, -1.1, -0.7, -0.4, -0.2), 0.2)


def read(first: int = 20, level: float = 50.0) -> np.ndarray:
    values = np.full(40, level)
    values[first : first + ROWS] += DOOR.moved
    return values


def test_it_is_read_off_the_readings_around_its_start() -> None:
    found = Excursion.of(TIMES, read(), TIMES[20], 0.2)
    assert found is not None
    assert found.moved == pytest.approx(DOOR.moved)
    assert Excursion.stored(found.as_dict()) == found


def test_it_knows_nothing_of_readings_beyond_its_rows() -> None:
    values = read()
    values[20 + ROWS :] = 1e6
    assert Excursion.of(TIMES, values, TIMES[20], 0.2) == Excursion.of(
        TIMES, read(), TIMES[20], 0.2
    )


def test_while_it_goes_on_it_holds_what_has_come() -> None:
    found = Excursion.of(TIMES[:23], read()[:23], TIMES[20], 0.2)
    assert found is not None
    assert found.moved == pytest.approx(DOOR.moved[:3])
    assert likeness(found, DOOR) == pytest.approx(1.0)


@pytest.mark.parametrize("start", [TIMES[0], TIMES[-1] + np.timedelta64(1, "s")])
def test_without_readings_before_it_or_of_it_there_is_none(start: np.datetime64) -> None:
    assert Excursion.of(TIMES, read(), start, 0.2) is None


def test_what_is_no_number_has_no_course() -> None:
    values = read()
    values[21] = np.nan
    assert Excursion.of(TIMES, values, TIMES[20], 0.2) is None
    assert Excursion.of(TIMES, read(), TIMES[20], np.nan) is None


def test_the_level_of_the_sensor_makes_no_difference() -> None:
    high = Excursion.of(TIMES, read(level=900.0), TIMES[20], 0.2)
    assert high is not None
    assert likeness(high, DOOR) == pytest.approx(1.0)


def test_likeness_is_mutual_and_within_0_and_1() -> None:
    rng = np.random.default_rng(5)
    some = [DOOR, *(Excursion(tuple(rng.normal(0, 4, ROWS)), 0.2) for _ in range(6))]
    for one, other in product(some, some):
        found = likeness(one, other)
        assert found is not None
        assert 0 <= found <= 1
        assert found == pytest.approx(likeness(other, one))


def test_it_falls_with_the_difference_in_size_and_in_course() -> None:
    sizes = [likeness(DOOR, scaled(by)) or 0.0 for by in (1.0, 1.5, 2.0, 4.0)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[1] > 0.7
    assert sizes[-1] < 0.2
    assert (likeness(DOOR, Excursion((-3.0,) * ROWS, 0.2)) or 0.0) < 0.25


def scaled(by: float) -> Excursion:
    return Excursion(tuple(by * value for value in DOOR.moved), DOOR.noise)


def test_noise_alone_takes_little_away() -> None:
    rng = np.random.default_rng(2)
    likely = [
        likeness(DOOR, Excursion(tuple(np.array(DOOR.moved) + rng.normal(0, 0.2, ROWS)), 0.2))
        for _ in range(200)
    ]
    assert np.median(np.array(likely, float)) > 0.9


def test_a_sensor_that_never_moves_has_none_that_shows() -> None:
    flat = Excursion((0.0,) * ROWS, 0.0)
    assert likeness(flat, flat) is None
    assert likeness(flat, DOOR) == 0.0
