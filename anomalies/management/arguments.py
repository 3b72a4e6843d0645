"""What several commands read from their command lines."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import datetime

from anomalies.rescoring import moment


def event_time(text: str) -> datetime:
    """ISO 8601; UTC without a zone."""
    try:
        return moment(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no ISO 8601 time, such as 2026-03-01") from None
