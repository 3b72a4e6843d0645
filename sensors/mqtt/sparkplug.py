"""Sparkplug B: topics, payloads and what their values mean. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

from google.protobuf.message import DecodeError

from sensors.mqtt.wire import PayloadMessage

NAMESPACE = "spBv1.0"
BD_SEQ = "bdSeq"
REBIRTH = "Node Control/Rebirth"
_CONTROL = ("Node Control/", "Device Control/")
_QUALITY = {192: 1.0, 500: 0.5, 0: 0.0}  # good, stale, bad


class SparkplugError(ValueError):
    """A message that is no Sparkplug B, or a metric that contradicts its datatype."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Verb(StrEnum):
    """The message types that edge nodes send."""

    NBIRTH = "NBIRTH"
    NDATA = "NDATA"
    NDEATH = "NDEATH"
    DBIRTH = "DBIRTH"
    DDATA = "DDATA"
    DDEATH = "DDEATH"


@dataclass(frozen=True, slots=True)
class Topic:
    """Who sent what. device: None for the edge node itself."""

    group: str
    verb: Verb
    node: str
    device: str | None

    @property
    def place(self) -> str:
        """What stands before the metric's name in a sensor's id."""
        return "/".join(filter(None, (self.group, self.node, self.device)))

    @property
    def rebirth_topic(self) -> str:
        return f"{NAMESPACE}/{self.group}/NCMD/{self.node}"


class Datatype(IntEnum):
    """The datatypes whose values are numbers; every other one is ignored."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11


_BITS = {
    Datatype.INT8: 8, Datatype.INT16: 16, Datatype.INT32: 32, Datatype.INT64: 64,
    Datatype.UINT8: 8, Datatype.UINT16: 16, Datatype.UINT32: 32, Datatype.UINT64: 64,
}  # fmt: skip
_SIGNED = {Datatype.INT8, Datatype.INT16, Datatype.INT32, Datatype.INT64}
_NUMBER_FIELDS = {
    Datatype.FLOAT: {"float_value"},
    Datatype.DOUBLE: {"double_value"},
    Datatype.BOOLEAN: {"boolean_value"},
}
_INTEGER_FIELDS = {"int_value", "long_value"}
# What may stand without a datatype, because it has only one meaning.
_PLAIN_FIELDS = {"float_value", "double_value", "boolean_value"}


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as it came. field: which value field was set; raw: its content, unsigned if int.

    time_ms: milliseconds since 1970 UTC; datatype: 0 where the message states none.
    """

    name: str | None = None
    alias: int | None = None
    time_ms: int | None = None
    datatype: int = 0
    is_historical: bool = False
    is_transient: bool = False
    is_null: bool = False
    field: str | None = None
    raw: float | int | bool | None = None
    unit: str | None = None
    quality: float | None = None

    @property
    def is_number(self) -> bool:
        return self.field in _INTEGER_FIELDS | _PLAIN_FIELDS

    @property
    def needs_birth(self) -> bool:
        """Whether it means nothing without the birth certificate."""
        is_untyped_integer = self.datatype == 0 and self.field in _INTEGER_FIELDS
        return self.name is None or is_untyped_integer


@dataclass(frozen=True, slots=True)
class Payload:
    time_ms: int | None
    seq: int | None
    metrics: tuple[Metric, ...]

    @property
    def bd_seq(self) -> int | None:
        """Which birth a birth or death certificate belongs to."""
        numbers = [m.raw for m in self.metrics if m.name == BD_SEQ and m.field in _INTEGER_FIELDS]
        return int(numbers[0] or 0) if numbers else None


def filters(group: str) -> list[str]:
    """What to subscribe to for the nodes of a group; `+` is every group. Raises SparkplugError.

    >>> filters("line-1")[:2]
    ['spBv1.0/line-1/NBIRTH/+', 'spBv1.0/line-1/NDATA/+']
    """
    if not group or set("/#") & set(group) or ("+" in group and group != "+"):
        raise SparkplugError("group_invalid", f"{group!r} is no group: one topic level, or +")
    below = {verb: "+" if verb.startswith("N") else "+/+" for verb in Verb}
    return [f"{NAMESPACE}/{group}/{verb}/{rest}" for verb, rest in below.items()]


def read_topic(text: str) -> Topic:
    """Raises SparkplugError for a topic that no edge node uses.

    >>> read_topic("spBv1.0/line-1/DDATA/plc-3/pump").place
    'line-1/plc-3/pump'
    """
    levels = text.split("/")
    if 4 <= len(levels) <= 5 and levels[0] == NAMESPACE and levels[2] in set(Verb):
        verb, device = Verb(levels[2]), levels[4] if len(levels) == 5 else None
        if all(levels) and verb.startswith("D") == (device is not None):
            return Topic(levels[1], verb, levels[3], device)
    raise SparkplugError("sparkplug_topic", "not a topic of a Sparkplug edge node")


