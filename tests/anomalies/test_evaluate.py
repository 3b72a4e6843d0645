"""`manage.py evaluate`: readings with known faults in, figures with intervals out."""

import csv
import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from django.core.management import CommandError, call_command

from anomalies.evaluation import Judged, Rule, evaluate
from anomalies.labels import Interval

ROOT = Path(__file__).parents[2]
ROWS, FAULTS = 1_200, ((500, 505), (800, 805), (1_000, 1_005))
TIMES = np.datetime64("2026-03-01T00:00:00") + np.arange(ROWS) * np.timedelta64(600, "s")


def readings(seed: int = 0) -> np.ndarray:
    """Noise; the first two faults stand out, the third does not."""
    values = np.random.default_rng(seed).normal(20, 1, ROWS).round(3)
    for (first, last), size in zip(FAULTS, (15, -14, 0), strict=True):
        values[first : last + 1] += size
    return values


def labels(word: str = "1", well: str = "0") -> list[str]:
    is_fault = np.zeros(ROWS, dtype=bool)
    for first, last in FAULTS:
        is_fault[first : last + 1] = True
    return [word if fault else well for fault in is_fault]


def wrote(path: Path, header: str, *columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header.split(","), *zip(*columns, strict=True)])
    return path


def stretch(rows: tuple[int, int]) -> tuple[str, str]:
    return str(TIMES[rows[0]]), str(TIMES[rows[1]])


def evaluated(source: Path, **options: Any) -> dict[str, Any]:
    out = StringIO()
    options = {"warmup": 300} | options
    call_command("evaluate", source, json=True, stdout=out, **options)
    return json.loads(out.getvalue())


def counted(found: dict[str, Any]) -> tuple[int, int, int]:
    return found["faults"], found["found"], found["false_alarms"]


