"""Line protocol becomes columns: the whole grammar, quickly where a line is plain."""

from __future__ import annotations

import json
import math
import tracemalloc
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.formats import Dialect, LineBatch, Template, TooManyReadings, from_line_protocol
from sensors.formats.line_columns import Lines
from sensors.formats.line_template import DEFAULT_TEMPLATE
from sensors.series import to_datetime64
from tests.factories import NOW

AT = to_datetime64(NOW)
NS = 1_767_323_045_123_456_789


def read(
    body: bytes | str,
    *,
    template: str = DEFAULT_TEMPLATE,
    unit: str = "ns",
    bucket: str = "",
    **limits: int,
) -> LineBatch:
    dialect = Dialect(Template.parse(template), unit, bucket)
    text = body if isinstance(body, bytes) else body.encode()
    return from_line_protocol(text, dialect, now=AT, **limits)


def rows(found: LineBatch) -> list[tuple[str | None, int, float]]:
    batch = found.batch
    times = batch.times.astype(np.int64).tolist()
    return [
        (batch.sensor.of_row(i), times[i], float(batch.values[i])) for i in range(len(batch.times))
    ]


def values(body: bytes | str, **options: Any) -> dict[str | None, float]:
    found = read(body, **options)
    assert found.batch.rejected == ()
    return {sensor: value for sensor, _, value in rows(found)}


def refused(body: bytes | str, **options: Any) -> list[tuple[int, str]]:
    found = read(body, **options)
    return [(int(found.lines[r.index]), r.code) for r in found.batch.rejected]


# --- what a line says -----------------------------------------------------------------------------


def test_a_line_is_a_reading_for_each_of_its_numbers() -> None:
    found = read(f'cpu,host=web1,cpu=cpu0 idle=98.5,busy=3i,mode="idle",on=t {NS}')
    assert rows(found) == [
        ("cpu.idle,cpu=cpu0,host=web1", NS // 1000, 98.5),
        ("cpu.busy,cpu=cpu0,host=web1", NS // 1000, 3.0),
        ("cpu.on,cpu=cpu0,host=web1", NS // 1000, 1.0),
    ]
    assert found.strings == 1
    assert found.lines.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("-1", -1.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1e3", 1000.0),
        ("1.e+78", 1e78),
        ("-1.25E-3", -0.00125),
        ("007", 7.0),
        ("0.1", 0.1),
        ("1e-400", 0.0),
        ("0i", 0.0),
        ("-5i", -5.0),
        ("007i", 7.0),
        ("9007199254740991i", 2.0**53 - 1),
        ("9223372036854775807i", 2.0**63),
        ("-9223372036854775808i", -(2.0**63)),
        ("18446744073709551615u", 2.0**64),
        ("7u", 7.0),
        *((text, 1.0) for text in ("t", "T", "true", "True", "TRUE")),
        *((text, 0.0) for text in ("f", "F", "false", "False", "FALSE")),
    ],
)
def test_numbers_and_booleans_in_every_spelling(text: str, value: float) -> None:
    assert values(f"m a={text} {NS}") == {"m.a": value}
    assert values(f'm s="",a={text} {NS}') == {"m.a": value}


@pytest.mark.parametrize(
    "text",
    [
        *("", "-", ".", "-.", "+1", "1e", "1e+", "e5", "1.2.3", "1_0", "0x10", "0x10i", "1.5i"),
        *("1e3i", "i", "-i", "-1u", "u", "1ii", "1iu", "9223372036854775808i", "٣", "1e400"),
        *("-9223372036854775809i", "18446744073709551616u", "NaN", "nan", "inf", "-inf", "Inf"),
        *("tru", "TrUe", "yes", "tt", "falsey", "none", '"', '"a', '"a"b', "1,", "1,b", "1,=2"),
        *("1,b=", "=1", "1=2", "9" * 400),
    ],
)
def test_what_is_no_value_costs_its_line_only(text: str) -> None:
    for odd in ("", 's="x",'):
        found = read(f"m a=1 {NS}\nm {odd}a={text} {NS}\nm a=3 {NS + 1000}")
        assert [value for _, _, value in rows(found)] == [1.0, 3.0]
        [rejected] = found.batch.rejected
        assert (rejected.code, found.lines[rejected.index]) == ("line_invalid", 2)
        assert json.loads(rejected.payload) == {
            "line": f"m {odd}a={text} {NS}",
            "precision": "ns",
        }


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (",t=a f=1", "missing measurement"),
        ("m", "missing fields"),
        ("m ", "missing fields"),
        ("m,t=a", "missing fields"),
        ("m,", "missing tag key"),
        ("m, f=1", "missing tag key"),
        ("m,=a f=1", "missing tag key"),
        ("m,t f=1", "missing tag value"),
        ("m,t= f=1", "missing tag value"),
        ("m,t=a, f=1", "missing tag key"),
        ("m,t=a=b f=1", "invalid tag format"),
        ("m,t=a,t=b f=1", "duplicate tags"),
        ("m =1", "missing field key"),
        ("m f", "invalid field format"),
        ("m f g=1", "invalid field format"),
        ("m f=", "missing field value"),
        ("m\tf=1", "missing fields"),
        ("m f=1 x", "bad timestamp"),
        ("m f=1 1.5", "bad timestamp"),
        ("m f=1 --1", "bad timestamp"),
        ("m f=1 1 2", "point is invalid"),
        ('m f="x', "unbalanced quotes"),
    ],
)
def test_what_is_wrong_with_a_line_is_said_as_influxdb_says_it(line: str, why: str) -> None:
    [rejected] = read(line).batch.rejected
    assert rejected.detail == f"unable to parse {line!a}: {why}"


