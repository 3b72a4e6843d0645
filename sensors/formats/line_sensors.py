"""Which sensor each field of line protocol belongs to. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pyarrow as pa

from sensors.formats.batch import IntArray
from sensors.formats.line_columns import Plain
from sensors.formats.line_grammar import LineError, read_series
from sensors.formats.line_template import Series, Template
from sensors.rows import RowError, sensor_problem

NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}


# So many series are remembered as they were read, of so many bytes with the field's name at most.
_REMEMBERED, _REMEMBERED_BYTES = 2**14, 2**9


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a call says besides its lines. unit: of its times, a key of NANOSECONDS."""

    template: Template
    unit: str = "ns"
    bucket: str = ""


@dataclass(slots=True)
class Sensors:
    """The sensors of a document, each with a code: its place among the names."""

    dialect: Dialect
    names: dict[str, int] = field(default_factory=dict)
    _known: dict[tuple[Series, str], int | RowError] = field(default_factory=dict)

    def code(self, series: Series, name: str) -> int | RowError:
        """The code of a field's sensor, or why there can be none."""
        found = self._known.get((series, name))
        if found is None:
            found = self._known[series, name] = self._look_up(series, name)
        return found

    def codes(self, plain: Plain) -> IntArray:
        """The code of each field; -1 where the grammar has to say what is wrong."""
        pairs = plain.series * len(plain.name_texts) + plain.name
        coded = pa.array(pairs).dictionary_encode()
        names = plain.name_texts
        codes = np.full(len(coded.dictionary), -1)
        for place, pair in enumerate(coded.dictionary.to_pylist()):
            series, name = plain.series_texts[pair // len(names)], names[pair % len(names)]
            is_short = len(series) + len(name) <= _REMEMBERED_BYTES
            named = _sensor if is_short else _sensor.__wrapped__
            sensor = named(self.dialect.template, self.dialect.bucket, series, name)
            if sensor is not None:
                codes[place] = self.names.setdefault(sensor, len(self.names))
        places: IntArray = coded.indices.to_numpy(zero_copy_only=False)
        return codes[places]

    def _look_up(self, series: Series, name: str) -> int | RowError:
        try:
            sensor = self.dialect.template.sensor(series, name, self.dialect.bucket)
        except RowError as error:
            return error
        problem = sensor_problem(sensor)
        return problem or self.names.setdefault(sensor, len(self.names))


@lru_cache(_REMEMBERED)
def _sensor(template: Template, bucket: str, series: bytes, name: bytes) -> str | None:
    """What the sensor of a plain line's field is called; None where the grammar has to say why
    there can be none. The same few come in every document."""
    read, field = _series(series), _name(name)
    if read is None or field is None:
        return None
    try:
        sensor = template.sensor(read, field, bucket)
    except RowError:
        return None
    return None if sensor_problem(sensor) else sensor


def _series(text: bytes) -> Series | None:
    try:
        series, end = read_series(text, 0)
    except LineError:
        return None
    return series if end == len(text) else None


def _name(text: bytes) -> str | None:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return None
