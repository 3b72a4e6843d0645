"""Every command of ours says what it does, and refuses in one line what it cannot use."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stderr, redirect_stdout

import pytest
from django.core import management
from django.core.exceptions import ImproperlyConfigured
from django.core.management import ManagementUtility, get_commands, load_command_class
from django.db import OperationalError

import manage

APPS = {"sensors": "sensors", "mlops": "mlops", "anomalies": "anomalies"}
OURS = {name: app for name, app in get_commands().items() if app in APPS}


def told(*words: str) -> tuple[int, str]:
    """The exit status of a command line and what it printed, on either stream."""
    text = io.StringIO()
    with redirect_stdout(text), redirect_stderr(text), pytest.raises(SystemExit) as left:
        ManagementUtility(["manage.py", *words]).execute()
    return int(left.value.code or 0), text.getvalue()


@pytest.mark.parametrize("name", OURS)
def test_help_has_every_option_explained_and_ends_with_examples(name: str) -> None:
    command = load_command_class(OURS[name], name)
    parser = command.create_parser("manage.py", name)
    ours = [each for each in parser._actions if each.option_strings != ["-h", "--help"]]
    assert [each.dest for each in ours if not each.help and not each.choices] == []
    text = parser.format_help()
    usage = text.split("\n\n")[0]
    assert "--pythonpath" not in usage, "options of every command hide those of this one"
    assert re.search(rf" {name}\b", parser.epilog or "")
    assert "xit " in (parser.epilog or ""), "it ends with the exit statuses"
    assert max(map(len, text.splitlines())) <= 140


@pytest.mark.parametrize(
    "line",
    [
        "ingest_key create --site x --name x --days 1e12",
        "ingest_key create --site x --name x --days -1",
        "ingest_key create --site x --name x --rate nan",
        "ingest_key create --site x --name x --burst 0",
        "simulate --rate nan",
        "simulate --fault-every -5",
        "simulate --batch-size 0",
        "simulate --for -1",
        "simulate --url ftp://x",
        "simulate --site no/slug",
        "seed --seed -1",
        "evaluate x --early 1e30d",
        "train anomaly --seed -1",
        "fleets --seconds nan",
        "alert_budget --site x --per-week nan",
        "alert_budget --site x --per-week 1 --weeks 0",
    ],
)
def test_a_number_that_makes_no_sense_is_refused_in_one_line(line: str) -> None:
    status, text = told(*line.split())
    assert status == 2
    assert "error: argument --" in text.splitlines()[-1]
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (KeyboardInterrupt(), 130, ""),
        (ImproperlyConfigured("SECRET_KEY is not set."), 1, "SECRET_KEY is not set."),
        (OperationalError("no route\nsecond line"), 1, "PostgreSQL cannot be used: no route"),
    ],
)
def test_a_command_that_is_stopped_or_has_no_store_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, raised: BaseException, status: int, said: str
) -> None:
    def execute(_arguments: list[str]) -> None:
        raise raised

    monkeypatch.setattr(management, "execute_from_command_line", execute)
    with pytest.raises(SystemExit) as left:
        manage.main()
    assert left.value.code == (said or status)