def test_names_are_unescaped() -> None:
    found = values(r"my\ m\,1,t\=ag\ =v\,\=\  f\,\ \==1 0")
    assert found == {"my m,1.f, =,t=ag =v,= ": 1.0}


def test_a_backslash_before_anything_else_is_itself() -> None:
    assert values(r"m\n,t=C:\x f\\g=1 0") == {r"m\n.f\\g,t=C:\x": 1.0}
    assert values(r"m,t=a\\,b\=c f=1 0") == {r"m.f,t=a\,b=c": 1.0}


def test_a_string_may_hold_quotes_commas_and_lines() -> None:
    body = f'm s="a \\"b\\" c, d=1\n# no comment\n\nm x=5 1\n",a=1 {NS}\nm b=2 {NS}'
    found = read(body)
    assert {sensor: value for sensor, _, value in rows(found)} == {"m.a": 1.0, "m.b": 2.0}
    assert found.lines.tolist() == [1, 6]
    assert found.batch.rejected == ()


def test_a_quote_that_is_not_closed_costs_one_line() -> None:
    found = read('m a=1 1000\nm s="oops 2000\nm a=3 3000\nm s="fine",a=4 4000\n')
    assert [value for _, _, value in rows(found)] == [1.0, 3.0, 4.0]
    assert [int(found.lines[one.index]) for one in found.batch.rejected] == [2]


def test_quotes_in_names_and_tags_are_themselves() -> None:
    assert values('m"1,t="x f"=1 0') == {'m"1.f",t="x': 1.0}


def test_comments_and_blank_lines_are_passed_over() -> None:
    found = read('# a comment, with = and "\n\n  \n\t\n  # another\nm a=1 1000\n\n#m a=2 2000\n')
    assert rows(found) == [("m.a", 1, 1.0)]
    assert found.lines.tolist() == [6]
    assert found.batch.rejected == ()


@pytest.mark.parametrize("body", [b"", b"\n", b"\r\n", b"# nothing\n", b"\xef\xbb\xbf", b"   "])
def test_a_document_may_hold_nothing(body: bytes) -> None:
    assert len(read(body).batch) == 0


