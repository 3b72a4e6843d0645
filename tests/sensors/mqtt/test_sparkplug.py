"""Sparkplug B: what was encoded is decoded equal, and any bytes give a documented answer."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.mqtt import sparkplug
from sensors.mqtt.sparkplug import (
    Datatype,
    Metric,
    Payload,
    SparkplugError,
    Verb,
    decode,
    number,
    read_topic,
)
from sensors.mqtt.wire import PayloadMessage
from tests.sensors.mqtt import edge

_INTEGERS = {
    Datatype.INT8: (-(2**7), 2**7 - 1), Datatype.UINT8: (0, 2**8 - 1),
    Datatype.INT16: (-(2**15), 2**15 - 1), Datatype.UINT16: (0, 2**16 - 1),
    Datatype.INT32: (-(2**31), 2**31 - 1), Datatype.UINT32: (0, 2**32 - 1),
    Datatype.INT64: (-(2**63), 2**63 - 1), Datatype.UINT64: (0, 2**64 - 1),
}  # fmt: skip


def valued() -> st.SearchStrategy[tuple[Datatype, float]]:
    integers = [
        st.tuples(st.just(datatype), st.integers(low, high))
        for datatype, (low, high) in _INTEGERS.items()
    ]
    single = st.floats(width=32, allow_nan=False)
    return st.one_of(
        *integers,
        st.tuples(st.just(Datatype.FLOAT), single),
        st.tuples(st.just(Datatype.DOUBLE), st.floats(allow_nan=False)),
        st.tuples(st.just(Datatype.BOOLEAN), st.booleans()),
    )


@given(
    metrics=st.lists(
        st.tuples(
            valued(), st.text(max_size=20), st.none() | st.integers(0, 2**64 - 1), st.booleans()
        )
    ),
    seq=st.none() | st.integers(0, 255),
    ms=st.none() | st.integers(0, 2**64 - 1),
)
def test_what_was_encoded_is_decoded_equal(metrics, seq, ms) -> None:
    data = edge.payload(
        *(
            edge.metric(
                datatype, value, name=name, is_historical=flag,
                **({} if alias is None else {"alias": alias}),
            )
            for (datatype, value), name, alias, flag in metrics
        ),
        seq=seq,
        ms=ms,
    )  # fmt: skip
    found = decode(data)
    assert (found.seq, found.time_ms) == (seq, ms)
    for one, ((_, value), name, alias, flag) in zip(found.metrics, metrics, strict=True):
        assert (one.name, one.alias, one.is_historical) == (name or None, alias, flag)
        assert number(one.field, one.raw, one.datatype) == float(value)


def answer(data: bytes) -> Payload | str:
    """What was decoded, or the code of the error."""
    try:
        return decode(data)
    except SparkplugError as error:
        return error.code


def value_or_code(one: Metric) -> float | str | None:
    try:
        return number(one.field, one.raw, one.datatype)
    except SparkplugError as error:
        return error.code


NOT_DECODED = {"sparkplug_invalid", "sparkplug_compressed"}


@given(st.binary())
def test_any_bytes_are_a_payload_or_a_documented_error(data: bytes) -> None:
    found = answer(data)
    if isinstance(found, str):
        assert found in NOT_DECODED
        return
    for value in map(value_or_code, found.metrics):
        assert value is None or isinstance(value, float) or value.startswith("datatype_")


@given(st.binary(max_size=30), st.integers(0, 60))
def test_a_damaged_payload_is_a_payload_or_a_documented_error(noise: bytes, at: int) -> None:
    good = edge.birth(edge.metric(Datatype.INT16, -3, name="Temp", alias=4, unit="°C"))
    found = answer(good[:at] + noise + good[at:])
    assert isinstance(found, Payload) or found in NOT_DECODED


def test_a_name_that_is_no_text_is_an_error() -> None:
    with pytest.raises(SparkplugError) as caught:
        decode(b"\x12\x03\x0a\x01\xff")
    assert caught.value.code == "sparkplug_invalid"


@pytest.mark.parametrize(
    ("datatype", "field", "raw", "value"),
    [
        (Datatype.INT8, "int_value", 0xFF, -1.0),  # the sign over its own bits only
        (Datatype.INT8, "int_value", 0xFFFFFFFF, -1.0),  # over all that are sent
        (Datatype.INT16, "int_value", 0x8000, -32768.0),
        (Datatype.INT32, "int_value", 0x80000000, -(2.0**31)),
        (Datatype.INT32, "long_value", 0xFFFFFFFF, -1.0),
        (Datatype.INT32, "long_value", 2**64 - 1, -1.0),
        (Datatype.INT64, "long_value", 2**64 - 5, -5.0),
        (Datatype.UINT32, "int_value", 2**32 - 1, 2.0**32 - 1),
        (Datatype.BOOLEAN, "boolean_value", True, 1.0),
        (12, "string_value", "on", None),
        (13, "long_value", 5, None),  # a date
    ],
)
def test_a_value_is_read_by_its_datatype(datatype, field, raw, value) -> None:
    assert number(field, raw, datatype) == value


@pytest.mark.parametrize(
    ("datatype", "field", "raw"),
    [
        (Datatype.UINT8, "int_value", 256),
        (Datatype.INT8, "int_value", 0x1FF),
        (Datatype.DOUBLE, "int_value", 1),
        (Datatype.INT32, "float_value", 1.0),
    ],
)
def test_a_value_that_contradicts_its_datatype_is_an_error(datatype, field, raw) -> None:
    with pytest.raises(SparkplugError) as caught:
        number(field, raw, datatype)
    assert caught.value.code == "datatype_mismatch"


def test_unit_and_quality_are_read_from_the_properties() -> None:
    message = PayloadMessage()
    added = message.metrics.add(name="t", double_value=1.0, datatype=10)
    for key, entry in (("engUnit", {"string_value": "kPa"}), ("Quality", {"int_value": 192})):
        added.properties.keys.append(key)
        added.properties.values.add(**entry)
    [found] = decode(message.SerializeToString()).metrics
    assert (found.unit, found.quality) == ("kPa", 1.0)


def test_the_wire_has_the_specified_field_numbers() -> None:
    """By hand: timestamp 1, metrics 2 {name 1, alias 2, datatype 4, float_value 12}, seq 3."""
    metric = b"\x0a\x01T\x10\x07\x20\x09\x65" + struct.pack("<f", 2.5)
    data = b"\x08\x05\x12" + bytes([len(metric)]) + metric + b"\x18\x03"
    found = decode(data)
    assert (found.time_ms, found.seq) == (5, 3)
    [one] = found.metrics
    assert (one.name, one.alias, one.datatype, one.raw) == ("T", 7, Datatype.FLOAT, 2.5)


def test_a_rebirth_is_asked_for_as_the_specification_says() -> None:
    [command] = decode(sparkplug.rebirth_command(edge.MS)).metrics
    assert (command.name, command.raw, command.datatype) == ("Node Control/Rebirth", True, 11)
    assert read_topic("spBv1.0/g/NDATA/n").rebirth_topic == "spBv1.0/g/NCMD/n"


@pytest.mark.parametrize(
    "topic",
    ["spBv1.0/g/NCMD/n", "spBv1.0/g/NDATA/n/d", "spBv1.0/g/DDATA/n", "spBv1.0/STATE/h", "a/b",
     "spBv1.0//NDATA/n", "spBv1.0/g/DDATA/n/"],
)  # fmt: skip
def test_other_topics_are_no_edge_nodes(topic: str) -> None:
    with pytest.raises(SparkplugError):
        read_topic(topic)


def test_the_messages_of_a_group_are_subscribed_to_and_no_commands() -> None:
    found = sparkplug.filters("+")
    assert len(found) == len(Verb)
    assert not any("CMD" in one for one in found)
    with pytest.raises(SparkplugError, match="no group"):
        sparkplug.filters("a/b")
