"""Artifacts: what is packed comes back to the bit, and what is not ours does not come in."""

import io
import pickle
import zipfile
from typing import Any

import lightgbm
import numpy as np
import pytest
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from mlops import artifacts, features
from mlops.artifacts import Malformed, pack, unpack
from mlops.detectors.base import Detector
from mlops.detectors.classified import Classified
from mlops.detectors.fitted import CANDIDATES
from mlops.predictor import Predictor
from tests.mlops.makers import fitted, healthy_features
from tests.mlops.reworking import Change
from tests.mlops.reworking import reworked as after


def reworked(change: Change) -> bytes:
    return after(pack(fitted()), change)


def detector_in(artifact: bytes) -> Detector:
    found = unpack(artifact)
    assert not isinstance(found, Predictor)
    return found


def labels() -> np.ndarray:
    return healthy_features()[:, 0] > 1


@pytest.mark.parametrize("name", CANDIDATES)
def test_a_detector_scores_the_same_to_the_bit_after_the_trip(name: str) -> None:
    X = healthy_features()
    back = detector_in(pack(fitted(name)))
    assert back.name == name
    assert np.array_equal(back.score(X), fitted(name).score(X))


def test_a_random_forest_scores_the_same_after_the_trip() -> None:
    X = healthy_features()
    model = RandomForestClassifier(n_estimators=5, random_state=0).fit(X, labels())
    detector = Classified("random_forest", model, threshold=0.3)
    assert np.array_equal(detector_in(pack(detector)).score(X), detector.score(X))


def test_a_booster_travels_as_text_and_scores_the_same() -> None:
    X = healthy_features()
    data = lightgbm.Dataset(X, label=labels())
    booster = lightgbm.train({"objective": "binary", "verbosity": -1}, data, num_boost_round=5)
    detector = Classified("lightgbm", booster, threshold=0.3)
    packed = pack(detector)
    assert artifacts.BOOSTER in zipfile.ZipFile(io.BytesIO(packed)).namelist()
    assert np.array_equal(detector_in(packed).score(X), detector.score(X))


@pytest.mark.parametrize("size", [0, 1, 100, -1])
def test_truncated_bytes_are_malformed(size: int) -> None:
    with pytest.raises(Malformed, match="no zip"):
        unpack(pack(fitted())[:size])


def test_other_features_are_malformed() -> None:
    def change(manifest: dict[str, Any], _contents: dict[str, bytes]) -> None:
        manifest["features"] = [*features.FEATURES[:-1], "vibes"]

    with pytest.raises(Malformed, match="other features"):
        unpack(reworked(change))


def test_features_computed_differently_are_malformed() -> None:
    def change(manifest: dict[str, Any], _contents: dict[str, bytes]) -> None:
        manifest["features_hash"] = "0" * 16

    with pytest.raises(Malformed, match="computed differently"):
        unpack(reworked(change))


class Trap:
    sprung = False

    def __reduce__(self) -> tuple[Any, ...]:
        return setattr, (Trap, "sprung", True)


@pytest.mark.parametrize("model_file", ["model.skops", "model.pkl"])
def test_a_pickle_is_malformed_and_does_not_run(model_file: str) -> None:
    def change(manifest: dict[str, Any], contents: dict[str, bytes]) -> None:
        manifest["model_file"] = model_file
        contents[model_file] = pickle.dumps(Trap())

    with pytest.raises(Malformed):
        unpack(reworked(change))
    assert not Trap.sprung


def test_a_type_that_is_not_trusted_is_malformed() -> None:
    def change(_manifest: dict[str, Any], contents: dict[str, bytes]) -> None:
        contents["model.skops"] = skops.io.dumps(artifacts.Malformed("x"))

    with pytest.raises(Malformed, match="not trusted"):
        unpack(reworked(change))


def test_a_model_of_another_sort_is_malformed() -> None:
    def change(_manifest: dict[str, Any], contents: dict[str, bytes]) -> None:
        X = healthy_features()
        contents["model.skops"] = skops.io.dumps(LogisticRegression().fit(X, labels()))

    with pytest.raises(Malformed, match="no detector"):
        unpack(reworked(change))


def test_a_tree_that_points_outside_itself_is_malformed() -> None:
    model = RandomForestClassifier(n_estimators=1, random_state=0).fit(healthy_features(), labels())
    model.estimators_[0].tree_.children_left[0] = 10_000
    with pytest.raises(Malformed, match="outside itself"):
        unpack(pack(Classified("random_forest", model)))


def test_a_manifest_without_a_tail_is_malformed() -> None:
    with pytest.raises(Malformed, match="no usable tail"):
        unpack(reworked(lambda manifest, _contents: manifest.pop("tail")))


def test_a_zip_bomb_is_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = reworked(lambda _manifest, contents: contents.update(bomb=bytes(10_000_000)))
    monkeypatch.setattr(artifacts, "MAX_BYTES", 1_000_000)
    with pytest.raises(Malformed, match="unpacks to more"):
        unpack(packed)
