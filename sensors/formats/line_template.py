"""How a series of line protocol is called as a sensor: a template with placeholders. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from sensors.rows import RowError

DEFAULT_TEMPLATE = "{measurement}.{field}{tags}"
MAX_TEMPLATE = 200
PLACEHOLDERS = "{measurement}, {field}, {tag:NAME}, {tags}, {bucket}"

_PART = re.compile(r"\{[^{}]*\}|[^{}]+|[{}]")
_TAG = re.compile(r"\{tag:([^{}]+)\}")
_PLAIN = frozenset(("{measurement}", "{field}", "{tags}", "{bucket}"))


@dataclass(frozen=True, slots=True)
class Series:
    """A measurement and its tags, sorted by name; unescaped."""

    measurement: str
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """`parts`: texts and placeholders, these in braces; `tags`: names in the {tag:NAME} of it.

    `{tags}` stands for the tags that no `{tag:NAME}` of the template names, each as `,name=value`,
    sorted by name; for nothing where there are none.

    >>> series = Series("cpu", (("cpu", "cpu0"), ("host", "web1")))
    >>> Template.parse(DEFAULT_TEMPLATE).sensor(series, "usage_idle")
    'cpu.usage_idle,cpu=cpu0,host=web1'
    >>> Template.parse("{tag:host}/{measurement}.{field}{tags}").sensor(series, "usage_idle")
    'web1/cpu.usage_idle,cpu=cpu0'
    """

    parts: tuple[str, ...]
    tags: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError with a sentence for whoever wrote the template."""
        if not text.strip() or len(text) > MAX_TEMPLATE or not text.isprintable():
            raise ValueError(f"a template has 1 to {MAX_TEMPLATE} printable characters")
        parts = tuple(_PART.findall(text))
        for part in parts:
            _check(part)
        if not any(part[0] == "{" and part != "{bucket}" for part in parts):
            raise ValueError(
                "every series would be the same sensor: a template needs {measurement}, {field}, "
                "{tag:NAME} or {tags}"
            )
        return cls(parts, tuple(_TAG.findall(text)))

    @property
    def names_the_field(self) -> bool:
        """If not, a line with two fields would be two readings of one sensor at one time."""
        return "{field}" in self.parts

    @property
    def names_the_bucket(self) -> bool:
        return "{bucket}" in self.parts

    def sensor(self, series: Series, field: str, bucket: str = "") -> str:
        """The sensor's id. Raises RowError for a tag that the template names and the series lacks.

        Whether the id is one that a sensor may have is not looked at.
        """
        tags = dict(series.tags)
        if missing := [name for name in self.tags if name not in tags]:
            raise RowError("tag_missing", f"the key's template needs the tag {missing[0]!r}")
        rest = (f",{name}={value}" for name, value in series.tags if name not in self.tags)
        known = {
            "{measurement}": series.measurement,
            "{field}": field,
            "{bucket}": bucket,
            "{tags}": "".join(rest),
            **{f"{{tag:{name}}}": tags[name] for name in self.tags},
        }
        return "".join(known.get(part, part) for part in self.parts)


def _check(part: str) -> None:
    if part in {"{", "}"}:
        raise ValueError(f"a brace stands alone; placeholders are {PLACEHOLDERS}")
    if part[0] == "{" and part not in _PLAIN and not _TAG.fullmatch(part):
        raise ValueError(f"{part} is no placeholder; there are {PLACEHOLDERS}")