def test_line_breaks_of_windows_and_spaces_at_the_end_are_no_harm() -> None:
    found = read(b'm a=1 1000\r\nm a=2\r\nm a=3 3000  \r\nm  b=4   4000 \r\nm s="x",a=5 5000\r')
    assert [value for _, _, value in rows(found)] == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_without_a_time_the_servers_clock_counts() -> None:
    assert rows(read("m a=1\nm,t=x a=2 ")) == [
        ("m.a", int(AT.astype(np.int64)), 1.0),
        ("m.a,t=x", int(AT.astype(np.int64)), 2.0),
    ]


@pytest.mark.parametrize(
    ("unit", "time", "microseconds"),
    [
        ("ns", 1999, 1),
        ("ns", -1, -1),
        ("ns", -1000, -1),
        ("ns", -1001, -2),
        ("us", -7, -7),
        ("ms", 3, 3_000),
        ("s", -3, -3_000_000),
        ("m", 2, 120_000_000),
        ("h", 1, 3_600_000_000),
    ],
)
def test_times_are_cut_to_the_microsecond(unit: str, time: int, microseconds: int) -> None:
    for odd in ("", 's="x",'):
        assert rows(read(f"m {odd}a=1 {time}", unit=unit)) == [("m.a", microseconds, 1.0)]


@pytest.mark.parametrize("unit", ["us", "ms", "s", "m", "h"])
@pytest.mark.parametrize("time", [2**63 - 1, -(2**63), 10**18, 10**30])
def test_a_time_out_of_reach_costs_its_line(unit: str, time: int) -> None:
    assert refused(f"m a=1 0\nm a=2 {time}\nm a=3", unit=unit) == [(2, "time_invalid")]


def test_nanoseconds_before_1900_are_refused() -> None:
    assert refused(f"m a=1 {-(2**63)}") == [(1, "time_invalid")]


def test_text_that_is_no_utf8_costs_its_line() -> None:
    found = read(b"m,t=\xff a=1 1000\nm,t=\xc3\xa9 a=2 2000\nm \xff=3 3000")
    assert rows(found) == [("m.a,t=é", 2, 2.0)]
    assert [one.code for one in found.batch.rejected] == ["line_invalid"] * 2
    assert all(one.payload.isascii() for one in found.batch.rejected)


def test_a_reading_that_cannot_be_costs_no_other_of_its_line() -> None:
    found = read(f"m a=1,b=1e101,{'x' * 250}=2,c=3 {NS}")
    assert [sensor for sensor, _, _ in rows(found)] == ["m.a", "m.c"]
    assert [one.code for one in found.batch.rejected] == ["value_out_of_range", "sensor_invalid"]
    assert found.batch.sensor.names == ("m.a", "m.c")
    assert json.loads(found.batch.rejected[0].payload) == {
        "sensor": "m.b",
        "time": "2026-01-02T03:04:05.123456Z",
        "value": 1e101,
    }


def test_a_line_of_strings_alone_is_no_reading_and_no_fault() -> None:
    found = read('m s="a",t="b" 1000\n', template="{tag:host}.{field}")
    assert (len(found.batch), found.strings) == (0, 2)


# --- what a sensor is called ----------------------------------------------------------------------


def test_tags_come_in_sorted_order_whatever_order_they_are_sent_in() -> None:
    found = read("m,b=2,a=1 v=1 1000\nm,a=1,b=2 v=2 2000")
    assert found.batch.sensor.names == ("m.v,a=1,b=2",)


@pytest.mark.parametrize(
    ("template", "sensor"),
    [
        ("{tag:host}/{measurement}.{field}", "web1/cpu.idle"),
        ("{tag:host}{tags}", "web1,core=0"),
        ("{bucket}:{field}", "plant:idle"),
        ("x {measurement}", "x cpu"),
    ],
)
def test_a_template_says_what_a_sensor_is_called(template: str, sensor: str) -> None:
    line = "cpu,host=web1,core=0 idle=1 1000"
    assert values(line, template=template, bucket="plant") == {sensor: 1.0}
    assert values(line + " ", template=template, bucket="plant") == {sensor: 1.0}


def test_a_series_without_a_tag_that_the_template_needs_is_refused() -> None:
    found = read("m,host=a f=1,g=2 1000\nm f=1,g=2 2000", template="{tag:host}.{field}")
    assert len(found.batch.times) == 2
    [rejected] = found.batch.rejected
    assert rejected.code == "tag_missing"
    assert "'host'" in rejected.detail


