"""Which kind of quantity a sensor measures, its unit and what is physically possible. Pure.

A kind decides which champion model may judge a sensor, so it is stated or inferred once, at
discovery, and never guessed again.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A measured quantity.

    physical_min and physical_max, in `unit`, bound what such a sensor can report at all; a value
    outside is an instrument fault, not a machine in trouble. worsens: 1 where only a rise can be a
    fault of the machine, 0 where a fall can be one too.
    """

    name: str
    unit: str
    physical_min: float
    physical_max: float
    words: frozenset[str]
    worsens: int = 0


def _kind(name: str, unit: str, low: float, high: float, words: str, *, worsens: int = 0) -> Kind:
    return Kind(name, unit, low, high, frozenset(words.split()), worsens)


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        # The zones of ISO 20816 are bounded above only: a machine that runs in gets quieter.
        _kind(
            "vibration",
            "mm/s",
            0.0,
            500.0,
            "vibration vib vibr velocity rms accel acceleration",
            worsens=1,
        ),
        _kind("pressure", "kPa", -101.325, 100_000.0, "pressure press pres psi bar kpa"),
        _kind("temperature", "°C", -273.15, 2_000.0, "temperature temp tmp therm celsius"),
        _kind("humidity", "%", 0.0, 100.0, "humidity hum rh moisture"),
        _kind("voltage", "V", -100_000.0, 100_000.0, "voltage volt volts vdc vac"),
        _kind("current", "A", -100_000.0, 100_000.0, "current amp amps ampere"),
        _kind("flow", "m³/h", -100_000.0, 100_000.0, "flow flowrate"),
        _kind("speed", "rpm", -200_000.0, 200_000.0, "speed rpm tacho"),
        _kind("level", "%", -10.0, 110.0, "level"),
        _kind("power", "kW", -1_000_000.0, 1_000_000.0, "power kw watt"),
    )
}
OTHER = Kind("other", "", -1e300, 1e300, frozenset())

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def kind_named(name: str) -> Kind:
    """The kind of that name; `other` for a name that is not in the catalogue."""
    return KINDS.get(name, OTHER)


def infer_kind(external_id: str) -> Kind | None:
    """The kind that an id's words point at, or None when none or several do.

    >>> infer_kind("press-7.bearing_TempC").name
    Traceback (most recent call last):
    AttributeError: 'NoneType' object has no attribute 'name'
    >>> infer_kind("pump-3/motorTemp").name
    'temperature'
    """
    words = {word.lower() for word in _WORDS.findall(external_id)}
    found = [kind for kind in KINDS.values() if kind.words & words]
    return found[0] if len(found) == 1 else None
