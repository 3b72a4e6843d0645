"""Topic templates: what is subscribed, which sensor a topic names, and what cannot be meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from sensors.mqtt.topics import TopicError, check_apart, is_shared, read_template


def read(text: str, sensor_id: str = "{sensor}"):
    return read_template(text, site="north", sensor_id=sensor_id)


def test_named_levels_become_wildcards_and_the_site_its_slug() -> None:
    template = read("plant/{site}/{asset}/+/{sensor}", "{asset}/{sensor}")
    assert template.filter == "plant/north/+/+/+"
    assert template.sensor_of("plant/north/press-9/x/temp") == "press-9/temp"


def test_the_rest_of_a_topic_may_be_the_sensor() -> None:
    template = read("plant/{sensor#}")
    assert template.filter == "plant/#"
    assert template.sensor_of("plant/a/b/c") == "a/b/c"
    assert template.sensor_of("plant") == ""


def test_a_template_without_names_leaves_the_sensor_to_the_payload() -> None:
    template = read("gateway/+/readings")
    assert template.matches("gateway/7/readings")
    assert template.sensor_of("gateway/7/readings") is None


def test_a_shared_subscription_is_matched_by_what_it_shares() -> None:
    template = read("$share/bridges/plant/{sensor}")
    assert template.filter == "$share/bridges/plant/+"
    assert is_shared(template.filter)
    assert template.sensor_of("plant/temp") == "temp"


@pytest.mark.parametrize(
    ("text", "sensor_id", "why"),
    [
        ("", "{sensor}", "empty"),
        ("a\0b", "{sensor}", "NUL"),
        ("a/#/b", "{sensor}", "must be last"),
        ("a/{sensor#}/b", "{sensor}", "must be last"),
        ("a/b+/c", "{sensor}", "no level"),
        ("a/temp-{sensor}", "{sensor}", "no level"),
        ("a/{Sensor}", "{sensor}", "no level"),
        ("{asset}/{asset}", "{asset}", "one name to two levels"),
        ("plant/{asset}/{sensro}", "{sensor}", "no level {sensor}"),
        ("plant/{asset}", "{asset}/{sensor}", "no level {sensor}"),
        ("plant/{sensor}", "sensor", "no pattern"),
        ("plant/{sensor}", "{sensor#}", "no pattern"),
        ("plant/{sensor}", "{sensor", "no pattern"),
        ("{site#}", "{sensor}", "one level"),
        ("$share/g", "{sensor}", r"\$share/GROUP/TOPIC"),
        ("$share/+/a", "{sensor}", r"\$share/GROUP/TOPIC"),
    ],
)
def test_what_cannot_be_meant_is_said(text: str, sensor_id: str, why: str) -> None:
    with pytest.raises(TopicError, match=why):
        read(text, sensor_id)


LEVEL = st.sampled_from(["a", "b", "", "$x", "é"])
PLACE = st.sampled_from(["a", "b", "+", "", "$x"])


@given(
    levels=st.lists(PLACE, min_size=1, max_size=4).filter(lambda levels: "/".join(levels) != ""),
    has_rest=st.booleans(),
    topic=st.lists(LEVEL, min_size=1, max_size=5).filter(lambda levels: "/".join(levels) != ""),
)
def test_a_template_matches_what_mqtt_says(levels, has_rest, topic) -> None:
    text = "/".join([*levels, "#"] if has_rest else levels)
    assert read(text).matches("/".join(topic)) == topic_matches_sub(text, "/".join(topic))


@pytest.mark.parametrize(
    ("one", "other"),
    [("a/+", "a/b"), ("a/#", "a"), ("#", "a/b"), ("+/b", "a/+"), ("$share/g/a/#", "a/b/c")],
)
def test_filters_that_one_topic_could_match_are_refused(one: str, other: str) -> None:
    with pytest.raises(TopicError, match="overlap"):
        check_apart([one, other])


@pytest.mark.parametrize(
    ("one", "other"), [("a/+", "b/+"), ("a/b", "a/b/c"), ("a/+/c", "a/+/d"), ("a", "b/#")]
)
def test_filters_that_no_topic_matches_both_are_fine(one: str, other: str) -> None:
    check_apart([one, other])
