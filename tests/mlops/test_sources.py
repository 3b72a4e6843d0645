"""Public data sets in their publishers' layouts: read as they are, refused with the place."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.io.wavfile

from mlops.extraction.machining import CAUSES
from mlops.simulated import machining, sound, turbofan
from mlops.sources import ai4i, cmapss, cwru, ims, mimii, run_to_failure
from mlops.sources.files import BadFile

AI4I_ROW = "1,M14860,M,298.1,308.6,1551,42.8,0,0,0,0,0,0,0"


def ai4i_file(directory: Path, *rows: str) -> Path:
    path = directory / "ai4i2020.csv"
    path.write_text("\n".join(["\ufeff" + ",".join(ai4i.HEADER), *rows, ""]))
    return path


def test_ai4i_is_read_without_ids_and_causes(tmp_path: Path) -> None:
    ai4i_file(tmp_path, AI4I_ROW, "2,H1,H,298.2,308.6,1551,42.8,0,1,0,0,0,0,0")
    path = ai4i.find(tmp_path)
    assert path is not None
    found = ai4i.read(path)
    assert found.failed.tolist() == [False, True]
    assert found.rows.variant.tolist() == [1, 2]
    assert found.rows.torque_nm.tolist() == [42.8, 42.8]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (AI4I_ROW.replace(",M,", ",X,"), "line 2: Type 'X'"),
        (AI4I_ROW.replace("298.1", "29.81"), r"row 1: Air temperature \[K\] out of"),
        (AI4I_ROW.replace("42.8", "strong"), "line 2: could not convert"),
        (AI4I_ROW + ",0", "line 2: 15 columns"),
        (AI4I_ROW.replace("42.8,0,0", "42.8,0,2"), "is 0 or 1"),
    ],
)
def test_an_ai4i_row_that_does_not_fit_is_named(tmp_path: Path, row: str, reason: str) -> None:
    with pytest.raises(BadFile, match=reason):
        ai4i.read(ai4i_file(tmp_path, row))


def engines(directory: Path, remaining: list[int]) -> Path:
    fleet = turbofan.fleet(2, np.random.default_rng(0))
    rows = np.column_stack([fleet.unit, fleet.cycle, np.zeros((len(fleet.unit), 3)), fleet.sensors])
    for name in ("train", "test"):
        np.savetxt(directory / f"{name}_FD001.txt", rows, fmt="%.4f")
    (directory / "RUL_FD001.txt").write_text("".join(f"{each}\n" for each in remaining))
    return directory / "train_FD001.txt"


def test_cmapss_is_read_and_counts_down_to_each_engines_end(tmp_path: Path) -> None:
    found = cmapss.read(engines(tmp_path, [3, 4]))
    left = found.train.remaining()
    assert left[found.train.last()].tolist() == [0, 0]
    assert left[0] == found.train.cycle[found.train.last()][0] - 1
    assert found.remaining.tolist() == [3, 4]


def test_cmapss_that_does_not_fit_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="3 rows for the 2 units"):
        cmapss.read(engines(tmp_path, [1, 2, 3]))
    path = engines(tmp_path, [1, 2])
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:4] + lines[5:]))
    with pytest.raises(BadFile, match="cycles of a unit"):
        cmapss.read(path)
    path.write_text("\n".join([*lines[:2], "1 2 3"]))
    with pytest.raises(BadFile, match="line 3: 3 columns instead of 26"):
        cmapss.read(path)


def snapshot(directory: Path, name: str, rows: int = ims.SAMPLES) -> None:
    values = np.random.default_rng(0).normal(scale=0.1, size=(rows, 4))
    directory.mkdir(exist_ok=True)
    np.savetxt(directory / name, values, fmt="%.3f", delimiter="\t")


def test_ims_snapshots_are_read_in_order(tmp_path: Path) -> None:
    for name in ("2004.02.12.10.42.39", "2004.02.12.10.32.39"):
        snapshot(tmp_path / "2nd_test", name)
    path = ims.find(tmp_path)
    assert path == tmp_path / "2nd_test"
    lives = ims.read(path)
    assert lives.times.tolist() == sorted(lives.times.tolist())
    assert [X.shape for X in lives.in_time] == [(2, 7)] * 4
    snapshot(path, "2004.02.12.10.52.39", rows=100)
    with pytest.raises(BadFile, match="100 rows instead of 20480"):
        ims.read(path)


def test_xjtu_and_femto_bearings_are_found_and_read(tmp_path: Path) -> None:
    xjtu = tmp_path / "35Hz12kN" / "Bearing1_1"
    femto = tmp_path / "Learning_set" / "Bearing2_1"
    xjtu.mkdir(parents=True)
    femto.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in (1, 2, 10)[:2]:
        rows = rng.normal(size=(run_to_failure.XJTU_ROWS, 2))
        header = "Horizontal_vibration_signals,Vertical_vibration_signals"
        np.savetxt(xjtu / f"{number}.csv", rows, "%.3f", ",", header=header, comments="")
    rows = rng.normal(size=(run_to_failure.FEMTO_ROWS, 6))
    np.savetxt(femto / "acc_00001.csv", rows, "%.3f", ";")
    first, second = run_to_failure.find(tmp_path)
    assert (first.shaft_hz, len(first.paths)) == (35.0, 2)
    assert first.read(first.paths[0]).shape == (run_to_failure.XJTU_ROWS,)
    assert second.shaft_hz == 27.5
    assert second.read(second.paths[0]).shape == (run_to_failure.FEMTO_ROWS,)
    (xjtu / "2.csv").rename(xjtu / "3.csv")
    with pytest.raises(BadFile, match="without a gap"):
        run_to_failure.find(tmp_path)


def test_cwru_files_say_part_size_and_speed(tmp_path: Path) -> None:
    signal = np.random.default_rng(0).normal(size=(20_000, 1))
    for name in ("1797_IR_7_DE12", "1730_OR@6_21_DE12"):
        scipy.io.savemat(tmp_path / f"{name}.mat", {"X105_DE_time": signal})
    path = cwru.find(tmp_path)
    assert path is not None
    outer, inner = cwru.read(path)
    assert (outer.part, outer.size_mil, outer.rpm) == ("outer", 21, 1730)
    assert (inner.part, inner.size_mil, len(inner.vibration)) == ("inner", 7, 20_000)
    scipy.io.savemat(tmp_path / "105.mat", {"X105_DE_time": signal})
    with pytest.raises(BadFile, match="'105' does not say"):
        cwru.read(path)
    (tmp_path / "105.mat").write_bytes(b"no MATLAB file")
    with pytest.raises(BadFile, match="no MATLAB file"):
        cwru.read(path)


def test_mimii_clips_are_read_from_their_folders(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label, fault in (("normal", None), ("abnormal", "rubs")):
        folder = tmp_path / "fan" / "id_00" / label
        folder.mkdir(parents=True)
        samples = (sound.clip(fault, rng) * 32767).astype(np.int16)
        scipy.io.wavfile.write(folder / "00000000.wav", 16_000, np.stack([samples] * 8, axis=1))
    path = mimii.find(tmp_path)
    assert path == tmp_path / "fan"
    clips = mimii.read(path)
    assert clips.is_abnormal.tolist() == [False, True]
    assert clips.machine.tolist() == ["id_00", "id_00"]
    scipy.io.wavfile.write(folder / "00000001.wav", 8_000, samples)
    with pytest.raises(BadFile, match="8000 Hz"):
        mimii.read(path)


def test_a_compressed_file_that_was_cut_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ai4i2020.csv.gz"
    path.write_bytes(gzip.compress(b"x" * 10_000)[:-9])
    with pytest.raises(BadFile, match="cannot be read"):
        ai4i.read(path)


def test_nothing_is_found_in_an_empty_folder(tmp_path: Path) -> None:
    finds = (ai4i.find, cmapss.find, ims.find, cwru.find, mimii.find)
    assert [find(tmp_path) for find in finds] == [None] * 5
    assert run_to_failure.find(tmp_path) == []


def test_generated_products_fail_by_the_published_rules() -> None:
    made = machining.generate(20_000, np.random.default_rng(3))
    rows, causes = made.rows, dict(zip(CAUSES, made.causes.T, strict=True))
    power = rows.torque_nm * rows.speed_rpm * 2 * np.pi / 60
    assert np.array_equal(causes["PWF"], (power < 3500) | (power > 9000))
    cool = (rows.process_k - rows.air_k < 8.6) & (rows.speed_rpm < 1380)
    assert np.array_equal(causes["HDF"], cool)
    limits = np.array([11_000, 12_000, 13_000])[rows.variant]
    assert np.array_equal(causes["OSF"], rows.wear_min * rows.torque_nm > limits)
    assert (rows.wear_min[causes["TWF"]] >= 200).all()
    assert 0.02 < made.failed.mean() < 0.06
    assert abs(rows.torque_nm.mean() - 40) < 0.5
    assert abs(rows.air_k.std() - 2) < 0.1
