"""Caches: bounded, not for ever, and never a file that was touched."""

from pathlib import Path

from mlops.cache import Cellar, Shelf, digest


def test_the_shelf_gives_back_what_was_put_until_its_time_is_over() -> None:
    now = [0.0]
    shelf: Shelf[str] = Shelf(2, 10, clock=lambda: now[0])
    shelf.put("a", "A")
    now[0] = 9.9
    assert shelf.get("a") == "A"
    now[0] = 10.0
    assert shelf.get("a") is None


def test_the_shelf_drops_what_was_used_longest_ago() -> None:
    shelf: Shelf[str] = Shelf(2, 10, clock=lambda: 0.0)
    shelf.put("a", "A")
    shelf.put("b", "B")
    shelf.get("a")
    shelf.put("c", "C")
    assert (shelf.get("a"), shelf.get("b"), shelf.get("c")) == ("A", None, "C")


def test_the_cellar_gives_back_what_was_put(tmp_path: Path) -> None:
    cellar = Cellar(tmp_path / "new", 2)
    cellar.put(b"model")
    assert cellar.get(digest(b"model")) == b"model"
    assert cellar.get(digest(b"other")) is None


def test_a_file_that_was_touched_counts_as_absent_and_is_removed(tmp_path: Path) -> None:
    cellar = Cellar(tmp_path, 2)
    cellar.put(b"model")
    (path,) = tmp_path.glob("*.zip")
    path.write_bytes(b"modem")
    assert cellar.get(digest(b"model")) is None
    assert not path.exists()


def test_the_cellar_is_bounded_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    cellar = Cellar(tmp_path, 2)
    for n in range(5):
        cellar.put(bytes([n]))
    assert len(list(tmp_path.iterdir())) == 2
