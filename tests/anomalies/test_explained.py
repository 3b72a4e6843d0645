"""Every anomaly says what its score is made of, and its score is computed again to 1e-9."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from anomalies import predictions, recomputing
from anomalies.models import Anomaly, NatureSort, Rung
from anomalies.presentation import FEATURES
from mlops.detectors.fitted import CANDIDATES
from tests.anomalies.explained import CIRCUMSTANCES, DETECTORS, LABELLED, SORTS
from tests.factories import make_anomaly

EVERY_DETECTOR = {*recomputing.BY_DETECTOR, *CANDIDATES, LABELLED}


def assert_explained(found: list[Anomaly]) -> None:
    assert found
    for anomaly in found:
        again = recomputing.recompute(anomaly)
        assert again.score == pytest.approx(anomaly.score, abs=1e-9)
        assert not again.readings_changed
        parts = anomaly.explanation["contributions"]
        shares = [part["share"] for part in parts]
        assert sum(shares) == pytest.approx(1.0, abs=1e-9)
        assert shares == sorted(shares, reverse=True)
        assert shares[-1] >= 0
        if anomaly.level == "sensor":  # a machine's parts are its sensors
            assert {part["feature"] for part in parts} <= FEATURES.keys()
        out = StringIO()
        call_command("explain_anomaly", str(anomaly.pk), stdout=out)
        assert anomaly.sentence in out.getvalue()
        assert parts[0]["feature"] in out.getvalue()


def test_every_detector_rung_and_sort_has_a_case() -> None:
    """Who adds one says in tests/anomalies/explained.py how an anomaly of it comes about."""
    assert DETECTORS.keys() == EVERY_DETECTOR
    assert {case.rung for case in DETECTORS.values()} == set(Rung.values)
    assert SORTS.keys() == set(NatureSort.values)


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(EVERY_DETECTOR))
def test_what_a_detector_finds_is_explained(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = DETECTORS[name].made(monkeypatch)
    assert (name, DETECTORS[name].rung) in {(one.detector, one.rung) for one in found}
    assert_explained(found)


@pytest.mark.django_db
@pytest.mark.parametrize("sort", NatureSort.values)
def test_what_is_an_instruments_fault_is_explained(
    sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = SORTS[sort](monkeypatch)
    assert sort in {one.nature_sort for one in found}
    assert_explained(found)


@pytest.mark.django_db
@pytest.mark.parametrize("name", CIRCUMSTANCES)
def test_what_is_found_in_a_circumstance_is_explained(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_explained(CIRCUMSTANCES[name](monkeypatch))


@pytest.mark.django_db
def test_the_only_part_of_a_breach_is_the_limit_by_how_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (breach,) = DETECTORS["limits"].made(monkeypatch)
    (part,) = breach.explanation["contributions"]
    assert part == {"feature": "limit.alarm_high", "share": 1.0, "value": 1.0}
    assert breach.sentence.endswith("it is above the alarm limit set for this sensor.")
    assert "expected" not in breach.sentence  # before anything was known of it


@pytest.mark.django_db
def test_the_only_part_of_a_silence_is_its_length_in_patiences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for silence in DETECTORS["silence"].made(monkeypatch):
        (part,) = silence.explanation["contributions"]
        assert part["feature"] == "silence"
        assert part["value"] / (1 + part["value"]) == pytest.approx(silence.score, abs=1e-6)


@pytest.mark.django_db
def test_the_parts_of_a_prediction_add_up_to_how_far_it_lies_past_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (found,) = DETECTORS["forecast"].made(monkeypatch)
    parts = {part["feature"]: part for part in found.explanation["contributions"]}
    present, course = parts["forecast.present"], parts["forecast.course"]
    assert present["value"] < 0 < course["value"]
    assert course["share"] > 0.9
    made = predictions.Forecast.objects.get(sensor=found.sensor)
    past = max(made.mean) - found.explanation["predicted"]["value"]
    assert present["value"] + course["value"] == pytest.approx(past, abs=1e-5)


@pytest.mark.django_db
def test_a_score_under_a_name_that_nobody_has_is_not_computed_again() -> None:
    with pytest.raises(CommandError, match="there is no detector crystal_ball"):
        call_command("explain_anomaly", make_anomaly(detector="crystal_ball", rung="local").pk)
