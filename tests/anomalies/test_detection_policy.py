"""What detection is told by settings is looked at when a process starts."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

from anomalies.detection_policy import DetectionPolicy, DetectionPolicyError, parse, parse_by_kind


def checked(settings: Settings, **values: object) -> dict[str, str]:
    for name, value in values.items():
        setattr(settings, name, value)
    return {str(found.id): str(found.msg) for found in run_checks()}


def test_what_is_not_said_is_the_default() -> None:
    assert parse({}) == DetectionPolicy()
    assert parse_by_kind({}) == {}


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ([], "no object"),
        ({"alarm": 0.5}, "alarm"),
        ({"false_alarms": "many"}, "false_alarms"),
        ({"false_alarms": 0}, "false_alarms"),
        ({"false_alarms": 1000}, "false_alarms"),
        ({"local_rows": True}, "local_rows"),
        ({"alarm_level": 1}, "alarm_level"),
    ],
)
def test_e009_a_policy_that_cannot_be_used(settings: Settings, said: object, named: str) -> None:
    with pytest.raises(DetectionPolicyError, match=named):
        parse(said)
    assert named in checked(settings, DETECTION_POLICY=said)["anomalies.E009"]


@pytest.mark.parametrize(
    ("said", "named"),
    [([], "no object"), ({"vibraton": 1}, "vibraton"), ({"vibration": 0}, "vibration")],
)
def test_e010_false_alarms_of_no_kind_or_of_no_number(
    settings: Settings, said: object, named: str
) -> None:
    assert named in checked(settings, FALSE_ALARMS_BY_KIND=said)["anomalies.E010"]


def test_settings_that_can_be_used_are_no_finding(settings: Settings) -> None:
    found = checked(
        settings, DETECTION_POLICY={"false_alarms": 2}, FALSE_ALARMS_BY_KIND={"other": 3}
    )
    assert not {"anomalies.E009", "anomalies.E010"} & set(found)