def test_fields_that_a_template_cannot_tell_apart_are_refused() -> None:
    body = 'temp,sensor=a value=1 1000\ntemp,sensor=b value=1,raw=2 1000\ntemp,sensor=c v=1,s="x" 1'
    found = read(body, template="{tag:sensor}")
    assert [sensor for sensor, _, _ in rows(found)] == ["a", "c"]
    assert [one.code for one in found.batch.rejected] == ["fields_ambiguous"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "1 to 200"),
        ("  ", "1 to 200"),
        ("x" * 201, "1 to 200"),
        ("{field}\n", "printable"),
        ("{host}", "{host} is no placeholder"),
        ("{tag:}", "{tag:} is no placeholder"),
        ("{}", "{} is no placeholder"),
        ("{field", "brace"),
        ("field}", "brace"),
        ("{{field}}", "brace"),
        ("constant", "same sensor"),
        ("{bucket}", "same sensor"),
    ],
)
def test_a_template_that_cannot_work_is_explained(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Template.parse(text)


# --- how much -------------------------------------------------------------------------------------


def test_more_readings_than_allowed_are_refused() -> None:
    assert len(read("m a=1,b=2\nm c=3", max_readings=3).batch) == 3
    for odd in ("", 's="",'):
        with pytest.raises(TooManyReadings):
            read(f"m {odd}a=1,b=2\nm c=3,d=4", max_readings=3)
        with pytest.raises(TooManyReadings):
            read(f"m {odd}a=1,b=2,c=3,d=4", max_readings=3)


def test_lines_without_readings_are_counted_too() -> None:
    assert refused("oops\noops", max_readings=2) == [(1, "line_invalid"), (2, "line_invalid")]
    for line in ("oops", 'm s="x"', " # comment"):
        with pytest.raises(TooManyReadings):
            read("\n".join([line] * 3), max_readings=2)


def a_megabyte(of: bytes, times: int = 1) -> bytes:
    return of * (2**20 * times // len(of) + 1)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(a_megabyte(b"\n", 32), id="line breaks"),
        pytest.param(a_megabyte(b"#\n", 32), id="comments"),
        pytest.param(a_megabyte(b" ", 32), id="one line of spaces"),
        pytest.param(b"m " + a_megabyte(b"a=1,", 16), id="one line of fields"),
        pytest.param(b'm s="' + a_megabyte(b"x=1,\n", 32), id="a string that never ends"),
        pytest.param(a_megabyte(b'm s="\n', 16), id="strings in strings"),
        pytest.param(b"m," + a_megabyte(b"a=1,", 16), id="one line of tags"),
        pytest.param(a_megabyte(b"m a=1\n", 16), id="readings"),
        pytest.param(a_megabyte(b"\\", 16), id="backslashes"),
    ],
)
def test_a_large_document_takes_little_memory_beside_itself(body: bytes) -> None:
    tracemalloc.start()
    try:
        read(body)
    except TooManyReadings:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 120 * 2**20


def test_a_string_may_be_longer_than_what_is_looked_at_together() -> None:
    body = b'm s="' + a_megabyte(b"m a=9 9000\n", 3) + b'",a=1 1000\nm a=2 2000\n'
    found = read(body)
    assert rows(found) == [("m.a", 1, 1.0), ("m.a", 2, 2.0)]
    assert found.lines.tolist() == [1, body.count(b"\n")]


def test_line_numbers_and_order_hold_across_blocks() -> None:
    line = b"m,tag=" + b"x" * 150
    body = b"\n".join(line + b" a=%d %d" % (i, i * 1000) for i in range(20_000))
    found = read(body)
    assert found.batch.values.tolist() == list(range(20_000))
    assert found.lines.tolist() == list(range(1, 20_001))


# --- quick and exact agree ------------------------------------------------------------------------


