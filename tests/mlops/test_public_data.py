"""Quality floors on the public data sets, where these are at hand."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from mlops.detectors.health import HealthIndex
from mlops.extraction.snapshots import SINCE_NEW, alarms, since_new
from mlops.extraction.vibration import in_time
from mlops.pipelines import Order, audio, bearing_fault_type, rul
from mlops.pipelines.vibration import INDEX_ALARM
from mlops.sources import ai4i, ims, mimii
from tests.factories import NOW

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(
    not (DATA / "ai4i2020").is_dir(), reason=f"the public data sets are not at {DATA}"
)
ORDER = Order(now=NOW, data=DATA, fast=True)


def test_the_documented_rules_reach_on_the_published_rows_what_is_said_of_them() -> None:
    path = ai4i.find(DATA)
    assert path is not None
    found = ai4i.read(path)
    rows = found.rows
    power = rows.torque_nm * rows.speed_rpm * 2 * np.pi / 60
    said = (power < 3500) | (power > 9000)
    said |= (rows.process_k - rows.air_k < 8.6) & (rows.speed_rpm < 1380)
    said |= rows.wear_min * rows.torque_nm > np.array([11_000, 12_000, 13_000])[rows.variant]
    assert f1_score(found.failed, said) == pytest.approx(0.917, abs=0.001)


def test_a_failing_bearing_is_seen_two_and_a_half_days_before_and_no_other_early() -> None:
    path = ims.find(DATA)
    assert path is not None
    lives = ims.read(path)
    hours = (lives.times[-1] - lives.times) / np.timedelta64(1, "h")
    model = HealthIndex(SINCE_NEW.columns.index("mean_abs_since_new"))
    n = len(hours)
    for bearing, X in enumerate(lives.in_time):
        begins = alarms(model.predict(since_new(X)) >= INDEX_ALARM)
        assert not ((begins >= 0.15 * n) & (begins < 0.5 * n)).any()
        if bearing == 0:
            assert hours[begins[begins >= 0.5 * n][0]] >= 60


def test_features_of_raw_snapshots_are_those_that_were_published() -> None:
    table, raw = ims.find(DATA), DATA / "ims_bearing" / "test2_raw_every16th.npz"
    assert table is not None
    times, vibration = ims.raw(raw)
    lives = ims.read(table)
    rows = np.searchsorted(lives.times, times)
    own = in_time(vibration[:, :, 0])
    assert np.allclose(own, lives.in_time[0][rows], rtol=0.02, atol=0.02)


def test_the_damaged_part_is_named_at_a_load_that_was_not_learnt_from() -> None:
    records, dataset, _ = bearing_fault_type._data(ORDER)
    assert dataset == "cwru-de12"
    windows = bearing_fault_type._windows([each for each in records if each.part != "normal"])
    result = bearing_fault_type._result("random-forest", windows, ORDER)
    assert result.metrics["macro_f1"] >= 0.95
    assert result.metrics["by_size_macro_f1"] < result.metrics["macro_f1"]


def test_a_machine_that_was_heard_only_when_well_is_told_from_one_that_is_not() -> None:
    path = mimii.find(DATA)
    assert path is not None
    best, *_ = audio._normal_only(mimii.read(path), ORDER)
    assert best.metrics["roc_auc"] >= 0.90


def test_remaining_life_is_said_within_eleven_cycles() -> None:
    found = rul._data(ORDER).flights
    X, y = rul.relative(found.train), np.minimum(found.train.remaining(), rul.CAP)
    last, true = rul.relative(found.test)[found.test.last()], np.minimum(found.remaining, rul.CAP)
    order = Order(now=NOW, data=DATA)
    assert rul._boosted(X, y, last, true, order).metrics["rmse"] <= 11.0
