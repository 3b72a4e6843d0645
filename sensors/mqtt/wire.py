"""Sparkplug B payloads as Protocol Buffers carry them. Pure.

The messages are described by the field numbers of the specification (Eclipse Sparkplug 3.0, chapter
6). Fields that readings have no use for are left out: a decoder skips what it does not know.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_BYTES, _STRING, _BOOL = _Field.TYPE_BYTES, _Field.TYPE_STRING, _Field.TYPE_BOOL
_UINT32, _UINT64 = _Field.TYPE_UINT32, _Field.TYPE_UINT64
_FLOAT, _DOUBLE = _Field.TYPE_FLOAT, _Field.TYPE_DOUBLE
_PACKAGE = "smartmaint.sparkplug"
# message → (field, number, type or the name of a message, is it repeated, is it one of the values)
_FIELDS: dict[str, tuple[tuple[str, int, Any, bool, bool], ...]] = {
    "PropertyValue": (
        ("type", 1, _UINT32, False, False),
        ("is_null", 2, _BOOL, False, False),
        ("int_value", 3, _UINT32, False, True),
        ("long_value", 4, _UINT64, False, True),
        ("float_value", 5, _FLOAT, False, True),
        ("double_value", 6, _DOUBLE, False, True),
        ("boolean_value", 7, _BOOL, False, True),
        ("string_value", 8, _STRING, False, True),
    ),
    "PropertySet": (
        ("keys", 1, _STRING, True, False),
        ("values", 2, "PropertyValue", True, False),
    ),
    "Metric": (
        ("name", 1, _STRING, False, False),
        ("alias", 2, _UINT64, False, False),
        ("timestamp", 3, _UINT64, False, False),
        ("datatype", 4, _UINT32, False, False),
        ("is_historical", 5, _BOOL, False, False),
        ("is_transient", 6, _BOOL, False, False),
        ("is_null", 7, _BOOL, False, False),
        ("properties", 9, "PropertySet", False, False),
        ("int_value", 10, _UINT32, False, True),
        ("long_value", 11, _UINT64, False, True),
        ("float_value", 12, _FLOAT, False, True),
        ("double_value", 13, _DOUBLE, False, True),
        ("boolean_value", 14, _BOOL, False, True),
        ("string_value", 15, _STRING, False, True),
        ("bytes_value", 16, _BYTES, False, True),
    ),
    "Payload": (
        ("timestamp", 1, _UINT64, False, False),
        ("metrics", 2, "Metric", True, False),
        ("seq", 3, _UINT64, False, False),
        ("uuid", 4, _STRING, False, False),
        ("body", 5, _BYTES, False, False),
    ),
}


def _described() -> Any:
    """The class of a payload message, made from `_FIELDS`."""
    file = descriptor_pb2.FileDescriptorProto(
        name="smartmaint/sparkplug.proto", package=_PACKAGE, syntax="proto2"
    )
    for message, fields in _FIELDS.items():
        described = file.message_type.add(name=message)
        if any(is_value for *_, is_value in fields):
            described.oneof_decl.add(name="value")
        for name, place, kind, is_repeated, is_value in fields:
            label = _Field.LABEL_REPEATED if is_repeated else _Field.LABEL_OPTIONAL
            field = described.field.add(name=name, number=place, label=label)
            if isinstance(kind, str):
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                field.type = kind
            if is_value:
                field.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))


PayloadMessage = _described()
