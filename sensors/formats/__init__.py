"""What devices send, as columns: bytes → `Batch`, one function a format. Pure."""

from sensors.formats.batch import (
    MAX_READINGS,
    Batch,
    BoolArray,
    Coded,
    FormatError,
    IntArray,
    TooManyReadings,
    ascii_json,
)
from sensors.formats.json import from_json, parse_json
from sensors.formats.objects import batch_of

__all__ = [
    "MAX_READINGS",
    "Batch",
    "BoolArray",
    "Coded",
    "FormatError",
    "IntArray",
    "TooManyReadings",
    "ascii_json",
    "batch_of",
    "from_json",
    "parse_json",
]
