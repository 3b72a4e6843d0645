"""Which files are to be read, what they are, and their bytes however they lie on the disk."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa

from sensors.files.clock import ClockError
from sensors.files.layout import LayoutError
from sensors.formats import FormatError

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
}
Stream = IO[bytes] | gzip.GzipFile
FORMATS = ("csv", "ndjson", "parquet")


class FileError(Exception):
    """A file cannot be read, or not further; the sentence says why and where."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file of readings and the format it is in."""

    path: Path
    format: str

    @property
    def is_gzip(self) -> bool:
        return self.path.suffix == ".gz"

    @property
    def size(self) -> int:
        return self.path.stat().st_size


def find(paths: Sequence[Path], stated: str | None = None) -> list[Source]:
    """The files, and those in the folders by their suffixes. Raises FileError where there is none.

    stated: the format of all of them, whatever their suffixes.
    """
    found = [source for path in paths for source in _at(path, stated)]
    return list(dict.fromkeys(found))


@contextmanager
def opened(source: Source) -> Iterator[tuple[Stream, Stream]]:
    """The file's bytes, unzipped; and the file as it lies there, whose place tells how far it is.

    What goes wrong with either while they are read is a FileError.
    """
    with _said_of(source.path), source.path.open("rb") as raw:
        if source.is_gzip:
            with gzip.GzipFile(fileobj=raw) as inflated:
                yield inflated, raw
        else:
            yield raw, raw


@contextmanager
def _said_of(path: Path) -> Iterator[None]:
    try:
        yield
    except FormatError as error:
        line = "" if error.line is None else f" (line {error.line:,})"
        raise FileError(f"{path}: {error}{line}") from error
    except (LayoutError, ClockError) as error:
        raise FileError(f"{path}: {error}") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileError(f"{path}: the gzip stream is damaged: {error}") from error
    except (OSError, pa.ArrowException) as error:
        raise FileError(f"{path}: cannot be read: {error}") from error


def _at(path: Path, stated: str | None) -> list[Source]:
    if path.is_dir():
        inside = sorted(one for one in path.rglob("*") if one.is_file())
        sources = [Source(one, kind) for one in inside if (kind := _format_of(one))]
        if not sources:
            raise FileError(f"{path}: there is no {', '.join(SUFFIXES)} file in it.")
        return [Source(one.path, stated) for one in sources] if stated else sources
    if not path.exists():
        raise FileError(f"{path}: there is no such file.")
    kind = stated or _format_of(path)
    if kind is None:
        raise FileError(f"{path}: what is in it? --format says: {', '.join(FORMATS)}.")
    return [Source(path, kind)]


def _format_of(path: Path) -> str | None:
    """By its suffix; a Parquet file is compressed inside and never zipped."""
    named = path.with_suffix("") if path.suffix == ".gz" else path
    kind = SUFFIXES.get(named.suffix.lower())
    return None if kind == "parquet" and named != path else kind