def one_by_one(body: bytes, **options: Any) -> LineBatch:
    """As `read`, with no line taken for plain."""
    of = Lines.of

    def all_odd(block: Any) -> Lines:
        lines = of(block)
        return replace(lines, is_odd=np.ones_like(lines.is_odd))

    with patch.object(Lines, "of", all_odd):
        return read(body, **options)


def everything(found: LineBatch) -> object:
    return (
        [(sensor, time, value.hex()) for sensor, time, value in rows(found)],
        found.batch.rejected,
        found.lines.tolist(),
        found.strings,
    )


PIECES = (
    *(
        b"m",
        b"cpu,host=a",
        b",t=",
        b"=",
        b",",
        b" ",
        b"\n",
        b"\\",
        b'"',
        b"#",
        b"\r\n",
        b"\t",
        b"1",
    ),
    *(b"-", b".", b"e5", b"i", b"u", b"t", b"true", b"False", b"f=1", b" a=2i 1000\n", b"\0"),
    *(b"1767323045123456789", b"9223372036854775808", b"\xff", b"\xc3\xa9", b' s="x" 1\n', b"nan"),
    *(b"m a=1 1\n", b"m b=1e999 2\n", b"m c=+1\n", b"m d=0x1 3\n", b"\x7f", b"\x85"),
)
pieces = st.sampled_from(PIECES)
TEMPLATES = st.sampled_from([DEFAULT_TEMPLATE, "{tag:host}.{field}", "{measurement}", "{tag:t}"])
UNITS = st.sampled_from(["ns", "us", "ms", "s", "m", "h"])


@given(st.lists(pieces, max_size=25).map(b"".join) | st.binary(max_size=60), TEMPLATES, UNITS)
def test_the_quick_look_at_columns_and_the_slow_one_at_lines_agree(
    body: bytes, template: str, unit: str
) -> None:
    quick = read(body, template=template, unit=unit)
    assert everything(quick) == everything(one_by_one(body, template=template, unit=unit))


@given(st.lists(pieces, max_size=25).map(b"".join), st.integers(1, 20))
def test_blocks_of_any_size_give_the_same(body: bytes, size: int) -> None:
    whole = everything(read(body))
    with patch("sensors.formats.line_protocol._BLOCK_BYTES", size):
        assert everything(read(body)) == whole


def escaped(text: str, characters: str = ", =") -> str:
    return "".join(f"\\{c}" if c in characters else c for c in text)


names = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\\"), min_size=1)
finite = st.floats(-1e100, 1e100)
numbers = st.one_of(
    finite.map(lambda value: (repr(value), value)),
    finite.map(lambda value: (f"{value:.17e}", value)),
    st.integers(-(2**63), 2**63 - 1).map(lambda whole: (f"{whole}i", float(whole))),
    st.integers(0, 2**64 - 1).map(lambda whole: (f"{whole}u", float(whole))),
    st.booleans().map(lambda truth: (str(truth), float(truth))),
)
lines_sent = st.tuples(
    names.filter(lambda name: not name.startswith("#")),
    st.dictionaries(names, names, max_size=3),
    st.dictionaries(names, numbers, min_size=1, max_size=4),
    st.integers(-(2**60), 2**63 - 1),
)


@given(st.lists(lines_sent, max_size=6))
def test_what_is_sent_reads_back_equal(sent: list[Any]) -> None:
    body, expected = [], []
    for measurement, tags, fields, time in sent:
        key = "".join(f",{escaped(name)}={escaped(value)}" for name, value in tags.items())
        pairs = ",".join(f"{escaped(name)}={text}" for name, (text, _) in fields.items())
        body.append(f"{escaped(measurement)}{key} {pairs} {time}")
        shown = "".join(f",{name}={value}" for name, value in sorted(tags.items()))
        for name, (_, value) in fields.items():
            sensor = f"{measurement}.{name}{shown}"
            if len(sensor) <= 200 and sensor.strip():
                expected.append((sensor, time // 1000, value))
    found = rows(read("\n".join(body)))
    assert found == expected
    assert all(
        math.copysign(1, got) == math.copysign(1, value)
        for (_, _, got), (_, _, value) in zip(found, expected, strict=True)
    )
