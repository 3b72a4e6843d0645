"""Which topics are read, and what a topic says about its readings. Pure.

A template is an MQTT topic filter whose levels may have names: `plant/{site}/{asset}/{sensor}`. The
sensor's id is put together from the named levels by a second pattern, such as `{asset}/{sensor}`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

SITE = "site"
_SHARE = "$share"
_MAX_TOPIC_BYTES = 65_535
_PLACE = re.compile(r"\{([a-z_]+)(#?)\}")
_BRACE = re.compile(r"[{}]")


class TopicError(ValueError):
    """A template, or the pattern of the sensor's id, that cannot be meant."""


@dataclass(frozen=True, slots=True)
class Template:
    """A topic filter with names. `filter`: what is subscribed to.

    places: for each level its name, or None; sensor_id: the pattern of the id, None when the
    payload has to name the sensor.
    """

    filter: str
    places: tuple[str | None, ...]
    sensor_id: str | None
    pattern: re.Pattern[str]

    def matches(self, topic: str) -> bool:
        return self.pattern.fullmatch(topic) is not None

    def sensor_of(self, topic: str) -> str | None:
        """The id that a matching topic gives to its sensor; None when the payload names it."""
        found = self.pattern.fullmatch(topic)
        if found is None or self.sensor_id is None:
            return None
        named = found.groupdict()
        return _PLACE.sub(lambda place: named[place[1]] or "", self.sensor_id)


def read_template(text: str, *, site: str, sensor_id: str = "{sensor}") -> Template:
    """The template of `text`. `{site}` stands for the slug `site`, so other sites are not read.

    A level is a literal, `+`, `#` (the rest; last), `{name}` or `{name#}` (the rest; last). A
    template without names leaves it to the payload to name its sensor. `$share/GROUP/` in front
    makes a shared subscription. Raises TopicError.

    >>> template = read_template("plant/{site}/{asset}/{sensor}", site="north",
    ...                          sensor_id="{asset}/{sensor}")
    >>> template.filter
    'plant/north/+/+'
    >>> template.sensor_of("plant/north/press-9/temp")
    'press-9/temp'
    """
    share, rest = _shared(text)
    levels = rest.split("/")
    _check_filter(text, levels)
    places = tuple(_place(text, level) for level in levels)
    names = [name for name in places if name is not None]
    if len(names) != len(set(names)):
        raise TopicError(f"topic {text!r} gives one name to two levels")
    own_names = [name for name in names if name != SITE]
    if own_names:
        _check_sensor_id(text, sensor_id, own_names)
    return Template(
        filter=share + "/".join(_subscribed(level, site) for level in levels),
        places=places,
        sensor_id=sensor_id if own_names else None,
        pattern=re.compile(_pattern(levels, site)),
    )


def check_apart(filters: Sequence[str]) -> None:
    """Raises TopicError when one message could match two filters, and so come twice."""
    for one, other in combinations(filters, 2):
        if _overlap(_shared(one)[1].split("/"), _shared(other)[1].split("/")):
            raise TopicError(f"topics {one!r} and {other!r} overlap: a message could come twice")


def is_shared(topic_filter: str) -> bool:
    return topic_filter.startswith(f"{_SHARE}/")


def _shared(text: str) -> tuple[str, str]:
    """`$share/GROUP/` and what follows it; the former is empty for an ordinary filter."""
    if not is_shared(text):
        return "", text
    parts = text.split("/", 2)
    if len(parts) < 3 or not parts[1] or not parts[2] or set("+#{}") & set(parts[1]):
        raise TopicError(f"topic {text!r}: a shared subscription is $share/GROUP/TOPIC")
    return f"{_SHARE}/{parts[1]}/", parts[2]


def _check_filter(text: str, levels: Sequence[str]) -> None:
    if not text or len(text.encode(errors="replace")) > _MAX_TOPIC_BYTES or "\0" in text:
        raise TopicError(f"topic {text[:50]!r} is empty, too long or has a NUL")
    for number, level in enumerate(levels):
        takes_rest = level == "#" or (level.endswith("#}") and _PLACE.fullmatch(level))
        if takes_rest and number != len(levels) - 1:
            raise TopicError(f"topic {text!r}: {level} takes the rest, so it must be last")
        is_wild = level in {"+", "#"} or _PLACE.fullmatch(level)
        if not is_wild and set("+#{}") & set(level):
            raise TopicError(
                f"topic {text!r}: {level!r} is no level; a level is a word, +, #, {{name}} or "
                "{name#}, with a name of small letters and _"
            )


def _place(text: str, level: str) -> str | None:
    found = _PLACE.fullmatch(level)
    if found is None:
        return None
    if found[1] == SITE and found[2]:
        raise TopicError(f"topic {text!r}: {{site}} is one level")
    return found[1]


def _check_sensor_id(text: str, sensor_id: str, names: Sequence[str]) -> None:
    used = [place[1] for place in _PLACE.finditer(sensor_id)]
    if not used or _BRACE.search(_PLACE.sub("", sensor_id)) or "#}" in sensor_id:
        raise TopicError(
            f"sensor id {sensor_id!r} is no pattern; one is {{sensor}} or {{asset}}/{{sensor}}"
        )
    missing = [name for name in used if name not in names]
    if missing:
        raise TopicError(
            f"topic {text!r} has no level {{{missing[0]}}}, which the sensor id {sensor_id!r} needs"
        )


def _subscribed(level: str, site: str) -> str:
    found = _PLACE.fullmatch(level)
    if found is None:
        return level
    if found[1] == SITE:
        return site
    return "#" if found[2] else "+"


def _pattern(levels: Sequence[str], site: str) -> str:
    """As a regular expression. `a/#` matches `a` too; a wildcard in front matches no `$…` topic."""
    pattern = "(?!\\$)" if _subscribed(levels[0], site) in {"+", "#"} else ""
    for number, level in enumerate(levels):
        slash = "/" if number else ""
        name = _PLACE.fullmatch(level)
        group = f"?P<{name[1]}>" if name and name[1] != SITE else "?:"
        subscribed = _subscribed(level, site)
        if subscribed == "#":
            pattern += f"(?:{slash}({group}.*))?" if slash else f"({group}.*)"
        elif subscribed == "+":
            pattern += f"{slash}({group}[^/]*)"
        else:
            pattern += slash + re.escape(subscribed)
    return f"(?s:{pattern})"


def _overlap(one: Sequence[str], other: Sequence[str]) -> bool:
    if "#" in (one[:1] or [""])[0] + (other[:1] or [""])[0]:
        return True
    if not one or not other:
        # `a/#` matches `a` as well.
        return not one and not other
    if one[0] != other[0] and "+" not in {one[0], other[0]}:
        return False
    return _overlap(one[1:], other[1:])
