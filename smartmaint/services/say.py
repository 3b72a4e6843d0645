"""The command line's voice."""

import sys
from typing import TextIO


def say(line: str, *, to: TextIO | None = None) -> None:
    """Write one line, at once: to `to`, or to standard output."""
    stream = to or sys.stdout
    stream.write(f"{line}\n")
    stream.flush()
