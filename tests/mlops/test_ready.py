"""A forest as arrays: the same bits as scikit-learn's, signed, and read in no time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pytest_django import Settings

from mlops import artifacts, ready
from mlops.cache import Cellar, digest
from mlops.detectors import isolation_forest
from mlops.detectors.fitted import Fitted
from mlops.detectors.forest import DEEPEST, Forest
from tests.mlops.makers import fitted, healthy_features

PACKED = artifacts.pack(fitted("isolation_forest"))
SHA256 = digest(PACKED)


@pytest.fixture
def cellar(tmp_path: Path) -> Cellar:
    """With a forest made ready in it."""
    cellar = Cellar(tmp_path, 8)
    ready.made(artifacts.unpack(PACKED), SHA256, cellar)
    return cellar


def test_a_forest_of_arrays_gives_the_same_bits(cellar: Cellar) -> None:
    X = np.concatenate([healthy_features(), 7 * healthy_features()[::-1]])
    found = ready.found(SHA256, cellar)
    assert found is not None
    assert np.array_equal(found.score(X), fitted("isolation_forest").score(X))
    one = np.concatenate([found.score(row[None]) for row in X[:20]])
    assert np.array_equal(one, found.score(X[:20]))


@pytest.mark.parametrize("rows", [1, 3, 40, 1000])
def test_a_forest_of_shallow_trees_gives_the_same_bits(rows: int) -> None:
    X = healthy_features()
    pipeline = isolation_forest.pipeline(trees=20).fit(np.tile(X[:rows], (2, 1)))
    found = Forest.of(pipeline)
    assert found is not None
    assert np.array_equal(found.score_samples(X), pipeline.score_samples(X))
    assert found.score_samples(X[:0]).shape == (0,)


def test_a_forest_of_deep_trees_stays_as_it_is() -> None:
    pipeline = isolation_forest.pipeline(trees=2)
    pipeline.set_params(model__max_samples=2 ** (DEEPEST + 1))
    assert Forest.of(pipeline.fit(np.tile(healthy_features(), (3, 1)))) is None


def test_what_is_read_again_is_what_was_made(cellar: Cellar) -> None:
    made = ready.made(artifacts.unpack(PACKED), SHA256, cellar)
    found = ready.found(SHA256, cellar)
    assert found is not None
    assert isinstance(made, Fitted)
    assert (found.name, found.features_) == (made.name, made.features_)
    X = healthy_features()[:50]
    assert np.array_equal(found.contributions(X), made.contributions(X))


def test_a_changed_byte_another_key_or_another_artifact_is_not_read(
    cellar: Cellar, settings: Settings
) -> None:
    kept = cellar.get_ready(SHA256)
    assert kept is not None
    cellar.put_ready("0" * 64, kept)
    assert ready.found("0" * 64, cellar) is None
    for place in (0, 40, len(kept) - 1):
        changed = bytearray(kept)
        changed[place] ^= 1
        cellar.put_ready(SHA256, bytes(changed))
        assert ready.found(SHA256, cellar) is None
    cellar.put_ready(SHA256, kept)
    assert ready.found(SHA256, cellar) is not None
    settings.MODEL_SIGNING_KEY = "another key"
    assert ready.found(SHA256, cellar) is None


def test_what_another_release_made_is_not_read(
    cellar: Cellar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "libraries", lambda: {"scikit-learn": "99.0"})
    assert ready.found(SHA256, cellar) is None


@pytest.mark.parametrize("name", ["tails", "mahalanobis"])
def test_what_is_small_is_used_as_it_is(name: str, tmp_path: Path) -> None:
    model = artifacts.unpack(artifacts.pack(fitted(name)))
    assert ready.made(model, SHA256, Cellar(tmp_path, 8)) is model
    assert ready.found(SHA256, Cellar(tmp_path, 8)) is None


def test_a_ready_model_is_not_fitted_again(cellar: Cellar) -> None:
    found = ready.found(SHA256, cellar)
    assert isinstance(found, Fitted)
    assert isinstance(found.pipeline, Forest)
    with pytest.raises(TypeError, match="not fitted again"):
        found.fit(healthy_features())
