"""What numbers an option of a command may be; others raise ArgumentTypeError, which it says."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from urllib.parse import urlsplit

from django.core.validators import slug_re

# Of numpy's generators, and short enough for a column of PostgreSQL.
MOST_SEED = 2**31 - 1


def positive(text: str) -> float:
    """A finite number above 0.

    >>> positive("0.5")
    0.5
    """
    number = _number(text)
    if number <= 0:
        raise ArgumentTypeError(f"{text} is not above 0")
    return number


def not_negative(text: str) -> float:
    """A finite number from 0 on."""
    number = _number(text)
    if number < 0:
        raise ArgumentTypeError(f"{text} is below 0")
    return number


def count(text: str) -> int:
    """A whole number from 1 on."""
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:12]) <= MOST_SEED:
        raise ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def seed_number(text: str) -> int:
    """What random numbers begin with: a whole number from 0 on."""
    if not (text.isascii() and text.isdigit()) or int(text[:12]) > MOST_SEED:
        raise ArgumentTypeError(f"{text!r} is no whole number from 0 to {MOST_SEED}")
    return int(text)


def http_url(text: str) -> str:
    """http:// or https:// and a host."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ArgumentTypeError(f"{text!r} is no address such as http://127.0.0.1:8000")
    return text


def slug(text: str) -> str:
    """A site's short name."""
    if not slug_re.match(text):
        raise ArgumentTypeError(f"{text!r} is no slug: letters, digits, - and _")
    return text


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no number") from None
    if not math.isfinite(number):
        raise ArgumentTypeError(f"{text} is no finite number")
    return number
