"""`manage.py ingest`: every row of a file once, whatever happens on the way."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from sensors import store
from sensors.acquisition import ingest as stored
from sensors.files import ingestion
from sensors.models import FileIngest, QuarantinedReading, Reading, Sensor, Site
from tests.factories import make_site, rows_of
from tests.sensors.documents import as_csv, as_ndjson

pytestmark = pytest.mark.django_db
REQUIRED = ("sensor", "time", "value")


@pytest.fixture
def site() -> Site:
    return make_site(slug="plant")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "readings.csv"
    path.write_bytes(as_csv(rows_of(n=20), REQUIRED))
    return path


def ingest(*arguments: object) -> str:
    said = StringIO()
    call_command("ingest", *map(str, arguments), "--site", "plant", stdout=said, stderr=said)
    return said.getvalue()


def status(*arguments: object) -> int:
    """The exit status, as a shell would see it."""
    try:
        ingest(*arguments)
    except CommandError as error:
        return error.returncode
    return 0


def test_a_file_is_read_and_its_end_remembered(site: Site, file: Path) -> None:
    said = ingest(file)
    assert "20 accepted, 0 duplicates, 0 rejected of 20 rows" in said
    assert Reading.objects.count() == 20
    record = FileIngest.objects.get()
    assert (record.site, record.name, record.size) == (site, "readings.csv", file.stat().st_size)
    assert (record.position, record.rows, record.accepted) == (record.size, 20, 20)
    assert record.finished_at is not None


def test_a_file_that_is_done_is_not_read_again(site: Site, file: Path) -> None:
    ingest(file)
    file_id, updated = FileIngest.objects.values_list("pk", "updated_at").get()
    assert "done before" in ingest(file)
    assert FileIngest.objects.values_list("pk", "updated_at").get() == (file_id, updated)
    assert "0 accepted, 20 duplicates" in ingest(file, "--again")
    assert Reading.objects.count() == 20


def test_values_that_differ_from_what_is_stored_are_counted(site: Site, file: Path) -> None:
    assert "from what is stored" not in ingest(file)
    rows = rows_of(n=20)
    rows[3]["value"] += 1
    file.write_bytes(as_csv(rows, REQUIRED))
    said = ingest(file)
    assert "0 accepted, 20 duplicates" in said
    assert "; 1 differ from what is stored" in said


def test_a_file_that_has_grown_is_another(site: Site, file: Path) -> None:
    ingest(file)
    with file.open("ab") as end:
        end.write(as_csv(rows_of("new", n=1), REQUIRED).partition(b"\n")[2])
    assert "1 accepted, 20 duplicates" in ingest(file)


def test_a_folder_is_all_files_in_it(site: Site, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.csv").write_bytes(as_csv(rows_of("a", n=2), REQUIRED))
    (tmp_path / "deep" / "b.ndjson.gz").write_bytes(gzip.compress(as_ndjson(rows_of("b", n=3))))
    (tmp_path / "notes.txt").write_text("not a reading")
    ingest(tmp_path)
    counts = {s.external_id: Reading.objects.filter(sensor=s).count() for s in Sensor.objects.all()}
    assert counts == {"a": 2, "b": 3}


def test_old_readings_are_not_stale(site: Site, file: Path) -> None:
    ingest(file)
    assert set(Reading.objects.values_list("quality", flat=True)) == {1.0}


def test_rejected_rows_are_in_quarantine_and_in_the_file(
    site: Site, file: Path, tmp_path: Path
) -> None:
    rows = rows_of(n=5)
    rows[3]["time"] = "later"
    rows[4]["quality"] = 0
    file.write_bytes(as_csv(rows))
    out = tmp_path / "rejects.ndjson"
    assert status(file, "--rejects", out) == 1
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(line["row"], line["category"], line["code"]) for line in lines] == [
        (3, "validation", "time_invalid"),
        (4, "quality", "quality_too_low"),
    ]
    assert {line["file"] for line in lines} == {"readings.csv"}
    assert lines[0]["reading"] == rows[3]
    held = QuarantinedReading.objects.values_list("source", "code")
    assert set(held) == {("file", "time_invalid"), ("file", "quality_too_low")}


def test_without_quarantine_rejected_rows_are_in_the_file_alone(
    site: Site, file: Path, tmp_path: Path
) -> None:
    file.write_bytes(as_csv([*rows_of(n=2), {"sensor": "x"}]))
    assert status(file, "--no-quarantine") == 2
    assert status(file, "--no-quarantine", "--rejects", tmp_path / "out") == 1
    assert len((tmp_path / "out").read_text().splitlines()) == 1
    assert not QuarantinedReading.objects.exists()


def test_a_dry_run_tells_what_is_in_it_and_writes_nothing(site: Site, file: Path) -> None:
    rows = [*rows_of("a", n=3), *rows_of("b", n=2), {"sensor": "x", "time": "later", "value": 1}]
    rows.append({**rows[0], "time": "9999-01-01T00:00:00Z"})
    file.write_bytes(as_csv(rows, REQUIRED))
    said = StringIO()
    with pytest.raises(CommandError) as refused:
        call_command("ingest", str(file), "--site", "plant", "--dry-run", stdout=said)
    assert refused.value.returncode == 1
    assert "7 rows, 5 readings well-formed, 2 rejected" in said.getvalue()
    assert "time_invalid 1" in said.getvalue()
    assert "time_in_future 1" in said.getvalue()
    assert "2 sensors, 2 of them new here" in said.getvalue()
    assert "from 2026-03-01T11:58:00" in said.getvalue()
    assert not Reading.objects.exists()
    assert not FileIngest.objects.exists()
    assert not Sensor.objects.exists()
    assert not QuarantinedReading.objects.exists()


def test_options_say_how_it_is_read(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "press.txt"
    how = ["--format", "csv", "--time-format", "%d.%m.%Y %H:%M", "--time-zone", "Europe/Berlin"]
    path.write_text("ts;temp;vib\n01.07.2025 12:00;1,5;\n")
    ingest(path, *how, "--map", "time=ts", "--wide", "--prefix", "{stem}/", "--decimal", ",")
    reading = Reading.objects.get()
    assert (reading.sensor.external_id, reading.value) == ("press/temp", 1.5)
    assert reading.time.isoformat() == "2025-07-01T10:00:00+00:00"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--map", "sensor"],
        ["--map", "colour=x"],
        ["--time-zone", "Berlin"],
        ["--batch-size", "0"],
        ["--columns", "a"],
        ["--wide", "--sensor", "a"],
        ["--sensor", "a", "--map", "sensor=b"],
        ["--map", "time=nowhere"],
        ["--rejects", "/nowhere/at/all"],
        ["--format", "parquet"],
    ],
)
def test_what_makes_no_sense_is_said_and_changes_nothing(
    site: Site, file: Path, arguments: list[str]
) -> None:
    with pytest.raises(CommandError):
        ingest(file, *arguments)
    assert not Reading.objects.exists()


@pytest.mark.parametrize("missing", ["nowhere.csv", "readings.xyz", "."])
def test_a_file_that_cannot_be_read_is_status_2(site: Site, tmp_path: Path, missing: str) -> None:
    (tmp_path / "readings.xyz").write_text("?")
    assert status(tmp_path / missing) == 2
    assert status("--site", "elsewhere", tmp_path) == 2


def test_a_file_that_cannot_be_read_does_not_stop_the_others(
    site: Site, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text('sensor,time,value\n"a,b\n')
    assert status(tmp_path) == 2
    assert Reading.objects.count() == 20


def test_a_large_file_read_in_the_wrong_way_does_not_end_in_quarantine(
    site: Site, file: Path
) -> None:
    rows = [{**row, "time": row["time"][:19]} for row in rows_of(n=ingestion.MANY_ROWS)]
    file.write_bytes(as_csv(rows, REQUIRED))
    assert status(file) == 2
    assert not QuarantinedReading.objects.exists()
    assert status(file, "--time-zone", "UTC") == 0
    assert Reading.objects.count() == len(rows)


def test_while_the_store_is_away_it_says_so_and_goes_on_afterwards(
    site: Site, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def second_fails(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OperationalError("the server is away")
        return stored(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(ingestion, "ingest", second_fails)
        assert status(file, "--batch-size", 8) == 3
    assert Reading.objects.count() == 8
    assert "8 of the readings by an earlier run" in ingest(file, "--batch-size", 8)
    assert Reading.objects.count() == 20
    assert FileIngest.objects.get().accepted == 20


def test_what_another_process_did_meanwhile_is_not_done_twice(
    site: Site, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(*args: Any, **kwargs: Any) -> Any:
        FileIngest.objects.update(position=1)
        return stored(*args, **kwargs)

    monkeypatch.setattr(ingestion, "ingest", overtaken)
    assert status(file) == 2
    assert not Reading.objects.exists()


def test_the_progress_bar_is_for_terminals(site: Site, file: Path) -> None:
    assert "%|" not in ingest(file)


# --- killed ---------------------------------------------------------------------------------------

ROWS = 60_000
# The command as a process of its own, on the database of the tests.
COMMAND = """
import os, sys
import django
from django.conf import settings
django.setup()
settings.DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "ingest", *sys.argv[1:]])
"""


def run(*arguments: str) -> subprocess.Popen[bytes]:
    environ = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "smartmaint.settings",
        "TEST_DATABASE": connection.settings_dict["NAME"],
    }
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments, "--site", "plant", "--batch-size", "500"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def wait_for(what: Any, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.django_db(transaction=True)
def test_killed_at_any_moment_the_next_run_goes_on(tmp_path: Path) -> None:
    site = make_site(slug="plant")
    path = tmp_path / "long.csv.gz"
    rows = [row for n in range(20) for row in rows_of(f"s{n}", n=ROWS // 20)]
    rows[1_500]["time"] = rows[ROWS - 1]["time"] = "later"
    path.write_bytes(gzip.compress(as_csv(rows, REQUIRED), compresslevel=1))

    def done() -> int:
        return FileIngest.objects.values_list("rows", flat=True).first() or 0

    reached = [0]
    for _ in range(2):
        process = run(str(path))
        wait_for(lambda: done() > reached[-1] + 2_000)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        reached.append(done())
        record = FileIngest.objects.get()
        # What is noted and what is stored are one.
        assert record.accepted == Reading.objects.count()
        assert record.accepted + record.quarantined == record.rows < ROWS
    assert reached[0] < reached[1] < reached[2]
    process = run(str(path))
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 1, said.decode()
    assert b"by an earlier run" in said
    record = FileIngest.objects.get()
    # No row was offered a second time.
    assert (record.accepted, record.duplicates, record.quarantined) == (ROWS - 2, 0, 2)
    assert record.rows == ROWS
    assert Reading.objects.filter(sensor__site=site).count() == ROWS - 2
    assert QuarantinedReading.objects.count() == 2
    assert store.breaker.state.value == "closed"
