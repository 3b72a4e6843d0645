"""The pipelines `forecast` and `forecast-tuning`: what they measure, register and say."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from mlops import serving
from mlops.forecasting import trial
from mlops.forecasting.linear import Linear
from mlops.forecasting.naive import SeasonalNaive
from mlops.forecasting.trial import Split
from mlops.models import ModelApproval
from mlops.pipelines import NoData, Order, forecast, forecast_tuning
from mlops.pipelines.forecast_data import generated, hourly, source
from mlops.predictor import Predictor
from mlops.sources import ett
from mlops.sources.files import BadFile
from smartmaint.services.mlflow import MlflowServer
from tests.factories import NOW

DATA = Path(__file__).parents[3] / "shared" / "data"
FAST = Order(now=NOW, fast=True)


def write_ett(path: Path, *, rows: int = 14_400, spoil: dict[int, str] | None = None) -> Path:
    """A file like the published one, with some of its lines replaced."""
    hour = np.datetime64("2016-07-01T00:00") + np.arange(rows) * np.timedelta64(1, "h")
    lines = [f"{str(t).replace('T', ' ')}:00,1,1,1,1,1,1,{20 + i % 24}" for i, t in enumerate(hour)]
    for at, text in (spoil or {}).items():
        lines[at] = text
    with gzip.open(path, "wt") as file:
        file.write("\n".join([",".join(ett.COLUMNS), *lines]) + "\n")
    return path


def test_ett_is_forecast_as_well_as_published():
    """Standard split, 12/4/4 months of 30 days, all 2785 test windows of 96 hours."""
    path = ett.find(DATA) if DATA.exists() else None
    if path is None:
        pytest.skip(f"ETTh1.csv is not below {DATA}")
    steps = hourly(*ett.oil_temperature(path))
    split = Split.of(steps, months=(12, 4, 4), horizon=96)
    linear = Linear().fit(split.training, 96)
    found = trial.errors(linear, split, split.test, split.end)
    assert found.shape == (2785, 96)
    assert np.mean(found**2) <= 0.055
    naive = trial.errors(SeasonalNaive().fit(split.training, 96), split, split.test, split.end)
    assert np.mean(found**2) < np.mean(naive**2)
    assert 0.75 <= trial.covered(linear, split, every=24) <= 0.85


def test_nothing_of_the_test_part_is_learnt_from():
    whole = generated(3, 3)
    split = Split.of(whole, months=(1, 1, 1), horizon=96)
    changed = whole.values.copy()
    changed[split.test :] += 100
    other = Split.of(hourly(whole.times(0, len(whole)), changed), months=(1, 1, 1), horizon=96)
    np.testing.assert_array_equal(split.training.values, other.training.values)
    for first, end in forecast_tuning.folds(split):
        assert 0 < first < end <= split.test


def test_a_file_that_is_not_the_published_one_is_refused_with_its_line(tmp_path):
    good = write_ett(tmp_path / "ETTh1.csv.gz")
    assert ett.find(tmp_path) == good
    assert len(ett.oil_temperature(good)[1]) == 14_400
    for spoil, words in (
        ({5: "2016-07-01 05:00:00,1,1,1,1,1,1,warm"}, "line 7: could not convert"),
        ({5: "2016-07-01 05:30:00,1,1,1,1,1,1,20"}, "line 7: not an hour after"),
        ({5: "2016-07-01 05:00:00,1,1,1,1,1,1,900"}, "no oil temperature"),
    ):
        with pytest.raises(BadFile, match=words):
            ett.oil_temperature(write_ett(tmp_path / "ETTh1.csv.gz", spoil=spoil))
    with pytest.raises(BadFile, match="20 months"):
        ett.oil_temperature(write_ett(tmp_path / "ETTh1.csv.gz", rows=100))


def test_files_that_were_asked_for_must_be_there(tmp_path):
    with pytest.raises(NoData, match="no ETTh1"):
        source(Order(now=NOW, data=tmp_path, must_find=True))
    assert source(Order(now=NOW, data=tmp_path, fast=True)).dataset == "synthetic"


def test_the_search_is_a_function_of_its_seed():
    split = source(FAST).split
    one, other = (forecast_tuning.search(split, FAST) for _ in range(2))
    assert one == other
    assert one[1] <= one[2]


@pytest.mark.django_db
def test_both_forecasters_are_registered_and_served(mlflow: MlflowServer) -> None:
    said: list[str] = []
    trained = forecast.run(Order(now=NOW, fast=True, say=said.append))
    named = {(each.model, each.detector): each for each in trained}
    assert {model for model, _ in named} == {"forecast", "forecast-linear", "forecast-lightgbm"}
    assert {row.dataset for row in ModelApproval.objects.all()} == {"synthetic"}
    best = next(each for each in trained if each.model == "forecast" and each.role == "champion")
    assert best.metrics["validation_gain"] == max(
        each.metrics["validation_gain"] for each in trained
    )
    assert all("repeating a day" in line for line in said)
    split = source(FAST).split
    past = split.steps.values[split.test - 336 : split.test]
    served = serving.load("forecast-linear")
    assert isinstance(served, Predictor)
    ahead = past[-1] + served.predict((past - past[-1])[np.newaxis])[0]
    fitted = Linear().fit(split.training, split.horizon)
    np.testing.assert_allclose(ahead, fitted.forecast(split.steps.until(split.test)), atol=1e-9)
