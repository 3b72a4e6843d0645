"""Any JSON document, strictly or, where it harms one row only, leniently. Pure."""

from __future__ import annotations

import json
from typing import Any

import orjson

from sensors.formats import text
from sensors.formats.batch import MAX_READINGS, FormatError


def parse_json(body: bytes, *, max_readings: int = MAX_READINGS) -> Any:
    """Any JSON, with NaN and lone surrogates let through to the rules for rows.

    Raises FormatError for what is no JSON or could not be so few readings.
    """
    body = text.unmarked(body)
    text.refuse_crumbs(body, max_readings)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        # NaN, Infinity, 1e999 and lone surrogates are no JSON but harm one row only.
        return _lenient_document(body)


def _lenient_document(body: bytes) -> Any:
    text.require_utf8(body)
    try:
        return json.loads(body.decode("utf-8"), parse_int=_integer)
    except json.JSONDecodeError as error:
        raise FormatError("json_invalid", error.msg, error.pos, error.lineno) from error
    except RecursionError as error:
        raise FormatError("json_too_deep", "the JSON is nested too deeply") from error


def _integer(digits: str) -> float:
    """As int() where a float can hold it; a longer one takes int() quadratic time."""
    return int(digits) if len(digits) < 300 else float(digits)
