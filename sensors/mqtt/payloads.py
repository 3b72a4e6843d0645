"""A JSON message as rows of `sensors.formats`. Pure.

Three forms: a bare number; one reading, `{"value", "time"?, …}`; or a batch as in the HTTP body, an
array or `{"readings": […]}`. The topic may name the sensor. Only a message of one reading may leave
out its time, which is then its arrival: the readings of a batch would all get the same.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from sensors.formats import FormatError, TooManyReadings, ascii_json, parse_json


def rows_of(
    payload: bytes, *, sensor: str | None, arrived: str, is_retained: bool, max_readings: int
) -> tuple[list[Any], bool]:
    """The rows of a message, and whether `arrived` (ISO 8601) had to stand in for their time.

    sensor: what the topic calls it, for rows that name none. Raises FormatError; a bad row only
    rejects itself later on.

    >>> rows_of(b"81.2", sensor="temp", arrived="2026-01-05T14:20:00Z", is_retained=False,
    ...         max_readings=10)
    ([{'sensor': 'temp', 'value': 81.2, 'time': '2026-01-05T14:20:00Z'}], True)
    """
    document = parse_json(payload, max_readings=max_readings)
    if isinstance(document, dict) and "readings" in document:
        document = document["readings"]
        if not isinstance(document, list):
            raise FormatError("not_a_batch", "readings must be an array")
    if isinstance(document, list):
        if len(document) > max_readings:
            raise TooManyReadings(max_readings)
        return [_with_sensor(row, sensor) for row in document], False
    row = _with_sensor(document if isinstance(document, dict) else {"value": document}, sensor)
    if "time" in row:
        return [row], False
    if is_retained:
        raise FormatError(
            "retained_without_time",
            "the broker kept this message for new subscribers, so its arrival is not its time",
        )
    return [{**row, "time": arrived}], True


def kept(topic: str, payload: bytes, *, limit: int) -> str:
    """A whole message for quarantine, as ASCII JSON; of a longer one the first `limit` bytes."""
    message: dict[str, Any] = {"topic": topic}
    if len(payload) > limit:
        message |= {"bytes": len(payload), "sha256": hashlib.sha256(payload).hexdigest()}
        payload = payload[:limit]
    try:
        message["payload"] = payload.decode()
    except UnicodeDecodeError:
        message["payload_base64"] = base64.b64encode(payload).decode()
    return ascii_json(message)


def _with_sensor(row: Any, sensor: str | None) -> Any:
    if isinstance(row, dict) and sensor is not None:
        return {"sensor": sensor, **row}
    return row
