"""The options of `manage.py ingest` that say how a file is to be read."""

from __future__ import annotations

import zoneinfo
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from sensors.files.clock import CHOICES, EPOCHS, ISO, Clock
from sensors.files.layout import Layout
from sensors.formats import arrow


class OptionError(ValueError):
    """Options that make no sense together."""


def add_layout(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("columns")
    group.add_argument(
        "--map",
        type=_mapping,
        default={},
        metavar="FIELD=COLUMN,…",
        help=f"what the columns are called; fields: {', '.join(arrow.FIELDS.names)}",
    )
    group.add_argument(
        "--sensor",
        default="",
        metavar="NAME",
        help="every row is of this sensor; {stem} is the file's name without suffixes, here and in "
        "--prefix",
    )
    group.add_argument(
        "--wide", action="store_true", help="each column but the time is a sensor of its name"
    )
    group.add_argument(
        "--columns", type=_listed, default=(), metavar="A,B,…", help="with --wide: these alone"
    )
    group.add_argument(
        "--prefix", default="", metavar="TEXT", help="with --wide: before the column's name"
    )
    group.add_argument(
        "--missing",
        action="append",
        default=[],
        metavar="TEXT",
        help="in CSV: means an empty cell, such as NaN or -; may be given again",
    )
    group.add_argument(
        "--decimal", choices=".,", default=".", help="in CSV: the mark in numbers; default: a point"
    )


def add_clock(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("times")
    group.add_argument(
        "--time-format",
        default=ISO,
        metavar="FORMAT",
        help=f"{ISO} (default), {', '.join(EPOCHS)}, or as strptime takes it",
    )
    group.add_argument(
        "--time-zone",
        type=_zone,
        metavar="NAME",
        help="of times without a zone, such as Europe/Berlin",
    )
    group.add_argument(
        "--ambiguous",
        choices=CHOICES,
        default=CHOICES[0],
        help="which moment a local time means that came twice when clocks were put back",
    )


def layout_of(options: dict[str, Any]) -> Layout:
    """Raises OptionError."""
    wide_only = options["columns"] or options["prefix"]
    if wide_only and not options["wide"]:
        raise OptionError("--columns and --prefix are for --wide.")
    if options["wide"] and (options["sensor"] or options["map"].keys() - {"time"}):
        raise OptionError("With --wide the columns name the sensors; --map takes time alone.")
    if options["sensor"] and "sensor" in options["map"]:
        raise OptionError("--sensor and --map sensor=… both say which sensor it is.")
    return Layout(
        names=options["map"],
        sensor=options["sensor"],
        is_wide=options["wide"],
        columns=tuple(options["columns"]),
        prefix=options["prefix"],
        clock=Clock(options["time_format"], options["time_zone"], options["ambiguous"]),
        missing=("", *options["missing"]),
        decimal=options["decimal"],
    )


def _mapping(text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",")]
    fields = arrow.FIELDS.names
    for name, _, column in pairs:
        if name not in fields or not column:
            raise ArgumentTypeError(f"{name!r}: write FIELD=COLUMN, FIELD of {', '.join(fields)}")
    return {name: column for name, _, column in pairs}


def _listed(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _zone(name: str) -> str:
    if name not in zoneinfo.available_timezones():
        raise ArgumentTypeError(f"{name!r} is no time zone; Europe/Berlin is one")
    return name
