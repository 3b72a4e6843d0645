"""Reading lines that all have one pattern, a word at a time, compiled. Pure.

Devices repeat themselves, so what is most likely is tried first: the name that followed this one
the last time, the minute of the time before. All is in one module, for what is kept on disk is made
anew only when the module changes that it is for.

Places are as wide as a word of the machine; nothing looks whether they lie within the text. So each
loop ends at a control character, of which there are some after the text.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sensors.formats.batch import IntArray
from sensors.formats.patterns import NAME, NUMBER, TIME
from sensors.series import FloatArray
from smartmaint.lib.compiled import compiled_bare

# Zeros after a text: longer than anything of fixed size that is looked for, and a word besides.
ROOM = 64
WORD = 8

_START, _SIZE, _AFTER = range(3)
_KNOWN, _BEFORE = range(2)
_MINUTE_AT, _MINUTE, _HARD = range(3)
_FIRST_PRINTABLE = 32
_MINUS, _PLUS, _POINT, _COLON, _ZERO, _T, _Z = b"-+.:0TZ"
_E, _LOWER = ord("e"), 32
_SECONDS = len("2026-01-02T03:04:")
_BAD = -(2**62)
# So many digits fit a word. A number up to this one, times or by such a power of ten, is exact in a
# double, and so is rounded once (Clinger 1990).
_DIGITS, _EXACT, _EXACT_POWER = 18, 2**53, 22
_POWERS = np.array([float(f"1e{power}") for power in range(_EXACT_POWER + 1)])
# Of a word, the first so many bytes: every machine that numba compiles for has the lowest first.
_MASKS = np.array([2 ** (8 * size) - 1 for size in range(WORD)], np.uint64)
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 by the golden ratio (Knuth)
_HALF, _LOWEST = np.uint64(32), np.uint64(255)
# Nobody's names lie so close by accident.
_PROBES = 256

# The word that begins at each byte of a text.
Text = NDArray[np.uint64]


class Marks(NamedTuple):
    """The pattern of a text of that size.

    bounds: where the leads and the end lie behind it, (k + 2,). what, columns: of each value, what
    it is, and which column of such values, (k,). banned: a character that no name may hold.
    """

    size: int
    bounds: IntArray
    what: IntArray
    columns: IntArray
    banned: int


class Names(NamedTuple):
    """The distinct names of each column of names.

    codes: (columns, n). table: (columns, places) by hash, code + 1 or 0. known: (columns, codes, 3)
    where the name first stood, its size, and the code that followed it last, + 1, or 0. state:
    (columns, 2) how many there are and the code before.
    """

    codes: IntArray
    table: NDArray[np.int32]
    known: NDArray[np.int32]
    state: IntArray

    @classmethod
    def of(cls, columns: int, rows: int) -> Names:
        return cls(
            codes=np.empty((columns, rows), np.int64),
            table=np.zeros((columns, 2 ** (2 * rows).bit_length()), np.int32),
            known=np.zeros((columns, rows, 3), np.int32),
            state=np.zeros((columns, 2), np.int64),
        )

    @property
    def many(self) -> list[int]:
        """How many distinct names each column has."""
        found: list[int] = self.state[:, _KNOWN].tolist()
        return found


class Rest(NamedTuple):
    """What is no name.

    times: (columns, n), microseconds since 1970. numbers: (columns, n). hard: (many, 4) column,
    row, start and end of each number that arithmetic with doubles does not give. state: (3,) where
    the minute before stood, what it is, and how many numbers are hard.
    """

    times: IntArray
    numbers: FloatArray
    hard: NDArray[np.int32]
    state: IntArray

    @classmethod
    def of(cls, times: int, numbers: int, rows: int) -> Rest:
        return cls(
            times=np.empty((times, rows), np.int64),
            numbers=np.empty((numbers, rows), np.float64),
            hard=np.empty((numbers * rows, 4), np.int32),
            state=np.array([0, _BAD, 0]),
        )

    @property
    def found_hard(self) -> NDArray[np.int32]:
        return self.hard[: self.state[_HARD]]


@compiled_bare
def scan(text: Text, marks: Marks, names: Names, rest: Rest) -> int:
    """How many lines were read; 0 when any is not alike or there is no room for it."""
    at, row, rows, last = 0, 0, names.codes.shape[1], len(marks.what)
    while at < marks.size and row < rows:
        for place in range(last):
            lead, end = marks.bounds[place], marks.bounds[place + 1]
            if not _is_same(text, at, lead, end - lead):
                return 0
            begun, stop = at + end - lead, _byte(text, end)
            what, column = marks.what[place], marks.columns[place]
            if what == NAME:
                at = _name(text, begun, stop, marks, names, column, row)
            elif what == TIME:
                at = _time(text, begun, rest.times, rest.state, column, row)
            elif what == NUMBER:
                at = _number(text, begun, rest.numbers, rest.hard, rest.state, column, row)
            else:
                at = _end_of(text, begun, stop, marks.banned)
            if at < begun or _byte(text, at) != stop:
                return 0
        lead, end = marks.bounds[last], marks.bounds[last + 1]
        if not _is_same(text, at, lead, end - lead):
            return 0
        at, row = at + end - lead, row + 1
    return row if at == marks.size else 0


@compiled_bare
def _time(text: Text, at: int, times: IntArray, state: IntArray, column: int, row: int) -> int:
    """Note the time that begins here; where it ends, or _BAD."""
    if not _is_minute(text, at, state[_MINUTE_AT], state[_MINUTE]):
        state[_MINUTE_AT], state[_MINUTE] = at, _minute(text, at)
    if state[_MINUTE] == _BAD:
        return _BAD
    end, micros = _seconds(text, at + _SECONDS)
    times[column, row] = state[_MINUTE] + micros
    return end


@compiled_bare
def _number(
    text: Text,
    at: int,
    numbers: FloatArray,
    hard: NDArray[np.int32],
    state: IntArray,
    column: int,
    row: int,
) -> int:
    """Note the number that begins here; where it ends, or _BAD."""
    end, is_exact, numbers[column, row] = _parsed(text, at)
    if not is_exact:
        place = state[_HARD]
        hard[place, 0], hard[place, 1], hard[place, 2], hard[place, 3] = column, row, at, end
        state[_HARD] += 1
    return end


@compiled_bare
def _end_of(text: Text, at: int, stop: int, banned: int) -> int:
    """Where what begins here ends; _BAD where something stands in it that may not."""
    while True:
        found = _byte(text, at)
        if found == stop:
            return at
        if found < _FIRST_PRINTABLE or found == banned:
            return _BAD
        at += 1


@compiled_bare
def _name(text: Text, at: int, stop: int, marks: Marks, names: Names, column: int, row: int) -> int:
    """Note the code of the name that begins here; where it ends, or _BAD."""
    known, state = names.known[column], names.state[column]
    likely = known[state[_BEFORE], _AFTER] - 1
    end = _end_if(text, at, stop, marks.size, known, likely)
    if end == _BAD:
        end = _end_of(text, at, stop, marks.banned)
        if end <= at:
            return _BAD
        likely = _code(text, at, end - at, names.table[column], known, state)
        if likely == _BAD:
            return _BAD
        known[state[_BEFORE], _AFTER] = likely + 1
    names.codes[column, row] = state[_BEFORE] = likely
    return end


@compiled_bare
def _end_if(text: Text, at: int, stop: int, size: int, known: NDArray[np.int32], code: int) -> int:
    """Where the name that begins here ends if it is that of the code; _BAD otherwise."""
    if code < 0:
        return _BAD
    end = at + known[code, _SIZE]
    is_near = end < size and _byte(text, end) == stop
    return end if is_near and _is_same(text, at, known[code, _START], end - at) else _BAD


@compiled_bare
def _code(
    text: Text,
    at: int,
    size: int,
    table: NDArray[np.int32],
    known: NDArray[np.int32],
    state: IntArray,
) -> int:
    """The code of a name, a new one where it was not seen before; _BAD where too many collide."""
    mask = np.uint64(len(table) - 1)
    place = _hash(text, at, size) & mask
    for _ in range(_PROBES):
        code: int = table[place] - 1
        if code < 0:
            code = state[_KNOWN]
            state[_KNOWN], table[place] = code + 1, code + 1
            known[code, _START], known[code, _SIZE] = at, size
            return code
        if known[code, _SIZE] == size and _is_same(text, at, known[code, _START], size):
            return code
        place = (place + np.uint64(1)) & mask
    return _BAD


@compiled_bare
def _hash(text: Text, at: int, size: int) -> np.uint64:
    mixed = np.uint64(size)
    while size >= WORD:
        mixed = (mixed ^ _word(text, at)) * _MIX
        mixed ^= mixed >> _HALF
        at, size = at + WORD, size - WORD
    mixed = (mixed ^ (_word(text, at) & _MASKS[np.uint64(size)])) * _MIX
    found: np.uint64 = mixed ^ (mixed >> _HALF)
    return found


@compiled_bare
def _is_minute(text: Text, at: int, other: int, minute: int) -> bool:
    """Whether the time that begins here is within the minute of the one that begins there."""
    is_same = _is_same(text, at, other, 2 * WORD)
    return minute != _BAD and is_same and _byte(text, at + 2 * WORD) == _COLON


@compiled_bare
def _minute(text: Text, at: int) -> int:
    """YYYY-MM-DDTHH:MM: as microseconds since 1970, or _BAD."""
    marks = (_byte(text, at + 4), _byte(text, at + 7), _byte(text, at + 10))
    colons = (_byte(text, at + 13), _byte(text, at + 16))
    year = 100 * _pair(text, at) + _pair(text, at + 2)
    month, day = _pair(text, at + 5), _pair(text, at + 8)
    hour, minute = _pair(text, at + 11), _pair(text, at + 14)
    if marks != (_MINUS, _MINUS, _T) or colons != (_COLON, _COLON):
        return _BAD
    is_there = year >= 1 and 1 <= month <= 12 and 1 <= day <= _days_in(year, month)
    if not is_there or not (0 <= hour < 24 and 0 <= minute < 60):
        return _BAD
    return ((_days(year, month, day) * 24 + hour) * 60 + minute) * 60_000_000


@compiled_bare
def _pair(text: Text, at: int) -> int:
    """Two digits as a number; a negative one where they are none."""
    tens, ones = _byte(text, at) - _ZERO, _byte(text, at + 1) - _ZERO
    return 10 * tens + ones if 0 <= tens < 10 and 0 <= ones < 10 else -1000


@compiled_bare
def _days_in(year: int, month: int) -> int:
    if month == 2:
        return 28 + (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))
    return 30 if month in (4, 6, 9, 11) else 31


@compiled_bare
def _days(year: int, month: int, day: int) -> int:
    """Days since 1970 in the Gregorian calendar, in which a year here begins with its March."""
    years = year - (month < 3)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return 365 * years + years // 4 - years // 100 + years // 400 + day_of_year - 719_468


@compiled_bare
def _seconds(text: Text, at: int) -> tuple[int, int]:
    """Where SS[.f](Z|±HH:MM) ends, or _BAD; and what it comes to in microseconds. Digits past the
    microsecond are cut."""
    seconds = _pair(text, at)
    if not 0 <= seconds < 60:
        return _BAD, 0
    at, micros = at + 2, 1_000_000 * seconds
    if _byte(text, at) == _POINT:
        first, unit = at + 1, 100_000
        at, digit = first, _byte(text, first) - _ZERO
        while 0 <= digit < 10:
            micros += digit * unit
            at, unit = at + 1, unit // 10
            digit = _byte(text, at) - _ZERO
        if not 1 <= at - first <= 9:
            return _BAD, 0
    sign = _byte(text, at)
    if sign == _Z:
        return at + 1, micros
    hours, minutes = _pair(text, at + 1), _pair(text, at + 4)
    is_zone = _byte(text, at + 3) == _COLON and 0 <= hours < 24 and 0 <= minutes < 60
    if not is_zone or sign not in (_PLUS, _MINUS):
        return _BAD, 0
    ahead = 60_000_000 * (60 * hours + minutes)
    return at + 6, micros - ahead if sign == _PLUS else micros + ahead


@compiled_bare
def _parsed(text: Text, at: int) -> tuple[int, bool, float]:
    """Where the number of JSON that begins here ends, or _BAD; whether it is exact; the number."""
    is_negative = _byte(text, at) == _MINUS
    first = at + is_negative
    at, digits = _digits(text, first, 0)
    size = at - first
    if size == 0 or (size > 1 and _byte(text, first) == _ZERO):
        return _BAD, False, 0.0
    power = 0
    if _byte(text, at) == _POINT:
        first = at + 1
        at, digits = _digits(text, first, digits)
        power = first - at
        size -= power
        if power == 0:
            return _BAD, False, 0.0
    if _byte(text, at) | _LOWER == _E:
        sign = _byte(text, at + 1)
        first = at + 1 + (sign in (_PLUS, _MINUS))
        at, exponent = _digits(text, first, 0)
        if at == first:
            return _BAD, False, 0.0
        exponent = exponent if at - first < 5 else 10**5
        power += -exponent if sign == _MINUS else exponent
    if size > _DIGITS or digits > _EXACT or not -_EXACT_POWER <= power <= _EXACT_POWER:
        return at, False, 0.0
    size_of_it = float(digits)
    number = size_of_it * _POWERS[power] if power >= 0 else size_of_it / _POWERS[-power]
    return at, True, -number if is_negative else number


@compiled_bare
def _digits(text: Text, at: int, before: int) -> tuple[int, int]:
    """Where the digits that begin here end, and the number they are after those before."""
    digit = _byte(text, at) - _ZERO
    while 0 <= digit < 10:
        before = 10 * before + digit
        at += 1
        digit = _byte(text, at) - _ZERO
    return at, before


@compiled_bare
def _byte(text: Text, at: int) -> int:
    """Unsigned places need no look whether they count from the end."""
    byte: int = np.int64(text[np.uint64(at)] & _LOWEST)  # type: ignore[assignment] # it is one here
    return byte


@compiled_bare
def _word(text: Text, at: int) -> np.uint64:
    word: np.uint64 = text[np.uint64(at)]
    return word


@compiled_bare
def _is_same(text: Text, at: int, other: int, size: int) -> bool:
    """Whether so many bytes from each of the two places on are the same."""
    while size >= WORD:
        if _word(text, at) != _word(text, other):
            return False
        at, other, size = at + WORD, other + WORD, size - WORD
    rest: np.uint64 = (_word(text, at) ^ _word(text, other)) & _MASKS[np.uint64(size)]
    return bool(rest == 0)
