"""How a file writes its times: to UTC, a column at once. Pure.

Local times are read by the IANA rules of their zone. Where clocks were put back an hour came twice,
and where they were put forward one did not come: such times are refused unless a choice was made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sensors import iso8601
from sensors.formats import BoolArray
from sensors.series import TimeArray, to_datetime64

ISO = "iso"
# Ticks of a microsecond, or microseconds of a tick.
EPOCHS = {"epoch": 1e6, "epoch_ms": 1e3, "epoch_us": 1.0, "epoch_ns": 1e-3}
Reader = Callable[[pa.StringArray], TimeArray | None]
# A clock time with a zone behind it.
_ZONE = r":\d\d.*(?:[zZ]|[+-]\d\d(?::?[0-5]\d)?)$"
# A number that an int64 holds, or one with a fraction.
_TICKS = r"^-?(?:\d{1,18}|[0-8]\d{18})(?:\.\d{1,9})?$"
CHOICES = ("reject", "earlier", "later")
NAT = np.datetime64("NaT", "us")


class ClockError(ValueError):
    """The times of a column cannot be read this way, whatever they are."""


@dataclass(frozen=True, slots=True)
class Clock:
    """form: ISO, one of `EPOCHS`, or a format of strptime. zone: IANA name of the zone that times
    without one were read in; None when every time has its own. ambiguous: which of two equal local
    times is meant, one of `CHOICES`.
    """

    form: str = ISO
    zone: str | None = None
    ambiguous: str = "reject"

    @property
    def is_plain(self) -> bool:
        """Whether times are as the rules for readings want them anyway."""
        return self.form == ISO and self.zone is None

    def read(self, raw: pa.Array) -> TimeArray:
        """raw: texts, numbers or timestamps. Shape (n,), UTC; NaT for what is no time.

        Raises ClockError when the column's type fits no time of this form.
        """
        if pa.types.is_timestamp(raw.type):
            return self._of_timestamps(raw)
        if self.form in EPOCHS:
            return _known(_ticks(raw, EPOCHS[self.form]))
        if not pa.types.is_string(raw.type):
            raise ClockError(
                f"its times are of type {raw.type}; --time-format says what the numbers count"
            )
        return _known(self._of_texts(raw))

    def text_of(self, raw: object) -> str | None:
        """A time of a row as text that `read` takes; None for what cannot be one."""
        if isinstance(raw, str):
            return raw
        is_number = isinstance(raw, int | float) and not isinstance(raw, bool)
        return str(raw) if is_number and self.form in EPOCHS else None

    def why(self, raw: object) -> tuple[str, str]:
        """Code and sentence for a time that `read` has none for."""
        try:
            local = self._local(pa.array([raw], pa.string())) if isinstance(raw, str) else None
        except ClockError:
            local = None
        if local is not None and self.zone and not np.isnat(local[0]):
            return self._why_not_in_zone(local, str(raw))
        if self.form in EPOCHS:
            return "time_invalid", f"time must be a number since 1970 ({self.form})"
        return "time_invalid", f"time must be as {self._example()}, from 1900 on"

    def _example(self) -> str:
        if self.form != ISO:
            return f"the format {self.form!r}"
        return "2026-01-02 03:04:05" if self.zone else iso8601.EXAMPLE

    def _of_timestamps(self, raw: pa.TimestampArray) -> TimeArray:
        if self.form != ISO:
            raise ClockError("its times are timestamps already; leave --time-format out")
        times = raw.to_numpy(zero_copy_only=False).astype("datetime64[us]")
        if raw.type.tz is None:
            if self.zone is None:
                raise ClockError("its times have no zone; state --time-zone")
            times = self._to_utc(times)
        return _known(times)

    def _of_texts(self, raw: pa.StringArray) -> TimeArray:
        if self.form == ISO:
            has_zone = np.asarray(pc.match_substring_regex(raw, _ZONE).fill_null(False))
            times = _some(raw, has_zone, _with_zone)
            if self.zone is not None and not has_zone.all():
                local = _some(raw, ~has_zone, _naive)
                times = np.where(has_zone, times, self._to_utc(local))
            return times
        if "%z" in self.form:
            return _distinct(raw, self._moment)
        return self._to_utc(self._local(raw))

    def _local(self, raw: pa.StringArray) -> TimeArray:
        """Times without a zone, as they stand."""
        if self.form == ISO:
            return _some(raw, np.ones(len(raw), bool), _naive)
        if self.zone is None:
            raise ClockError("its times have no zone; state --time-zone")
        return _distinct(raw, self._clock_time)

    def _moment(self, text: str) -> np.datetime64:
        return to_datetime64(datetime.strptime(text, self.form))  # noqa: DTZ007  it has %z

    def _clock_time(self, text: str) -> np.datetime64:
        return np.datetime64(datetime.strptime(text, self.form), "us")  # noqa: DTZ007  meant so

    def _to_utc(self, local: TimeArray) -> TimeArray:
        early, late = _both(local, self._zone())
        exists = _local_of(early, self._zone()) == local
        if self.ambiguous == "reject":
            exists &= early == late
        return np.where(exists, late if self.ambiguous == "later" else early, NAT)

    def _why_not_in_zone(self, local: TimeArray, text: str) -> tuple[str, str]:
        early, late = _both(local, self._zone())
        if _local_of(early, self._zone())[0] != local[0]:
            return "time_nonexistent", f"clocks in {self.zone} were put forward over {text}"
        if early[0] != late[0]:
            return "time_ambiguous", f"clocks in {self.zone} showed {text} twice"
        return "time_invalid", "time is before 1900"

    def _zone(self) -> str:
        assert self.zone is not None  # noqa: S101  asked for where there is one
        return self.zone


def _known(times: TimeArray) -> TimeArray:
    """NaT beyond the years that a reading may have."""
    is_known = (times >= iso8601.EARLIEST) & (times <= iso8601.LATEST)
    return np.where(is_known, times, NAT)


def _ticks(raw: pa.Array, us: float) -> TimeArray:
    """Numbers, or texts of them, since 1970. Whole ones are counted exactly."""
    if pa.types.is_string(raw.type):
        texts = pc.if_else(pc.match_substring_regex(raw, _TICKS), raw, None)
        is_whole = pc.fill_null(pc.invert(pc.match_substring(texts, ".")), False)
        whole = pc.if_else(is_whole, texts, None).cast(pa.int64())
        return np.where(
            np.asarray(is_whole),
            _whole_ticks(whole, us),
            _parted_ticks(texts.cast(pa.float64()), us),
        )
    if pa.types.is_integer(raw.type):
        return _whole_ticks(raw.cast(pa.int64()), us)
    if pa.types.is_floating(raw.type):
        return _parted_ticks(raw.cast(pa.float64()), us)
    raise ClockError(f"its times are of type {raw.type} and no numbers")


def _whole_ticks(raw: pa.Array, us: float) -> TimeArray:
    is_null = np.asarray(raw.is_null())
    ticks = raw.fill_null(0).to_numpy(zero_copy_only=False)
    most = (2**63 - 1) // max(int(us), 1)  # so that the product does not overflow
    is_known = ~is_null & (ticks <= most) & (ticks >= -most)
    ticks = np.where(is_known, ticks, 0)
    micros = ticks * int(us) if us >= 1 else ticks // round(1 / us)
    return np.where(is_known, micros.astype("datetime64[us]"), NAT)


def _parted_ticks(raw: pa.Array, us: float) -> TimeArray:
    micros = raw.to_numpy(zero_copy_only=False) * us
    is_known = np.abs(micros) < 2.0**62
    return np.where(is_known, np.rint(np.where(is_known, micros, 0)).astype("datetime64[us]"), NAT)


def _with_zone(raw: pa.StringArray) -> TimeArray | None:
    times = iso8601.parse_column(raw)
    if times is not None or len(raw) > 1:
        return times
    try:
        return np.array([iso8601.parse(raw[0].as_py())])
    except ValueError:
        return None


def _naive(raw: pa.StringArray) -> TimeArray | None:
    for unit in ("us", "ns"):
        try:
            times = raw.cast(pa.timestamp(unit))
        except pa.ArrowInvalid:
            continue
        found: TimeArray = times.to_numpy(zero_copy_only=False).astype("datetime64[us]")
        return found
    return None


def _some(raw: pa.StringArray, which: BoolArray, read: Reader) -> TimeArray:
    """What `read` makes of some of the texts; NaT for the others and where it cannot."""
    rows = np.flatnonzero(which & np.asarray(raw.is_valid()))
    times = np.full(len(raw), NAT)
    if len(rows):
        times[rows] = _by_halves(raw.take(pa.array(rows)), read)
    return times


def _by_halves(raw: pa.StringArray, read: Reader) -> TimeArray:
    """Columns with few texts that `read` cannot read take few calls."""
    times = read(raw)
    if times is not None:
        return times
    if len(raw) == 1:
        return np.array([NAT])
    middle = len(raw) // 2
    return np.concatenate([_by_halves(raw[:middle], read), _by_halves(raw[middle:], read)])


def _distinct(raw: pa.StringArray, read: Callable[[str], np.datetime64]) -> TimeArray:
    """`read` once for each distinct text; NaT where it raises ValueError or there is none."""
    encoded = raw.dictionary_encode()
    found = np.full(len(encoded.dictionary) + 1, NAT)
    for place, text in enumerate(encoded.dictionary.to_pylist()):
        try:
            found[place] = read(text)
        except (ValueError, OverflowError):
            continue
    times: TimeArray = found[encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
    return times


def _both(local: TimeArray, zone: str) -> tuple[TimeArray, TimeArray]:
    """The earlier and the later moment at which clocks in the zone showed these times, in UTC."""
    column = pa.array(local, pa.timestamp("us"))
    early, late = (
        pc.assume_timezone(column, zone, ambiguous=which, nonexistent=which)
        for which in ("earliest", "latest")
    )
    return early.to_numpy(zero_copy_only=False), late.to_numpy(zero_copy_only=False)


def _local_of(utc: TimeArray, zone: str) -> TimeArray:
    column = pa.array(utc, pa.timestamp("us", "UTC")).cast(pa.timestamp("us", zone))
    local: TimeArray = pc.local_timestamp(column).to_numpy(zero_copy_only=False)
    return local