def decode(data: bytes) -> Payload:
    """Raises SparkplugError `sparkplug_invalid`, or `sparkplug_compressed`."""
    message: Any = PayloadMessage()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise SparkplugError("sparkplug_invalid", f"no Sparkplug B payload: {error}") from error
    if message.uuid == "SPBV1.0_COMPRESSED":
        raise SparkplugError("sparkplug_compressed", "compressed payloads are not read")
    return Payload(
        _optional(message, "timestamp"),
        _optional(message, "seq"),
        tuple(_metric(metric) for metric in message.metrics),
    )


def number(field: str | None, raw: float | bool | None, datatype: int) -> float | None:
    """A metric's value as a number; None for a datatype that is none, such as a string.

    Signed integers travel as unsigned ones of 32 or 64 bits, in two's complement. Raises
    SparkplugError when the value does not fit the datatype, or without one cannot be told.

    >>> number("int_value", 4294967295, Datatype.INT16)
    -1.0
    """
    if datatype == 0 and field in _PLAIN_FIELDS:
        return float(raw or 0)
    if datatype == 0 and field in _INTEGER_FIELDS:
        raise SparkplugError("datatype_unknown", "an integer without a datatype may be signed")
    if datatype not in set(Datatype) or field is None or raw is None:
        return None
    known = Datatype(datatype)
    if field not in _NUMBER_FIELDS.get(known, _INTEGER_FIELDS):
        raise SparkplugError("datatype_mismatch", f"{known.name} does not come as {field}")
    return float(_integer(field, int(raw), known) if known in _BITS else raw)


def is_control(name: str) -> bool:
    """Whether a metric of that name is part of the protocol and not a measurement."""
    return name == BD_SEQ or name.startswith(_CONTROL)


def rebirth_command(time_ms: int) -> bytes:
    """The payload that asks an edge node to send its birth certificates again."""
    command: Any = PayloadMessage(timestamp=time_ms)
    command.metrics.add(
        name=REBIRTH, timestamp=time_ms, datatype=Datatype.BOOLEAN, boolean_value=True
    )
    data: bytes = command.SerializeToString()
    return data


def _integer(field: str, raw: int, datatype: Datatype) -> int:
    bits, sent_bits = _BITS[datatype], 64 if field == "long_value" else 32
    low = raw & ((1 << bits) - 1)
    is_negative = datatype in _SIGNED and bool(low >> (bits - 1))
    # A sender extends the sign over all bits it sends, or over none of them.
    extended = low | (((1 << sent_bits) - 1) ^ ((1 << bits) - 1)) if is_negative else low
    if raw not in {low, extended} and not (is_negative and raw == extended & 0xFFFFFFFF):
        raise SparkplugError("datatype_mismatch", f"{raw} does not fit {datatype.name}")
    return low - (1 << bits) if is_negative else low


def _optional(message: Any, field: str) -> int | None:
    return int(getattr(message, field)) if message.HasField(field) else None


def _metric(metric: Any) -> Metric:
    field = metric.WhichOneof("value")
    is_number = field in _INTEGER_FIELDS | _PLAIN_FIELDS
    properties = dict(_properties(metric.properties)) if metric.HasField("properties") else {}
    unit, quality = properties.get("engUnit"), properties.get("Quality")
    return Metric(
        name=_text(metric.name) or None,
        alias=_optional(metric, "alias"),
        time_ms=_optional(metric, "timestamp"),
        datatype=int(metric.datatype),
        is_historical=bool(metric.is_historical),
        is_transient=bool(metric.is_transient),
        is_null=bool(metric.is_null),
        field=field,
        raw=getattr(metric, field) if is_number else None,
        unit=unit if isinstance(unit, str) else None,
        quality=_QUALITY.get(quality) if isinstance(quality, int) else None,
    )


def _text(found: str | bytes) -> str:
    """The library hands out the bytes of a text that is no UTF-8."""
    if isinstance(found, bytes):
        raise SparkplugError("sparkplug_invalid", "a name is not UTF-8")
    return found


def _properties(properties: Any) -> Iterator[tuple[str, str | int]]:
    for key, entry in zip(properties.keys, properties.values, strict=False):
        field = entry.WhichOneof("value")
        if field in {"string_value", *_INTEGER_FIELDS}:
            yield _text(key), getattr(entry, field)
