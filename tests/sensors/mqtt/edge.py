"""A Sparkplug edge node's messages, as Protocol Buffers write them."""

from __future__ import annotations

from typing import Any

from sensors.mqtt.sparkplug import Datatype
from sensors.mqtt.wire import PayloadMessage

MS = 1_772_366_400_000  # 2026-03-01T12:00:00Z
_FIELDS = {
    Datatype.FLOAT: "float_value",
    Datatype.DOUBLE: "double_value",
    Datatype.BOOLEAN: "boolean_value",
    Datatype.INT64: "long_value",
    Datatype.UINT32: "long_value",
    Datatype.UINT64: "long_value",
}


def payload(*metrics: dict[str, Any], seq: int | None = None, ms: int | None = MS) -> bytes:
    message: Any = PayloadMessage()
    if ms is not None:
        message.timestamp = ms
    if seq is not None:
        message.seq = seq
    for metric in metrics:
        unit = metric.pop("unit", None)
        added = message.metrics.add(**metric)
        if unit is not None:
            added.properties.keys.append("engUnit")
            added.properties.values.add(type=12, string_value=unit)
    data: bytes = message.SerializeToString()
    return data


def metric(datatype: Datatype, value: float, **more: Any) -> dict[str, Any]:
    """A metric with its value as senders encode it: signed integers as unsigned ones."""
    field = _FIELDS.get(datatype, "int_value")
    if field in {"int_value", "long_value"}:
        value = int(value) & (0xFFFFFFFFFFFFFFFF if field == "long_value" else 0xFFFFFFFF)
    return {"datatype": int(datatype), field: value, **more}


def birth(*metrics: dict[str, Any], seq: int = 0, bd_seq: int = 0) -> bytes:
    number = {"name": "bdSeq", "datatype": int(Datatype.UINT64), "long_value": bd_seq}
    rebirth = {"name": "Node Control/Rebirth", "datatype": 11, "boolean_value": False}
    return payload(number, rebirth, *metrics, seq=seq)


def death(bd_seq: int) -> bytes:
    return payload({"name": "bdSeq", "datatype": 8, "long_value": bd_seq})


def double(alias: int, value: float, **more: Any) -> dict[str, Any]:
    """A metric of a data message: alias and value, nothing else."""
    return {"alias": alias, "double_value": value, **more}
