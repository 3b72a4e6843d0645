"""Data sets: split in time, sensor by sensor, and never what is to be left out."""

from datetime import timedelta

import numpy as np
import pytest

from anomalies.models import Verdict
from anomalies.review import review
from mlops import datasets, features
from mlops.detectors.statistical import Statistical
from mlops.pipelines import injection
from sensors.generator import FAULTS
from tests.factories import NOW, make_anomaly, make_person, make_sensor
from tests.mlops.makers import healthy, stored

pytestmark = pytest.mark.django_db


def test_the_parts_follow_each_other_in_time_and_share_no_row() -> None:
    stored(make_sensor(), *healthy(600))
    (history,) = datasets.of_kind("vibration", until=NOW).histories
    first, calibrate, held = history.cuts
    assert datasets.SETTLED_ROWS == first < calibrate < held < 600
    whole = features.compute(history.series.times, history.series.values)
    parts = [history.rows(first, calibrate), history.rows(calibrate, held), history.rows(held)]
    assert np.array_equal(np.concatenate(parts), whole[first:])


def test_other_kinds_and_later_readings_are_not_in_it() -> None:
    stored(make_sensor(), *healthy(600))
    stored(make_sensor(kind="pressure"), *healthy(600, "pressure"))
    dataset = datasets.of_kind("vibration", until=NOW - timedelta(days=1))
    (history,) = dataset.histories
    assert len(history.series) == 600 - 144
    assert datasets.kinds() == ["pressure", "vibration"]


def test_what_is_left_out_is_not_learnt_from() -> None:
    sensor = stored(make_sensor(), *healthy(600))
    whole = datasets.of_kind("vibration", until=NOW)
    fault = make_anomaly(sensor=sensor, start=NOW - timedelta(hours=10), peak=NOW, end=NOW)
    assert datasets.of_kind("vibration", until=NOW).fingerprint() == whole.fingerprint()
    review(anomaly=fault, verdict=Verdict.CONFIRMED, note="", person=make_person(), now=NOW)
    less = datasets.of_kind("vibration", until=NOW)
    assert len(whole.older(1.0)) - len(less.older(1.0)) == 60
    assert whole.fingerprint() != less.fingerprint()


def test_a_sensor_with_too_few_readings_is_not_in_it() -> None:
    stored(make_sensor(), *healthy(datasets.SETTLED_ROWS))
    dataset = datasets.of_kind("vibration", until=NOW)
    assert dataset.histories == ()
    assert dataset.fit().shape == (0, len(features.FEATURES))


def test_every_sort_of_fault_is_injected_beside_the_same_stretch_without_it() -> None:
    stored(make_sensor(), *healthy(700))
    dataset = datasets.of_kind("vibration", until=NOW)
    cases = injection.draw(dataset, repeats=1, rng=np.random.default_rng(7))
    assert sorted(sort for sort in cases.sorts if sort) == sorted(FAULTS)
    assert cases.is_fault.sum() == len(cases.sorts) / 2


def test_injected_faults_are_found_and_healthy_readings_left_alone() -> None:
    stored(make_sensor(), *healthy(900))
    dataset = datasets.of_kind("vibration", until=NOW)
    cases = injection.draw(dataset, repeats=3, rng=np.random.default_rng(8))
    found = injection.quality(Statistical(), cases, rng=np.random.default_rng(9))
    assert found["injected_recall"] >= 0.85
    assert found["false_alarms_per_1000_readings"] < 10
    assert found["injected_average_precision"] >= 0.9
    assert found["injected_recall_low"] <= found["injected_recall"] <= found["injected_recall_high"]


def test_what_the_statistical_rung_alarms_on_is_not_learnt_from() -> None:
    times, values = healthy(700, "pressure")
    faulty = values.copy()
    faulty[400:420] += 20 * np.std(values)
    calm = datasets.history_of(stored(make_sensor(kind="pressure"), times, values), NOW)
    history = datasets.history_of(stored(make_sensor(kind="pressure"), times, faulty), NOW)
    assert not history.usable[400:420].any()
    assert history.usable[:380].sum() > 300
    assert calm.usable[400:420].all()
    assert len(history.rows(144)) < len(calm.rows(144))


def test_a_sensor_without_readings_has_an_empty_history() -> None:
    assert len(datasets.history_of(make_sensor(kind="pressure"), NOW).usable) == 0
