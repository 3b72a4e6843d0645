"""Artifacts of predictors: they come back to the bit, and what does not fit says why not."""

import pickle
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import RandomForestClassifier

from mlops import registry, serving
from mlops.approval import Refused, approve
from mlops.artifacts import Malformed, pack, unpack
from mlops.predictor import Predictor, WrongShape
from smartmaint.services.mlflow import MlflowServer
from tests.factories import NOW
from tests.mlops.makers import fitted, new_name
from tests.mlops.portfolio import KINDS, forest, novelty, ridge, rows
from tests.mlops.reworking import Change
from tests.mlops.reworking import reworked as after


def reworked(model: Predictor, change: Change) -> bytes:
    return after(pack(model), change)


def stating(**values: Any) -> Change:
    return lambda manifest, _contents: manifest.update(values)


@pytest.mark.parametrize("kind", KINDS)
def test_a_predictor_answers_the_same_to_the_bit_after_the_trip(kind: str) -> None:
    model, (X, _) = KINDS[kind](), rows()
    back = unpack(pack(model))
    assert isinstance(back, Predictor)
    assert (back.task, back.outputs, back.features_) == (model.task, model.outputs, model.features_)
    assert np.array_equal(back.predict(X), model.predict(X))
    assert np.array_equal(back.decide(X), model.decide(X))


def test_rows_of_another_width_are_no_input() -> None:
    with pytest.raises(WrongShape):
        forest().predict(np.zeros((3, 2)))


def test_no_rows_are_no_answers() -> None:
    assert forest().predict(rows()[0][:0]).shape == (0, 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0, 100, -1])
def test_truncated_bytes_are_malformed(kind: str, size: int) -> None:
    with pytest.raises(Malformed, match="no zip"):
        unpack(pack(KINDS[kind]())[:size])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"features": ["torque_nm"]}, "other features"),
        ({"features_hash": "0" * 16}, "computed differently"),
        ({"feature_set": "tarot"}, "cannot compute its features"),
        ({"feature_set": "readings"}, "that of no model"),
        ({"task": "regression"}, "does not answer regression"),
        ({"task": "divination"}, "does not answer divination"),
        ({"outputs": ["a", "b", "c"]}, "does not answer classification"),
        ({"outputs": None}, "does not say what it answers"),
        ({"model_file": "model.pkl"}, "no model file"),
        ({"libraries": {"scikit-learn": "99.0", "skops": "99.0"}}, "written by scikit-learn 99.0"),
        ({"libraries": {"scikit-learn": "0.20.1", "skops": "0.1"}}, "train again"),
        ({"libraries": {}}, "written by scikit-learn None"),
    ],
)
def test_a_manifest_that_does_not_fit_is_malformed(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        unpack(reworked(forest(), stating(**values)))


def test_a_booster_of_a_newer_library_is_malformed() -> None:
    with pytest.raises(Malformed, match=r"lightgbm 99\.0"):
        unpack(reworked(KINDS["booster"](), stating(libraries={"lightgbm": "99.0"})))


def test_a_booster_that_was_cut_is_malformed() -> None:
    def cut(_manifest: dict[str, Any], contents: dict[str, bytes]) -> None:
        contents["model.txt"] = b"tree\nversion=v4\n"

    with pytest.raises(Malformed):
        unpack(reworked(KINDS["booster"](), cut))


def test_a_novelty_model_without_its_tail_is_malformed() -> None:
    with pytest.raises(Malformed, match="no usable tail"):
        unpack(reworked(novelty(), lambda manifest, _: manifest.pop("tail")))


def test_a_model_of_another_width_is_malformed() -> None:
    def narrow(_manifest: dict[str, Any], contents: dict[str, bytes]) -> None:
        X, y = rows()
        model = RandomForestClassifier(n_estimators=2).fit(X[:, :3], y)
        contents["model.skops"] = skops.io.dumps(model)

    with pytest.raises(Malformed, match="3 columns"):
        unpack(reworked(forest(), narrow))


def test_a_tree_that_points_outside_itself_is_malformed() -> None:
    model = forest()
    model.model.estimators_[0].tree_.children_left[0] = 10_000
    with pytest.raises(Malformed, match="outside itself"):
        unpack(pack(model))


class Trap:
    sprung = False

    def __reduce__(self) -> tuple[Any, ...]:
        return setattr, (Trap, "sprung", True)


def test_a_pickle_is_malformed_and_does_not_run() -> None:
    def pickled(_manifest: dict[str, Any], contents: dict[str, bytes]) -> None:
        contents["model.skops"] = pickle.dumps(Trap())

    with pytest.raises(Malformed):
        unpack(reworked(forest(), pickled))
    assert not Trap.sprung


def registered(artifact: bytes, approved: bytes | None = None) -> str:
    """A name whose champion these bytes are."""
    name = new_name()
    version = registry.log_and_register(
        registry.Run("tests", name, params={}, metrics={}),
        artifact=artifact,
        manifest=b"{}",
        model=name,
        tags={},
    )
    approve(
        name=name,
        version=version,
        artifact=approved or artifact,
        task="classification",
        sensor_kind="",
        detector="forest",
        dataset="synthetic",
        now=NOW,
    )
    registry.set_alias(name, registry.CHAMPION, version)
    return name


@pytest.mark.django_db
def test_the_champion_of_a_name_is_served_and_a_tampered_one_is_refused(
    mlflow: MlflowServer,
) -> None:
    packed, (X, _) = pack(ridge()), rows()
    served = serving.load(registered(packed))
    assert isinstance(served, Predictor)
    assert np.array_equal(served.predict(X), ridge().predict(X))
    with pytest.raises(Refused, match="not the one that was approved"):
        serving.load(registered(pack(forest()) + b"!", approved=pack(forest())))
    with pytest.raises(Refused, match="other features"):
        serving.load(registered(reworked(ridge(), stating(features=["rms"]))))
    with pytest.raises(serving.Unavailable, match=r"no champion|not know"):
        serving.load("nobody")


@pytest.mark.django_db
def test_a_predictor_does_not_judge_readings(mlflow: MlflowServer) -> None:
    name = registered(pack(forest()))
    with pytest.raises(Refused, match="no detector of readings"):
        serving.load_detector(name, 1)
    assert serving.load_detector(registered(pack(fitted())), 1).name == "tails"
