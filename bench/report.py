"""What was measured: a line as each step ends, a table, and one JSON object."""

from __future__ import annotations

import json
import time
from typing import Any

from bench.timing import Measured

_HEAD = ("", "own", "p99", "limit", "ratio", "quartiles", "the limit is")


class Report:
    """ratio: the limit's time by ours; 1 is as fast as the limit."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self._lines: list[Measured] = []
        self._parts: dict[str, dict[str, float]] = {}
        self.facts: dict[str, Any] = {}

    def step(self, text: str) -> None:
        print(f"[{self._seconds():5.1f} s] {text}", flush=True)

    def add(self, line: Measured) -> None:
        self._lines.append(line)
        self.step(f"{line.name}: {_time(line)}, ratio {line.ratio:.2f}")

    def add_parts(self, name: str, shares: dict[str, float]) -> None:
        self._parts[name] = shares

    def print(self) -> None:
        rows = [_HEAD, *(_cells(line) for line in self._lines)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        print()
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
        for name, shares in self._parts.items():
            each = ", ".join(f"{label} {share:.0%}" for label, share in shares.items())
            print(f"\n{name}, where the time goes: {each}")
        print(f"\nratio: the limit's time by ours. {self.facts}", flush=True)

    def as_json(self) -> str:
        results = {line.name: _fields(line) for line in self._lines}
        whole = {"results": results, "parts": self._parts, "facts": self.facts}
        return json.dumps({**whole, "seconds": round(self._seconds(), 1)})

    def _seconds(self) -> float:
        return time.perf_counter() - self._begun


def _cells(line: Measured) -> tuple[str, ...]:
    low, high = line.quartiles
    own, p99, limit = (f"{s * 1e3:,.2f} ms" for s in (line.own_s, line.p99_s, line.limit_s))
    return line.name, own, p99, limit, f"{line.ratio:.2f}", f"{low:.2f} to {high:.2f}", line.against


def _time(line: Measured) -> str:
    rate = f"{line.readings / line.own_s:,.0f} readings/s"
    return (
        f"{line.own_s * 1e3:,.2f} ms, {line.own_s / line.readings * 1e6:,.1f} µs a reading, {rate}"
    )


def _fields(line: Measured) -> dict[str, Any]:
    low, high = line.quartiles
    return {
        "ratio": round(line.ratio, 3),
        "quartiles": [round(low, 3), round(high, 3)],
        "own_ms": round(line.own_s * 1e3, 4),
        "own_p99_ms": round(line.p99_s * 1e3, 4),
        "limit_ms": round(line.limit_s * 1e3, 4),
        "readings": line.readings,
        "us_a_reading": round(line.own_s / line.readings * 1e6, 3),
        "rounds": len(line.own_each),
        "limit": line.against,
    }
