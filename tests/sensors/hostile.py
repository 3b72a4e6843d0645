"""Bodies that do their worst, and by how much the memory of who reads them grows.

Each is read in a process of its own, whose peak is then that body's: Arrow's memory is not among
what Python counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sensors.formats import Batch, FormatError, alike, from_csv, from_json, from_ndjson

# By so many times its size may reading a body grow the memory.
MOST = 14.0
SIZE = 16 * 2**20
GOOD = b'{"sensor":"a","time":"2026-01-02T03:04:05Z","value":1}'
HEADER = b"sensor,time,value\n"
BODIES: dict[str, tuple[Callable[..., Batch], Callable[[], bytes]]] = {
    "JSON, deep": (from_json, lambda: b"[" * SIZE),
    "JSON, crumbs": (from_json, lambda: b"[" + b"{}," * (SIZE // 3) + b"{}]"),
    "JSON, one long text": (from_json, lambda: b'[{"sensor":"' + b"x" * SIZE + b'"}]'),
    "JSON, one long number": (from_json, lambda: b'[{"value":' + b"9" * SIZE + b"}]"),
    "NDJSON, empty lines": (from_ndjson, lambda: GOOD + b"\n" * SIZE + GOOD),
    "NDJSON, crumbs": (from_ndjson, lambda: b"{}\n" * (SIZE // 3)),
    "NDJSON, a deep line": (from_ndjson, lambda: b'{"a":' * (SIZE // 5) + b"\n" + GOOD),
    "NDJSON, a line of crumbs": (from_ndjson, lambda: b"[" + b"{}," * (SIZE // 3) + b"1]"),
    "NDJSON, one long line": (from_ndjson, lambda: GOOD[:-1] + b',"x":"' + b"x" * SIZE + b'"}'),
    "CSV, empty lines": (from_csv, lambda: HEADER + b"\r\n" * (SIZE // 2)),
    "CSV, commas": (from_csv, lambda: HEADER + b"," * SIZE),
    "CSV, a wide header": (from_csv, lambda: b"sensor,time,value" + b",a" * (SIZE // 2)),
    "CSV, quotes": (from_csv, lambda: HEADER + b'"' * SIZE),
    "CSV, an open quote": (from_csv, lambda: HEADER + b'a,b,"' + b"\n" * SIZE),
    "CSV, one long cell": (from_csv, lambda: HEADER + b"x" * SIZE + b",t,1\n"),
}


def main() -> None:
    """Print, as JSON, the growth for each body as a multiple of its size."""
    alike.prepare()
    print(json.dumps({name: _in_a_fork(name) for name in BODIES}))  # noqa: T201  the answer


def _in_a_fork(name: str) -> float | None:
    """None when the fork came to a bad end; what it said is on stderr."""
    answer, question = os.pipe()
    if os.fork() == 0:
        os.write(question, str(_growth(*BODIES[name])).encode())
        os._exit(0)
    os.close(question)
    with os.fdopen(answer) as said:
        number = said.read()
    return float(number) if number else None


def _growth(read: Callable[..., Batch], make: Callable[[], bytes]) -> float:
    body = make()
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = bytes_of("VmRSS")
    with suppress(FormatError):
        read(body)
    return (bytes_of("VmHWM") - before) / len(body)


def bytes_of(name: str) -> int:
    """What the kernel says of this process's memory, by its name in /proc."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
