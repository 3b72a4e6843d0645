"""Areas under precision over recall, against values computed by hand."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from mlops.vus import Rated, Surface, levels_of


def surface(scores: list[float], faults: list[tuple[int, int]], widest: int = 0) -> Surface:
    rows = np.zeros(len(scores), dtype=np.int64)
    return Surface.of([Rated(np.array(scores), tuple(faults), rows)], 1, widest)


ONE = np.ones(1)


def test_a_perfect_order_without_buffer_is_one() -> None:
    found = surface([0.1, 0.9, 0.8, 0.2], [(1, 2)])
    assert found.volume(ONE) == found.average_precision(ONE) == 1.0


def test_a_volume_is_the_mean_of_the_areas_of_all_buffers() -> None:
    """Buffers of 0 and 1 rows leave the label [0, 1, 0, 0], of area 1. One of 2 makes it
    [√½, 1, 0, 0]: positives are (1 + 1.7071) / 2; the row at 0.9 gives recall 0.7388 at precision
    1; the last level makes recall 1, precision going from 1/3 to 1.7071/4."""
    last = (1 - 1 / 1.353553) * (1 / 3 + 1.707107 / 4) / 2
    wanted = (1 + 1 + 1 / 1.353553 + last) / 3
    assert surface([0.1, 0.9, 0.8, 0.2], [(1, 1)], 2).volume(ONE) == pytest.approx(wanted, abs=1e-6)


def test_recall_counts_which_faults_were_touched() -> None:
    """At 0.9 one row of two and one fault of two: recall ½ · ½; at 0.5 all, at precision 2/3."""
    found = surface([0.9, 0.6, 0.0, 0.5], [(0, 0), (3, 3)])
    assert found.volume(ONE) == pytest.approx(0.25 * 1 + 0.75 * (1 / 2 + 2 / 3) / 2)
    assert found.average_precision(ONE) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_rows_of_equal_score_move_together() -> None:
    assert surface([0.5, 0.5, 0.5, 0.5], [(1, 1)]).average_precision(ONE) == 0.25


def test_a_block_that_counts_twice_is_as_if_it_were_there_twice() -> None:
    rng = np.random.default_rng(0)
    scores, blocks = rng.random(60), np.repeat([0, 1], 30)
    both = Surface.of([Rated(scores, ((5, 9), (40, 48)), blocks)], 2, 0)
    again = np.concatenate([scores[:30], scores])
    thrice = Surface.of(
        [Rated(again, ((5, 9), (35, 39), (70, 78)), np.zeros(90, dtype=np.int64))], 1, 0
    )
    twice = np.array([2.0, 1.0])
    assert both.volume(twice) == pytest.approx(thrice.volume(ONE))
    assert both.average_precision(twice) == pytest.approx(thrice.average_precision(ONE))


def test_many_levels_are_thinned_and_change_little() -> None:
    rng = np.random.default_rng(1)
    label = np.zeros(5_000, dtype=bool)
    label[1_000:1_100] = label[3_000:3_300] = True
    scores = rng.random(5_000) + 0.4 * label
    found = surface(list(scores), [(1_000, 1_099), (3_000, 3_299)])
    exact = average_precision_score(label, scores)
    assert len(levels_of(scores)) < 410
    assert found.average_precision(ONE) == pytest.approx(exact, abs=0.01)


def test_without_a_fault_there_is_no_figure() -> None:
    found = surface([0.1, 0.2], [])
    assert np.isnan(found.volume(ONE))
    assert np.isnan(found.average_precision(ONE))
