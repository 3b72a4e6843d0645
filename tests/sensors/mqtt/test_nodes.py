"""Edge nodes: births give aliases their meaning, gaps ask for a rebirth, nothing is lost."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sensors.mqtt.nodes import Arrived, Nodes
from sensors.mqtt.sparkplug import Datatype, decode, read_topic
from tests.sensors.mqtt import edge

TEMP = {"name": "Temp", "alias": 1, "unit": "°C"}
COUNT = {"name": "Count", "alias": 2}


class Plant:
    """Messages of one node into `Nodes`, on a clock that is set by hand."""

    def __init__(self, *, max_held: int = 10) -> None:
        self.nodes: Nodes[int] = Nodes(birth_timeout_s=20, rebirth_interval_s=10, max_held=max_held)
        self.now_s = 0.0
        self.sent = 0

    def send(self, verb: str, data: bytes, device: str = "", *, is_dup: bool = False) -> list[Any]:
        self.sent += 1
        topic = read_topic(f"spBv1.0/g/{verb}/n" + (f"/{device}" if device else ""))
        message = Arrived(self.sent, topic, decode(data), "2026-01-01T00:00:00Z", is_dup)
        return self.nodes.take(message, now_s=self.now_s)

    def asked(self) -> int:
        return len(self.nodes.rebirths(now_s=self.now_s))

    def expired(self) -> list[Any]:
        return self.nodes.expire(now_s=self.now_s)


def born(seq: int = 0, bd_seq: int = 0) -> bytes:
    return edge.birth(
        edge.metric(Datatype.DOUBLE, 20.0, **TEMP),
        edge.metric(Datatype.INT16, -1, **COUNT),
        seq=seq,
        bd_seq=bd_seq,
    )


def values(done: list[Any]) -> list[tuple[int, list[tuple[str, float]]]]:
    return [
        (ticket, [(row["sensor"], row["value"]) for row in content.rows])
        for ticket, content in done
    ]


def test_a_birth_is_readings_and_gives_aliases_their_names_types_and_units() -> None:
    plant = Plant()
    [(_, content)] = plant.send("NBIRTH", born())
    assert [row["value"] for row in content.rows] == [20.0, -1.0]
    assert content.ignored == {"control": 2}
    count = {"alias": 2, "int_value": 0xFFFFFFFE}
    [(_, content)] = plant.send("NDATA", edge.payload(edge.double(1, 21.0), count, seq=1))
    assert content.rows == [
        {"sensor": "g/n/Temp", "time": "2026-03-01T12:00:00.000Z", "value": 21.0, "unit": "°C"},
        {"sensor": "g/n/Count", "time": "2026-03-01T12:00:00.000Z", "value": -2.0},
    ]
    assert plant.asked() == 0


def test_aliases_belong_to_their_device() -> None:
    plant = Plant()
    plant.send("NBIRTH", born())
    flow = edge.metric(Datatype.DOUBLE, 1.0, name="Flow", alias=1)
    plant.send("DBIRTH", edge.payload(flow, seq=1), "pump")
    done = plant.send("DDATA", edge.payload(edge.double(1, 2.0), seq=2), "pump")
    assert values(done) == [(3, [("g/n/pump/Flow", 2.0)])]


def test_what_is_no_reading_is_ignored_with_a_count() -> None:
    plant = Plant()
    [(_, content)] = plant.send("NBIRTH", edge.birth(
        {"name": "Make", "datatype": 12, "string_value": "ACME"},
        {"name": "Idle", "datatype": 10, "is_null": True},
        edge.metric(Datatype.DOUBLE, 1.0, name="Now", is_transient=True),
        edge.metric(Datatype.DOUBLE, 2.0, name="Then", is_historical=True),
        edge.metric(Datatype.BOOLEAN, True, name="Running"),
    ))  # fmt: skip
    assert [row["value"] for row in content.rows] == [2.0, 1.0]
    assert content.historical == [0]
    assert content.ignored == {"control": 2, "not a number": 1, "null": 1, "transient": 1}


def test_a_metric_that_contradicts_its_type_is_rejected_and_the_others_are_read() -> None:
    plant = Plant()
    [(_, content)] = plant.send("NBIRTH", edge.birth(
        {"name": "Bad", "datatype": int(Datatype.UINT8), "int_value": 300},
        edge.metric(Datatype.DOUBLE, 2.0, name="Good", timestamp=2**63),
        edge.metric(Datatype.DOUBLE, 3.0, name="Fine"),
    ))  # fmt: skip
    assert [row["value"] for row in content.rows] == [3.0]
    assert [one.code for one in content.rejected] == ["datatype_mismatch", "time_invalid"]


def test_a_gap_asks_for_one_rebirth() -> None:
    plant = Plant()
    plant.send("NBIRTH", born())
    assert len(plant.send("NDATA", edge.payload(edge.double(1, 1.0), seq=1))) == 1
    assert plant.asked() == 0
    for seq in (3, 4, 5):
        assert len(plant.send("NDATA", edge.payload(edge.double(1, 1.0), seq=seq))) == 1
    assert plant.asked() == 1
    plant.send("NBIRTH", born(seq=6))
    plant.now_s = 60.0
    assert plant.asked() == 0
    assert plant.nodes.gaps == 1


def test_a_node_is_asked_at_most_once_per_interval() -> None:
    plant = Plant()
    plant.send("NBIRTH", born())
    asked = 0
    for second in range(31):
        plant.now_s = float(second)
        plant.send("NDATA", edge.payload(edge.double(1, 1.0), seq=(3 * second + 7) % 256))
        asked += plant.asked()
    assert asked == 4  # at 0, 10, 20 and 30 s


def test_sequence_numbers_go_round() -> None:
    plant = Plant()
    plant.send("NBIRTH", born(seq=254))
    for seq in (255, 0, 1):
        plant.send("NDATA", edge.payload(edge.double(1, 1.0), seq=seq))
    assert plant.asked() == 0


def test_a_redelivered_message_is_no_gap() -> None:
    plant = Plant()
    plant.send("NBIRTH", born())
    for seq in (1, 2, 3):
        plant.send("NDATA", edge.payload(edge.double(1, 1.0), seq=seq))
    for seq in (2, 3):
        plant.send("NDATA", edge.payload(edge.double(1, 1.0), seq=seq), is_dup=True)
    plant.send("NDATA", edge.payload(edge.double(1, 1.0), seq=4))
    assert plant.asked() == 0


def test_an_unknown_alias_waits_for_the_birth_that_is_asked_for() -> None:
    plant = Plant()
    assert plant.send("NDATA", edge.payload(edge.double(1, 5.0), seq=9)) == []
    assert (plant.asked(), plant.nodes.held) == (1, 1)
    done = plant.send("NBIRTH", born(seq=10))
    assert values(done)[1] == (1, [("g/n/Temp", 5.0)])
    assert plant.nodes.held == 0


def test_a_devices_data_waits_for_the_devices_birth() -> None:
    plant = Plant()
    assert plant.send("DDATA", edge.payload(edge.double(7, 5.0), seq=9), "pump") == []
    assert len(plant.send("NBIRTH", born())) == 1
    flow = edge.metric(Datatype.DOUBLE, 1.0, name="Flow", alias=7)
    done = plant.send("DBIRTH", edge.payload(flow, seq=1), "pump")
    assert values(done)[1] == (1, [("g/n/pump/Flow", 5.0)])


def test_what_waits_in_vain_is_rejected_and_the_next_does_not_wait() -> None:
    plant = Plant()
    plant.send("NDATA", edge.payload(edge.double(1, 5.0), seq=9))
    plant.now_s = 19.9
    assert plant.expired() == []
    plant.now_s = 20.0
    [(ticket, content)] = plant.expired()
    [rejected] = content.rejected
    assert (ticket, rejected.code, rejected.sensor) == (1, "birth_unknown", "g/n")
    assert json.loads(rejected.payload) == {"place": "g/n", "alias": 1, "value": 5.0}
    [(_, content)] = plant.send("NDATA", edge.payload(edge.double(1, 6.0), seq=10))
    assert [one.code for one in content.rejected] == ["birth_unknown"]
    assert plant.asked() == 1


def test_no_more_wait_than_may() -> None:
    plant = Plant(max_held=2)
    for seq in (1, 2):
        assert plant.send("NDATA", edge.payload(edge.double(1, 5.0), seq=seq)) == []
    [(ticket, content)] = plant.send("NDATA", edge.payload(edge.double(1, 5.0), seq=3))
    assert (ticket, content.rejected[0].code) == (3, "birth_unknown")


def test_a_death_ends_the_meaning_of_aliases_until_the_next_birth() -> None:
    plant = Plant()
    plant.send("NBIRTH", born(bd_seq=5))
    assert len(plant.send("NDEATH", edge.death(5))) == 1
    assert plant.send("NDATA", edge.payload(edge.double(1, 5.0), seq=1)) == []
    assert plant.asked() == 1


def test_the_death_of_an_earlier_session_says_nothing() -> None:
    plant = Plant()
    plant.send("NBIRTH", born(bd_seq=0))
    plant.send("NDEATH", edge.death(255))
    assert len(plant.send("NDATA", edge.payload(edge.double(1, 5.0), seq=1))) == 1


def test_the_death_of_a_later_session_means_a_birth_was_missed() -> None:
    plant = Plant()
    plant.send("NBIRTH", born(bd_seq=5))
    plant.send("NDEATH", edge.death(6))
    assert plant.send("NDATA", edge.payload(edge.double(1, 5.0), seq=1)) == []


VERBS = st.sampled_from(["NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"])


@given(st.lists(st.tuples(VERBS, st.integers(0, 3), st.integers(0, 3), st.integers(0, 15))))
def test_every_message_comes_out_once_whatever_comes_in(messages) -> None:
    """Births with and without an alias, lost ones, gaps: each ticket is handed out exactly once."""
    plant, out = Plant(max_held=3), []
    for verb, alias, seq, pause_s in messages:
        plant.now_s += pause_s
        device = "d" if verb.startswith("D") else ""
        if verb.endswith("BIRTH"):
            data = edge.birth(edge.metric(Datatype.DOUBLE, 1.0, name=f"m{alias}", alias=alias))
        elif verb == "NDEATH":
            data = edge.death(seq)
        else:
            data = edge.payload(edge.double(alias, 1.0), seq=seq)
        out += plant.send(verb, data, device) + plant.expired()
        assert plant.nodes.held <= 3
    plant.now_s += 100
    out += plant.expired()
    assert sorted(ticket for ticket, _ in out) == list(range(1, plant.sent + 1))