def test_it_runs_where_nothing_is_set_up_and_prints_a_table(tmp_path: Path):
    source = wrote(tmp_path / "in.csv", "time,value,label", TIMES, readings(), labels())
    done = subprocess.run(
        [sys.executable, "manage.py", "evaluate", source, "--warmup", "25%"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "2 of 3 faults found, 0 false alarms" in done.stdout
    for name in ("precision", "recall", "F1", "lead time", "sensor-month", "AUC-PR", "VUS-PR"):
        assert name in done.stdout


def test_a_column_of_labels_gives_all_figures_with_intervals(tmp_path: Path):
    source = wrote(tmp_path / "in.csv", "time,value,anomaly", TIMES, readings(), labels())
    found = evaluated(source)
    assert counted(found) == (3, 2, 0)
    figures = found["figures"]
    assert figures["recall"]["value"] == pytest.approx(2 / 3)
    assert figures["precision"]["value"] == 1.0
    assert figures["f1"]["value"] == pytest.approx(0.8)
    assert figures["delay_s"]["value"] == 0.0
    assert figures["lead_time_s"]["value"] == 5 * 600
    assert figures["false_alarms_per_sensor_month"]["value"] == 0.0
    assert found["sensor_months"] == pytest.approx((900 - 18) * 600 / (30 * 86_400))
    assert figures["recall"]["low"] < 2 / 3 < figures["recall"]["high"]
    for each in figures.values():
        assert each["low"] <= each["value"] <= each["high"]
    assert evaluated(source) == found


def test_labels_can_be_names_and_figures_are_given_for_each(tmp_path: Path):
    names = labels("unbalance", "normal")
    names[FAULTS[2][0] : FAULTS[2][1] + 1] = ["leak"] * 6
    source = wrote(tmp_path / "in.csv", "time,value,state", TIMES, readings(), names)
    found = evaluated(source, label="state")["by_sort"]
    assert found["unbalance"] == {"faults": 2, "found": 2, "median_delay_s": 0.0}
    assert found["leak"] == {"faults": 1, "found": 0, "median_delay_s": None}


def test_faults_may_lie_in_a_file_of_their_own_for_several_sensors(tmp_path: Path):
    sensor = np.repeat(["a", "b"], ROWS)
    values = np.concatenate([readings(1), readings(2)])
    wrote(tmp_path / "readings.csv", "sensor,time,value", sensor, np.tile(TIMES, 2), values)
    known = [stretch(FAULTS[0]), stretch(FAULTS[1])] * 2
    whose = ["a", "a", "b", "b"]
    wrote(tmp_path / "faults.csv", "start,end,sensor", *zip(*known, strict=True), whose)
    found = evaluated(tmp_path)
    assert counted(found)[:2] == (4, 4)
    assert [each["stream"] for each in found["by_stream"]] == ["a", "b"]


def test_windows_of_files_in_json_are_read_and_a_file_without_any_is_healthy(tmp_path: Path):
    wrote(tmp_path / "deep" / "pump.csv", "timestamp,value", TIMES, readings())
    wrote(tmp_path / "calm.csv", "timestamp,value", TIMES, readings()[:1].repeat(ROWS))
    windows = {"deep/pump.csv": [stretch(each) for each in FAULTS], "calm.csv": []}
    (tmp_path / "windows.json").write_text(json.dumps(windows))
    assert counted(evaluated(tmp_path)) == (3, 2, 0)


def test_a_failure_that_is_a_moment_may_be_foreseen(tmp_path: Path):
    source = wrote(tmp_path / "in.csv", "time,value", TIMES, readings())
    faults = wrote(tmp_path / "failures.csv", "start", [str(TIMES[520])])
    assert counted(evaluated(source, faults=faults)) == (1, 0, 2)
    found = evaluated(source, faults=faults, early=np.timedelta64(6, "h"))
    assert counted(found) == (1, 1, 1)
    assert found["figures"]["delay_s"]["value"] == -20 * 600
    assert found["figures"]["lead_time_s"]["value"] == 20 * 600


def test_a_silence_is_found_by_the_reading_that_ends_it():
    times = np.delete(TIMES, np.arange(500, 520)).astype("datetime64[us]")
    scores = np.where(np.arange(len(times)) == 500, 0.9, 0.0)
    silence = Interval(TIMES[502].astype("datetime64[us]"), TIMES[510].astype("datetime64[us]"))
    found = evaluate([Judged("s", times, scores, (silence,))], Rule())
    assert (found.counts.found, found.counts.false_alarms) == (1, 0)


@pytest.mark.parametrize("suffix", ["parquet", "ndjson"])
def test_parquet_and_ndjson_read_as_csv_does(tmp_path: Path, suffix: str):
    wanted = evaluated(wrote(tmp_path / "in.csv", "time,value,label", TIMES, readings(), labels()))
    path = tmp_path / f"in.{suffix}"
    rows = {"time": [f"{time}Z" for time in TIMES], "value": readings(), "label": labels()}
    if suffix == "parquet":
        typed = {"time": pa.array(TIMES.astype("datetime64[us]"), pa.timestamp("us", "UTC"))}
        pa.parquet.write_table(pa.table(rows | typed), path)
    else:
        lines = (dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True))
        path.write_text("\n".join(map(json.dumps, lines)))
    assert evaluated(path)["figures"] == wanted["figures"]


def test_files_without_labels_are_left_out_unless_they_are_known_to_be_healthy(tmp_path: Path):
    wrote(tmp_path / "in.csv", "time,value,label", TIMES, readings(), labels())
    wrote(tmp_path / "other.csv", "time,value", TIMES, readings(3))
    said = StringIO()
    assert evaluated(tmp_path, stderr=said)["streams"] == 1
    assert "other.csv: no column anomaly or" in said.getvalue()
    assert counted(evaluated(tmp_path, healthy=True)) == (3, 2, 2)


def test_labels_are_never_read_by_the_detectors(tmp_path: Path):
    known = labels()
    turned = ["0" if each == "1" else "1" for each in known]
    one = wrote(tmp_path / "a.csv", "time,value,state", TIMES, readings(), known)
    other = wrote(tmp_path / "b.csv", "time,value,state", TIMES, readings(), turned)
    alarms = [
        sum(found["by_stream"][0][name] for name in ("found", "false_alarms"))
        for found in (evaluated(path, label="state") for path in (one, other))
    ]
    assert alarms == [2, 2]


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ("start,end\nyesterday,today\n", "start is 'yesterday'"),
        ("start,end\n2026-03-05,2026-03-04\n", "row 2: the fault ends at 2026-03-04"),
        ("begin,end\n2026-03-04,2026-03-05\n", "no column start among begin, end"),
        ("start,sensor\n2026-03-04,pump-9\n", "no stream is called pump-9; there are in.csv"),
        ("", "the file is empty"),
    ],
)
def test_a_wrong_file_of_faults_is_named_with_its_row(tmp_path: Path, faults: str, message: str):
    source = wrote(tmp_path / "in.csv", "time,value", TIMES, readings())
    path = tmp_path / "faults.csv"
    path.write_text(faults)
    with pytest.raises(CommandError, match=message) as refused:
        evaluated(source, faults=path)
    assert str(path) in str(refused.value)


def test_wrong_readings_are_all_named_at_once_and_nothing_is_judged(tmp_path: Path):
    wrote(tmp_path / "in.csv", "time,value,label", TIMES, readings(), labels())
    (tmp_path / "broken.csv").write_text("time,value\n2026-03-01,warm\n")
    (tmp_path / "deaf.ndjson").write_text("no json")
    with pytest.raises(CommandError, match=r"broken.csv: row 2: value is 'warm'") as refused:
        evaluated(tmp_path)
    assert "deaf.ndjson: cannot be read" in str(refused.value)


@pytest.mark.parametrize(
    ("cells", "message"),
    [(["0"] * ROWS, "no fault is labelled"), (["7"] * ROWS, "label is '7'; expected 0 or 1")],
)
def test_labels_that_say_nothing_are_refused(tmp_path: Path, cells: list[str], message: str):
    source = wrote(tmp_path / "in.csv", "time,value,label", TIMES, readings(), cells)
    with pytest.raises(CommandError, match=message):
        evaluated(source)


def test_an_empty_folder_is_refused(tmp_path: Path):
    with pytest.raises(CommandError, match="There is no file of readings"):
        evaluated(tmp_path)
