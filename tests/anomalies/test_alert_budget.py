"""Alert budgets: the threshold that meets them, what it costs, and taking it back."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from anomalies import thresholds
from anomalies.budget import Counted, propose
from anomalies.models import Calibration
from sensors.models import Sensor
from tests.factories import NOW, make_asset, make_evidence, make_sensor, make_site

DAY, WEEK = timedelta(days=1), timedelta(weeks=1)


def counted(day: float, confidence: float, **values: Any) -> Counted:
    defaults: dict[str, Any] = {"subject": "pump", "opens": True, "in_scope": True, "counts": True}
    start = NOW + day * DAY
    defaults |= {"start": start, "end": start, "confidence": confidence, "is_confirmed": False}
    return Counted(**{**defaults, **values})


def test_the_lowest_threshold_that_meets_the_budget_is_proposed() -> None:
    found = [counted(2 * i, 0.5 + i / 20) for i in range(7)]
    asked: dict[str, Any] = {"threshold": 0.4, "length": 2 * WEEK, "rejoin": DAY}
    budget = propose(found, allowed_per_week=1.5, **asked)
    assert (budget.before.episodes, budget.before.per_week) == (7, 3.5)
    assert budget.after is not None
    assert (budget.after.threshold, budget.after.episodes) == (0.650001, 3)
    assert propose(found, allowed_per_week=3.5, **asked).after == budget.before


def test_what_comes_back_within_a_day_is_one_episode() -> None:
    found = [counted(i / 2, 0.5) for i in range(4)]
    assert (
        propose(found, threshold=0.4, allowed_per_week=1, length=WEEK, rejoin=DAY).before.episodes
        == 1
    )


def test_a_confirmed_fault_is_missed_only_if_nothing_tells_of_it() -> None:
    fault = counted(0, 0.5, end=NOW + DAY, is_confirmed=True)
    asked: dict[str, Any] = {"threshold": 0.6, "allowed_per_week": 9, "length": WEEK, "rejoin": DAY}
    assert propose([fault], **asked).before.missed == 1
    beside = counted(0.5, 0.9, in_scope=False)
    assert propose([fault, beside], **asked).before.missed == 0
    elsewhere = counted(0.5, 0.9, subject="fan")
    assert propose([fault, elsewhere], **asked).before.missed == 1


def test_what_is_certain_cannot_be_left_out() -> None:
    found = [counted(2 * i, 1.0) for i in range(3)]
    budget = propose(found, threshold=0.4, allowed_per_week=1, length=WEEK, rejoin=DAY)
    assert budget.after is None


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def sensor(db: None) -> Sensor:
    found = make_sensor(asset=make_asset(site=make_site(slug="north"), name="pump"))
    for i in range(6):
        start = timezone.now() - (2 + 4 * i) * DAY
        make_evidence(sensor=found, start=start, confidence=0.5 + i / 20, score=0.8)
    return found


def run(*options: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("alert_budget", "--site=north", *options, stdout=out, stderr=out)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_nothing_is_written_unless_told_to(sensor: Sensor) -> None:
    code, text = run("--per-week=0.5")
    assert code == 0
    assert "proposed  from confidence 0.65 on: 2 episodes, 0.5 a week, 0 confirmed missed" in text
    assert not Calibration.objects.exists()
    said = json.loads(run("--per-week=0.5", "--json")[1])
    assert (said["before"]["episodes"], said["after"]["episodes"]) == (6, 2)


def test_what_is_applied_is_in_force_until_it_is_reverted(sensor: Sensor) -> None:
    assert run("--kind=vibration", "--per-week=0.5", "--apply")[0] == 0
    row = Calibration.objects.get()
    assert row.report["after"]["episodes"] == 2
    assert row.before["false_positive"] == 0.4
    judged = thresholds.in_force().of(sensor_id=sensor.pk, kind="vibration")
    assert judged.false_positive_threshold == pytest.approx(0.650001)
    call_command("recalibrate", "--list", stdout=io.StringIO())
    call_command("recalibrate", f"--revert={row.pk}", stdout=io.StringIO())
    again = thresholds.in_force().of(sensor_id=sensor.pk, kind="vibration")
    assert again.false_positive_threshold == 0.4


def test_a_confirmed_fault_is_not_given_up_silently(sensor: Sensor) -> None:
    sensor.anomalies.filter(confidence=0.5).update(verdict="confirmed")
    code, text = run("--kind=vibration", "--per-week=0.5", "--apply")
    assert (code, "1 confirmed missed" in text) == (1, True)
    assert not Calibration.objects.exists()
    assert run("--kind=vibration", "--per-week=0.5", "--apply", "--accept-missed")[0] == 0
    assert Calibration.objects.count() == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--per-week=1", "--apply"], "needs --kind"),
        (["--per-week=1", "--kind=flow"], "no sensor of the kind"),
    ],
)
def test_what_is_wrong_is_said(sensor: Sensor, options: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said) as refused:
        run(*options)
    assert refused.value.returncode == 2


def test_a_budget_below_0_is_refused(sensor: Sensor) -> None:
    with pytest.raises(CommandError, match="-1 is below 0"):
        run("--per-week=-1")
