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
from sensors.formats.csv import from_csv
from sensors.formats.documents import parse_json
from sensors.formats.json import from_json
from sensors.formats.line_protocol import LineBatch, from_line_protocol, read_again
from sensors.formats.line_sensors import Dialect
from sensors.formats.line_template import DEFAULT_TEMPLATE, Template
from sensors.formats.ndjson import from_ndjson
from sensors.formats.objects import batch_of

__all__ = [
    "DEFAULT_TEMPLATE",
    "MAX_READINGS",
    "Batch",
    "BoolArray",
    "Coded",
    "Dialect",
    "FormatError",
    "IntArray",
    "LineBatch",
    "Template",
    "TooManyReadings",
    "ascii_json",
    "batch_of",
    "from_csv",
    "from_json",
    "from_line_protocol",
    "from_ndjson",
    "parse_json",
    "read_again",
]
