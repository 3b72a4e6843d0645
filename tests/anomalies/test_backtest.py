"""`manage.py backtest`: files in, the same rows with scores out, without any server."""

import csv
import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from django.core.management import CommandError, call_command

from anomalies import tables
from anomalies.backtest import scores_of
from anomalies.columnar import TableError

ROOT = Path(__file__).parents[2]
ROWS = 900
START = np.datetime64("2026-03-01T00:00:00")


def lines_of(values: np.ndarray, *, mark: str = ",", head: str = "time,value") -> str:
    times = (START + np.arange(len(values)) * np.timedelta64(300, "s")).astype(str)
    cells = np.column_stack([times, np.asarray(values).astype(str)])
    body = "\n".join(mark.join(row) for row in cells)
    return f"{head.replace(',', mark)}\n{body}\n"


def healthy(columns: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(20, 1, (ROWS, columns)).round(3)


def spiked(columns: int = 1) -> np.ndarray:
    values = healthy(columns)
    values[800, -1] = 60.0
    return values


def rows_of(path: Path, mark: str = ",") -> list[dict[str, str]]:
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    return list(csv.DictReader(text.splitlines(), delimiter=mark))


def backtest(source: Path, out: Path, **options: object) -> None:
    call_command("backtest", source, out=out, **options)


def test_it_runs_where_nothing_is_set_up(tmp_path: Path):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(lines_of(spiked()))
    done = subprocess.run(
        [sys.executable, "manage.py", "backtest", source, "--out", out, "--warmup", "100"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = rows_of(out)
    assert [row["time"] for row in found] == [line[:19] for line in lines_of(spiked()).split()[1:]]
    assert found[800]["anomaly"] == "1"
    assert all(0 <= float(row["score"]) <= 1 for row in found)
    assert all((float(row["score"]) >= 0.5) == (row["anomaly"] == "1") for row in found)


def test_a_file_cut_short_has_the_same_scores_to_the_last_digit(tmp_path: Path):
    text = lines_of(spiked(2), head="time,a,b")
    (tmp_path / "whole.csv").write_text(text)
    (tmp_path / "cut.csv").write_text("\n".join(text.splitlines()[:701]))
    backtest(tmp_path / "whole.csv", tmp_path / "1.csv")
    backtest(tmp_path / "cut.csv", tmp_path / "2.csv")
    assert rows_of(tmp_path / "2.csv") == rows_of(tmp_path / "1.csv")[:700]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_folder_is_mirrored_as_it_is_written(tmp_path: Path, mark: str, zipped: bool):
    name = "deep/pump.csv.gz" if zipped else "deep/pump.csv"
    source = tmp_path / "in" / name
    source.parent.mkdir(parents=True)
    text = lines_of(spiked(3), mark=mark, head="datetime,flow,current,pressure").encode()
    source.write_bytes(gzip.compress(text) if zipped else text)
    backtest(tmp_path / "in", tmp_path / "out", warmup=200)
    found = rows_of(tmp_path / "out" / name, mark)
    assert list(found[0]) == ["datetime", "flow", "current", "pressure", "score", "anomaly"]
    assert found[800]["anomaly"] == "1"


def test_sensors_of_one_file_are_judged_each_by_itself(tmp_path: Path):
    a, b = lines_of(spiked()).splitlines()[1:], lines_of(healthy(seed=5)).splitlines()[1:]
    mixed = [
        f"{name},{line}"
        for pair in zip(a, b, strict=True)
        for name, line in zip("ab", pair, strict=True)
    ]
    (tmp_path / "both.csv").write_text("\n".join(["sensor,time,value", *mixed]))
    (tmp_path / "a.csv").write_text("\n".join(["time,value", *a]))
    backtest(tmp_path / "both.csv", tmp_path / "1.csv")
    backtest(tmp_path / "a.csv", tmp_path / "2.csv")
    own = [row["score"] for row in rows_of(tmp_path / "1.csv") if row["sensor"] == "a"]
    assert own == [row["score"] for row in rows_of(tmp_path / "2.csv")]


def test_known_answers_are_carried_along_and_not_read(tmp_path: Path):
    values = spiked(2)
    answers = np.column_stack([values, np.arange(ROWS) == 100, np.zeros(ROWS)])
    (tmp_path / "with.csv").write_text(lines_of(answers, head="time,a,b,anomaly,changepoint"))
    (tmp_path / "without.csv").write_text(lines_of(values, head="time,a,b"))
    backtest(tmp_path / "with.csv", tmp_path / "1.csv")
    backtest(tmp_path / "without.csv", tmp_path / "2.csv")
    found, plain = rows_of(tmp_path / "1.csv"), rows_of(tmp_path / "2.csv")
    assert [row["score"] for row in found] == [row["score"] for row in plain]
    assert [row["given_anomaly"] for row in found] == [str(float(i == 100)) for i in range(ROWS)]


def test_a_kind_brings_its_physical_limits(tmp_path: Path):
    values = healthy()
    values[5] = 101.0
    (tmp_path / "in.csv").write_text(lines_of(values))
    backtest(tmp_path / "in.csv", tmp_path / "out.csv", kind="humidity")
    assert rows_of(tmp_path / "out.csv")[5]["anomaly"] == "1"


def test_gaps_are_gaps(tmp_path: Path):
    cells = healthy().astype(str)
    cells[[50, 60, 70], 0] = ["", "NaN", "1e200"]
    path = tmp_path / "in.csv"
    path.write_text(lines_of(cells))
    table = tables.read(path)
    assert np.flatnonzero(np.isnan(table.values["value"])).tolist() == [50, 60, 70]
    assert table.doubts[0].startswith("3 values are missing")
    assert (scores_of(table)[[50, 60, 70]] == 0).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("when,value\n2026-01-01,1\n", "no column named time in the header when, value"),
        ("time,sensor\n2026-01-01,a\n", "none named value"),
        ("time,note\n2026-01-01,fine\n", "no column of numbers"),
        ("time,value\n2026-01-01,1\n2026-01-02,much\n", "row 3: value is 'much' and no number"),
        ("time,value\n2026-01-01,1\nyesterday,2\n", "row 3: time is 'yesterday'"),
        ("time,value\n2026-01-01,1\n2026-01-02\n", "row 3 has 1 cells where the header has 2"),
        ("time,value\n2026-01-02,1\n2026-01-01,2\n", "row 3: its time is not after"),
        ("time,value\n2026-01-02,1\n2026-01-02,2\n", "row 3: its time is not after"),
    ],
)
def test_what_is_no_table_is_named_with_its_row(tmp_path: Path, text: str, said: str):
    (tmp_path / "in.csv").write_text(text)
    with pytest.raises(TableError, match=said):
        tables.read(tmp_path / "in.csv")


def test_a_few_repeated_times_are_judged_in_the_order_given(tmp_path: Path):
    lines = lines_of(healthy()).splitlines()
    (tmp_path / "in.csv").write_text("\n".join([*lines[:500], lines[499], *lines[500:]]))
    table = tables.read(tmp_path / "in.csv")
    assert len(table) == ROWS + 1
    assert table.doubts[0].startswith("1 rows are not after")


@pytest.mark.parametrize(
    "mark", ["2026-01-01T00:00:00Z", "2026-01-01 01:00:00+01:00", "1767225600", "2026-01-01"]
)
def test_times_are_read_as_people_write_them(tmp_path: Path, mark: str):
    (tmp_path / "in.csv").write_text(f"timestamp,value\n{mark},1\n")
    assert tables.read(tmp_path / "in.csv").times[0] == np.datetime64("2026-01-01T00:00", "us")


def test_one_bad_file_does_not_keep_the_others_from_being_judged(tmp_path: Path, capsys):
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.csv").write_text("nothing here\n1\n")
    (source / "b.csv").write_text(lines_of(healthy()))
    with pytest.raises(CommandError, match="1 of 2 files"):
        backtest(source, tmp_path / "out")
    assert "a.csv: no column named time" in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["b.csv"]


def test_what_is_read_is_never_written_over(tmp_path: Path):
    (tmp_path / "in.csv").write_text(lines_of(healthy()))
    for source, out in ((tmp_path / "in.csv",) * 2, (tmp_path, tmp_path / "scores")):
        with pytest.raises(CommandError):
            backtest(source, out)
    with pytest.raises(CommandError, match="There is no file or folder"):
        backtest(tmp_path / "away.csv", tmp_path / "out.csv")


def test_a_table_without_rows_stays_without_rows(tmp_path: Path):
    (tmp_path / "in.csv").write_text("time,value\n")
    backtest(tmp_path / "in.csv", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "time,value,score,anomaly\n"


def test_judging_twice_writes_the_same_file(tmp_path: Path):
    (tmp_path / "in.csv").write_text(lines_of(spiked()))
    for name in ("1.csv", "2.csv"):
        backtest(tmp_path / "in.csv", tmp_path / name)
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()


def test_of_vibration_a_fall_is_no_fault():
    values = healthy()[:, 0]
    values[800] = 5.0
    times = (START + np.arange(ROWS) * np.timedelta64(300, "s")).astype("datetime64[us]")
    table = tables.Table(",", (), [[] for _ in times], times, {"value": values}, (), ())
    assert scores_of(table, warmup=400)[800] > 0.5
    assert scores_of(table, warmup=400, kind="vibration")[800] == 0.0
    values[800] = 60.0
    assert scores_of(table, warmup=400, kind="vibration")[800] > 0.5


def test_parquet_in_a_folder_becomes_csv(tmp_path: Path):
    times = START + np.arange(ROWS) * np.timedelta64(300, "s")
    columns = pa.table({"time": times.astype("datetime64[us]"), "value": spiked()[:, 0]})
    (tmp_path / "in").mkdir()
    pa.parquet.write_table(columns, tmp_path / "in" / "pump.parquet")
    backtest(tmp_path / "in", tmp_path / "out", warmup=200)
    found = rows_of(tmp_path / "out" / "pump.csv")
    assert (len(found), found[800]["anomaly"]) == (ROWS, "1")
