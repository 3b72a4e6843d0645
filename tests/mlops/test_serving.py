"""Serving, with a real MLflow server: the champion by alias, checked, cached, or a reason."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_django import Settings

from mlops import artifacts, promotion, registry, serving
from mlops.approval import Refused, revoke
from mlops.cache import digest
from mlops.detectors.base import ALARM_LEVEL
from mlops.models import ModelApproval, Promotion
from mlops.serving import Champion, NoChampion, champions_for
from smartmaint.services.mlflow import MlflowServer
from tests.factories import NOW
from tests.mlops.makers import fitted, healthy_features, new_name, register

pytestmark = pytest.mark.django_db


def served(name: str) -> Champion | NoChampion:
    return champions_for([(1, name.removeprefix("anomaly-"))])[1]


def version_of(name: str) -> int:
    found = served(name)
    assert isinstance(found, Champion)
    return found.version


def champion(**values: Any) -> ModelApproval:
    """A registered, approved version under the alias, whatever its bytes."""
    row = register(name=new_name(), **values)
    registry.set_alias(row.name, registry.CHAMPION, row.version)
    Promotion.objects.create(name=row.name, version=row.version, promoted_at=NOW)
    return row


def refusal(row: ModelApproval) -> str:
    """Why the champion is refused; a refused champion is one to come back to."""
    found = served(row.name)
    assert isinstance(found, NoChampion)
    assert found.expected
    return found.reason


def test_the_champion_loads_and_scores_as_when_it_was_trained(mlflow: MlflowServer) -> None:
    row = champion()
    found = served(row.name)
    assert isinstance(found, Champion)
    assert (found.name, found.version) == (row.name, 1)
    X = healthy_features()
    assert np.array_equal(found.detector.score(X), fitted().score(X))


def test_a_sensor_of_its_own_model_is_served_that_one(mlflow: MlflowServer) -> None:
    of_kind = champion()
    own = register(name=serving.model_for_sensor(77))
    registry.set_alias(own.name, registry.CHAMPION, own.version)
    kind = of_kind.name.removeprefix("anomaly-")
    found = champions_for([(77, kind), (78, kind)])
    assert {pk: each.name for pk, each in found.items() if isinstance(each, Champion)} == {
        77: own.name,
        78: of_kind.name,
    }


def test_a_kind_without_champion_expects_none(mlflow: MlflowServer) -> None:
    found = served(new_name())
    assert isinstance(found, NoChampion)
    assert not found.expected


def test_a_registered_version_without_alias_serves_nobody(mlflow: MlflowServer) -> None:
    found = served(register(name=new_name()).name)
    assert isinstance(found, NoChampion)
    assert not found.expected


def test_a_tampered_artifact_is_refused(mlflow: MlflowServer) -> None:
    row = champion(artifact=artifacts.pack(fitted()) + b"!", approved=artifacts.pack(fitted()))
    assert "not the one that was approved" in refusal(row)


def test_a_truncated_artifact_is_refused(mlflow: MlflowServer) -> None:
    packed = artifacts.pack(fitted())
    assert "not the one that was approved" in refusal(
        champion(artifact=packed[:100], approved=packed)
    )


def test_bytes_that_are_no_detector_are_refused_even_when_approved(mlflow: MlflowServer) -> None:
    assert "no zip" in refusal(champion(artifact=b"\x80\x04cos\nsystem\n."))


def test_a_version_nobody_approved_is_refused(mlflow: MlflowServer) -> None:
    row = champion()
    ModelApproval.objects.all().delete()
    assert "never approved" in refusal(row)


def test_a_hash_that_was_changed_in_the_database_is_refused(mlflow: MlflowServer) -> None:
    row = champion()
    ModelApproval.objects.update(sha256="0" * 64)
    assert "signature" in refusal(row)


def test_an_approval_signed_with_another_key_is_refused(
    mlflow: MlflowServer, settings: Settings
) -> None:
    row = champion()
    settings.MODEL_SIGNING_KEY = "another key"
    assert "signature" in refusal(row)


def test_an_approval_does_not_hold_for_another_version(mlflow: MlflowServer) -> None:
    row = champion()
    ModelApproval.objects.update(version=2)
    with pytest.raises(Refused, match="signature"):
        serving.load(row.name, 2)


def test_a_revoked_version_is_refused_also_when_it_is_cached(mlflow: MlflowServer) -> None:
    row = champion()
    assert isinstance(served(row.name), Champion)
    revoke(approval=row, now=NOW)
    assert "revoked" in refusal(row)


def test_a_cached_model_is_not_fetched_again(
    mlflow: MlflowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = champion()
    assert isinstance(served(row.name), Champion)
    asked: list[str] = []
    monkeypatch.setattr(registry, "download", lambda name, _version: asked.append(name))
    monkeypatch.setattr(artifacts, "unpack", lambda _artifact: asked.append("unpack"))
    assert isinstance(served(row.name), Champion)
    assert asked == []


def test_another_process_finds_the_artifact_on_disk(
    mlflow: MlflowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = champion()
    served(row.name)
    serving.forget()
    monkeypatch.setattr(registry, "download", lambda *_: pytest.fail("it is on disk"))
    assert isinstance(served(row.name), Champion)


def test_a_file_touched_on_disk_is_fetched_again(mlflow: MlflowServer, model_cache: Path) -> None:
    row = champion()
    served(row.name)
    (path,) = model_cache.glob("*.zip")
    path.write_bytes(b"touched")
    serving.forget()
    assert isinstance(served(row.name), Champion)
    assert digest(path.read_bytes()) == row.sha256


def test_a_cached_model_outlives_its_time_only_by_its_file(
    mlflow: MlflowServer, settings: Settings
) -> None:
    settings.MODEL_CACHE_TTL_SECONDS = 0
    serving.forget()
    row = champion()
    first, second = served(row.name), served(row.name)
    assert isinstance(first, Champion)
    assert isinstance(second, Champion)
    assert first.detector is not second.detector


def test_many_sensors_of_a_kind_share_one_detector(mlflow: MlflowServer) -> None:
    kind = champion().name.removeprefix("anomaly-")
    found = champions_for([(pk, kind) for pk in range(50)])
    detectors = {id(each.detector) for each in found.values() if isinstance(each, Champion)}
    assert len(detectors) == 1


def test_an_outage_names_the_reason_and_is_over_when_the_server_is_back(
    mlflow: MlflowServer,
) -> None:
    row = champion()
    mlflow.stop()
    assert "does not answer" in refusal(row)
    started = time.monotonic()
    for _ in range(20):
        assert "not being asked" in refusal(row)
    assert time.monotonic() - started < 1
    never = served(new_name())
    assert isinstance(never, NoChampion)
    assert not never.expected
    mlflow.start()
    serving.forget()
    assert isinstance(served(row.name), Champion)


def test_a_server_that_hangs_costs_one_time_out(settings: Settings, model_cache: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.MLFLOW_TRACKING_URI = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings.REGISTRY_TIMEOUT_SECONDS = 1
        Promotion.objects.create(name="anomaly-hanging", version=1, promoted_at=NOW)
        started = time.monotonic()
        for _ in range(5):
            found = served("anomaly-hanging")
            assert isinstance(found, NoChampion)
            assert found.expected
        assert time.monotonic() - started < 3


def test_promotion_and_roll_back_show_at_the_next_call(mlflow: MlflowServer) -> None:
    name = new_name()
    for detector in ("tails", "mahalanobis", "isolation_forest"):
        row = register(fitted(detector), name=name)
        promotion.promote(name, row.version, reason="better", now=NOW + timedelta(row.version))
    assert version_of(name) == 3
    later = NOW + timedelta(days=9)
    promotion.roll_back(name, reason="worse", now=later)
    assert version_of(name) == 2
    promotion.roll_back(name, reason="still worse", now=later + timedelta(1))
    assert version_of(name) == 1
    with pytest.raises(promotion.NothingToRollBackTo):
        promotion.roll_back(name, reason="once more", now=later + timedelta(2))


def test_what_cannot_be_loaded_is_not_promoted(mlflow: MlflowServer) -> None:
    row = register(name=new_name(), artifact=b"junk")
    with pytest.raises(Refused):
        promotion.promote(row.name, row.version, reason="why not", now=NOW)
    assert not Promotion.objects.exists()
    assert row.name not in registry.champions("anomaly-")


def test_a_version_that_does_not_exist_is_not_promoted(mlflow: MlflowServer) -> None:
    with pytest.raises(Refused, match="never approved"):
        promotion.promote(new_name(), 4, reason="why not", now=NOW)


def test_a_promotion_is_announced_after_commit(
    mlflow: MlflowServer, django_capture_on_commit_callbacks: object
) -> None:
    from mlops.signals import champion_changed

    row = register(name=new_name())
    heard: list[str] = []

    def listen(name: str, **_: object) -> None:
        heard.append(name)

    champion_changed.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
            promotion.promote(row.name, row.version, reason="first", now=NOW)
            assert heard == []
    finally:
        champion_changed.disconnect(listen)
    assert heard == [row.name]


def test_the_served_champion_finds_a_known_fault(mlflow: MlflowServer) -> None:
    found = served(champion().name)
    assert isinstance(found, Champion)
    odd = healthy_features()[:1].copy()
    odd[:, :5] += 15
    assert found.detector.score(odd)[0] >= ALARM_LEVEL
