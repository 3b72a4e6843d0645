"""`manage.py replay`: what it says, and what it refuses."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from anomalies.models import ValidationRule
from tests.factories import NOW, make_asset, make_readings, make_sensor, make_site

pytestmark = pytest.mark.django_db(transaction=True)

SPAN = ("--since=2026-03-01T11:00", "--until=2026-03-01T12:00", "--lead=0", "--step=900")


def replayed(*options: str) -> str:
    out = io.StringIO()
    call_command("replay", *SPAN, *options, stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.fixture
def limit_crossed() -> None:
    """A reading past an alarm limit that was stored and never scored."""
    sensor = make_sensor(asset=make_asset(site=make_site(slug="north"), name="pump"), alarm_high=50)
    make_readings(sensor, [40.0] * 20 + [90.0] * 3 + [40.0] * 20, until=NOW)


def test_it_says_what_would_have_been(limit_crossed: None, tmp_path: Path) -> None:
    text = replayed()
    assert "north: 2026-03-01 11:00 to 2026-03-01 12:00, UTC" in text
    assert "as it is configured now; 43 readings" in text
    assert "+ 2026-03-01 11:38 – 2026-03-01 11:40  north/pump  severity 4" in text
    labels = tmp_path / "labels.csv"
    labels.write_text("asset,start,end\npump,2026-03-01T11:30,2026-03-01T11:50\n")
    found = json.loads(replayed("--json", f"--labels={labels}"))
    assert found["counts"]["was"]["episodes"] == 0
    assert found["counts"]["would_be"] == {"anomalies": 1, "episodes": 1, "notifications": 0}
    assert found["differences"]["episodes"]["counts"]["added"] == 1
    assert found["quality"]["was"]["recall"] == 0.0
    assert found["quality"]["would_be"]["precision"] == 1.0


def test_differences_are_an_exit_code_where_asked_for(limit_crossed: None) -> None:
    with pytest.raises(SystemExit) as ended:
        replayed("--exit-code")
    assert ended.value.code == 1


def test_a_rule_that_is_not_there_yet_is_tried(limit_crossed: None, tmp_path: Path) -> None:
    rule = tmp_path / "rule.json"
    forced = {"name": "known", "conditions": [], "forced_decision": "false_positive_suspected"}
    rule.write_text(json.dumps(forced))
    assert json.loads(replayed("--json", f"--rule={rule}"))["counts"]["would_be"]["episodes"] == 0
    assert not ValidationRule.objects.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--site=nowhere"], "There is no site nowhere"),
        (["--rule=99"], "There is no rule 99"),
        (["--without-window=99"], "There is no window 99"),
        (["--model=anomaly-vibration@7"], "has no approved version 7"),
        (["--model=anomaly"], "NAME@VERSION"),
        (["--window=now"], "START/END"),
        (["--window=2026-03-01T12:00/2026-03-01T11:00"], "It ends after it starts"),
        (["--policy=/nowhere.json"], "No such file"),
        (["--labels=/nowhere.csv"], "No such file"),
    ],
)
def test_what_is_wrong_is_said(limit_crossed: None, options: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said) as refused:
        replayed(*options)
    assert refused.value.returncode == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"EPISODE_POLICY": {"mood": 1}}', "EPISODE_POLICY: EPISODE_POLICY"),
        ('{"SECRET_KEY": "x"}', "SECRET_KEY is none of"),
        ("[]", "not names with values"),
        ("{", "policy.json"),
    ],
)
def test_a_policy_that_is_none_is_refused(
    limit_crossed: None, tmp_path: Path, text: str, said: str
) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text(text)
    with pytest.raises(CommandError, match=said):
        replayed(f"--policy={policy}")


def test_labels_name_what_is_there(limit_crossed: None, tmp_path: Path) -> None:
    labels: Any = tmp_path / "labels.csv"
    for text, said in (
        ("asset,start\npump,2026-03-01\n", "columns"),
        ("asset,start,end\nmill,2026-03-01,2026-03-02\n", "Line 2: there is no machine"),
        ("asset,start,end\npump,monday,2026-03-02\n", "Line 2: Invalid"),
    ):
        labels.write_text(text)
        with pytest.raises(CommandError, match=said):
            replayed(f"--labels={labels}")


def test_what_no_readings_are_of_is_empty_and_says_so(limit_crossed: None) -> None:
    out = io.StringIO()
    span = ("--since=2025-03-01", "--until=2025-03-02", "--lead=0", "--step=3600")
    call_command("replay", *span, stdout=out, stderr=io.StringIO())
    assert "0 readings" in out.getvalue()
    assert "Mind: There are no readings in that time" in out.getvalue()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--since=2998-12-01", "--until=2999-01-01"], "still to come"),
        (["--since=2999-01-01"], "ends before it begins"),
        (["--since=2026-03-02", "--until=2026-03-01"], "ends before it begins"),
        (["--since=0001-01-01", "--until=0001-01-02"], "before 1900"),
        (["--since=2026-03-01", "--lead=9999"], "lead is 0 to 400 days"),
        (["--since=2026-03-01", "--step=0"], "A step is"),
        (["--since=2026-03-01", "--asset=pump"], "--asset is that of a --window"),
    ],
)
def test_a_time_that_cannot_be_run_is_refused(
    limit_crossed: None, options: list[str], said: str
) -> None:
    with pytest.raises(CommandError, match=said) as refused:
        call_command("replay", *options, stdout=io.StringIO(), stderr=io.StringIO())
    assert refused.value.returncode == 2
