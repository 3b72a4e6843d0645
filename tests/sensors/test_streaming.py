"""A large document goes into the store while it is read: what comes of it is what comes of it
when it is read as a whole first."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, event, given, settings

from sensors import streaming
from sensors.api import intake
from sensors.formats import Batch, parts, parts_of_json
from sensors.models import (
    IngestKey,
    QuarantinedReading,
    Reading,
    ReadingConflict,
    RollupNote,
    ScoringNote,
    Sensor,
    SensorProfile,
)
from tests.factories import make_key, make_sensor, rows_of
from tests.sensors.documents import WRITERS, almost

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SENSORS = ("a", "b", "a,b", "über")


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Every document is offered in parts of a line or two; says which were taken so."""
    monkeypatch.setattr(intake, "LEAST_BYTES", 1)
    monkeypatch.setattr(parts, "_FIRST_BYTES", 100)
    monkeypatch.setattr(parts, "_MOST_BYTES", 200)
    ingest, taken = streaming.ingest, []

    def noted(*args: Any, **kwargs: Any) -> Any:
        taken.append(False)
        receipt = ingest(*args, **kwargs)
        taken[-1] = True
        return receipt

    with patch.object(streaming, "ingest", noted):
        yield taken


class Device:
    """A client of a site of its own, whose sensors are known."""

    def __init__(self, *sensors: str) -> None:
        self.key, self.secret = make_key(rate_per_second=1e6, burst=1_000_000)
        for name in sensors:
            make_sensor(site=self.key.site, external_id=name, unit="", kind="other")

    def post(self, body: bytes, media_type: str = "application/json", **headers: str) -> Any:
        sent = {"Content-Type": media_type, "Authorization": f"Api-Key {self.secret}", **headers}
        answer = Client().post("/api/v1/readings", body, content_type=media_type, headers=sent)
        return answer.status_code, answer.json()

    def write(self, lines: bytes) -> Any:
        headers = {"Authorization": f"Token {self.secret}"}
        answer = Client().post("/api/v2/write", lines, content_type="text/plain", headers=headers)
        return answer.status_code, answer.content


def left_by(key: IngestKey) -> dict[str, list[Any]]:
    """All that a site holds of what it was sent, by the names of its sensors."""
    names = dict(Sensor.objects.filter(site=key.site).values_list("pk", "external_id"))

    def of(model: Any, *fields: str) -> list[Any]:
        rows = model.objects.filter(sensor__in=names).values_list("sensor", *fields)
        return sorted((names[row[0]], *row[1:]) for row in rows)

    quarantined = QuarantinedReading.objects.filter(site=key.site)
    return {
        "readings": of(Reading, "time", "value", "quality", "flags"),
        "profiles": of(SensorProfile, "count", "mean", "m2", "minimum", "last_value", "last_time"),
        "scoring": of(ScoringNote, "since", "until", "reason"),
        "rollups": of(RollupNote, "since", "until"),
        "conflicts": of(ReadingConflict, "time", "kept", "other", "resolution"),
        "quarantined": sorted(quarantined.values_list("code", "detail", "payload")),
    }


def minutes(n: int, sensor: str = "a", **fields: Any) -> list[dict[str, Any]]:
    return rows_of(sensor, n, until=NOW, **fields)


FLEET = [row for turn in zip(*(minutes(9, name) for name in SENSORS), strict=True) for row in turn]
DOCUMENTS: dict[str, tuple[list[Any], bool]] = {
    # name: rows, whether they are taken in parts
    "in order of time": (FLEET, True),
    "one sensor after the other": (sorted(FLEET, key=lambda row: row["sensor"]), True),
    "units and qualities": ([{**row, "unit": "kPa", "quality": 0.5} for row in FLEET], True),
    "a poor one": ([*FLEET[:20], {**FLEET[20], "quality": 0.0}, *FLEET[21:]], True),
    "one from the future": ([*FLEET[:30], {**FLEET[30], "time": "2026-03-02T00:00Z"}], True),
    "a sensor nobody knows": ([*FLEET, *minutes(3, "c")], False),
    "a time twice": ([*FLEET, FLEET[0]], False),
    "a time twice, otherwise": ([*FLEET, {**FLEET[0], "value": -1.0}], False),
    "only poor ones": ([{**row, "quality": 0.0} for row in FLEET], False),
}


@pytest.mark.parametrize("media_type", WRITERS)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_answered_and_stored_is_the_same(
    streamed: list[bool], media_type: str, name: str
) -> None:
    rows, is_taken = DOCUMENTS[name]
    if media_type == "text/csv" and name.startswith(("units", "a poor", "only")):
        rows = [{**row, "quality": row.get("quality", 1.0)} for row in rows]
    body = WRITERS[media_type](rows).replace(b'"a,b"', b"a+b") if "csv" in media_type else None
    body = body or WRITERS[media_type](rows)
    one, other = Device(*SENSORS, "a+b"), Device(*SENSORS, "a+b")
    given_in_parts = one.post(body, media_type)
    assert streamed == [is_taken]
    with patch.object(intake, "LEAST_BYTES", 10**9):
        assert other.post(body, media_type) == given_in_parts
    assert given_in_parts[0] == 200
    assert left_by(one.key) == left_by(other.key)


@pytest.mark.parametrize("media_type", ["application/x-ndjson", "text/csv"])
def test_a_bad_row_is_kept_and_its_neighbours_land(streamed: list[bool], media_type: str) -> None:
    device = Device("a")
    rows = minutes(30)
    rows[17]["time"] = "later"
    status, answer = device.post(WRITERS[media_type](rows), media_type)
    assert (status, answer["accepted"], answer["quarantined"]) == (200, 29, 1)
    assert [error["index"] for error in answer["errors"]] == [17]
    assert json.loads(QuarantinedReading.objects.get().payload)["time"] == "later"
    assert streamed == [True]


def test_lines_are_taken_and_the_bad_ones_named(streamed: list[bool]) -> None:
    device = Device(*(f"m.{field}" for field in "fgh"))
    lines = [f"m f={i},g={i},h={i} {i}000000000" for i in range(40)]
    assert device.write("\n".join(lines).encode()) == (204, b"")
    later = [f"m f={i if i != 30 else 'x'},g={i},h={i} {i}000001000" for i in range(40)]
    status, said = device.write("\n".join(later).encode())
    assert (status, json.loads(said)["line"]) == (400, 31)
    assert Reading.objects.count() == 40 * 3 + 39 * 3
    assert streamed == [True, True]


def test_a_document_sent_again_changes_nothing(streamed: list[bool]) -> None:
    device = Device(*SENSORS)
    body = WRITERS["application/json"](FLEET)
    device.post(body)
    before = left_by(device.key)
    status, answer = device.post(body)
    assert (status, answer["accepted"], answer["duplicates"]) == (200, 0, len(FLEET))
    assert left_by(device.key) == before
    assert streamed == [True, False]


def test_the_rest_of_a_document_that_is_there_in_part_lands(streamed: list[bool]) -> None:
    device = Device(*SENSORS)
    device.post(WRITERS["application/json"](FLEET[20:25]))
    _, answer = device.post(WRITERS["application/json"](FLEET))
    assert (answer["accepted"], answer["duplicates"]) == (len(FLEET) - 5, 5)
    assert sum(SensorProfile.objects.values_list("count", flat=True)) == len(FLEET)
    assert streamed == [True, False]


def test_a_document_that_ends_badly_leaves_nothing(streamed: list[bool]) -> None:
    device = Device(*SENSORS)
    body = WRITERS["application/json"](FLEET)
    status, answer = device.post(body[:-40])
    assert (status, answer["error"]["code"]) == (400, "json_invalid")
    assert left_by(device.key)["readings"] == []
    assert device.post(body)[1]["accepted"] == len(FLEET)
    assert streamed == [False, True]


def test_an_answer_is_remembered_with_the_readings(streamed: list[bool]) -> None:
    device, body = Device(*SENSORS), WRITERS["application/json"](FLEET)
    headers = {"Idempotency-Key": "batch-1"}
    assert device.post(body, **headers) == device.post(body, **headers)
    assert streamed == [True]


def test_a_deadlock_leaves_the_document_to_be_tried_as_a_whole() -> None:
    key = Device("a").key

    def torn() -> Iterator[Batch]:
        yield from parts_of_json(json.dumps(minutes(3)).encode())
        with connection.cursor() as cursor:
            cursor.execute("DO $$ BEGIN RAISE deadlock_detected; END $$")

    with (
        patch("sensors.store.Stream.write", lambda *_: None),
        pytest.raises(streaming.AsAWhole) as why,
    ):
        streaming.ingest(torn(), site=key.site, source="test", now=NOW, key=key)
    assert not why.value.is_stored


@pytest.mark.django_db(transaction=True)
def test_the_same_documents_shuffled_from_eight_clients_are_stored_once(
    streamed: list[bool],
) -> None:
    device = Device(*SENSORS)

    def post_shuffled(turn: int) -> tuple[int, Any]:
        mine = FLEET.copy()
        random.Random(turn).shuffle(mine)  # noqa: S311  only the order of rows
        try:
            return device.post(WRITERS["application/json"](mine))
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(post_shuffled, range(40)))
    assert {status for status, _ in answers} == {200}
    assert sum(answer["accepted"] for _, answer in answers) == len(FLEET)
    assert Reading.objects.count() == len(FLEET)
    assert sum(SensorProfile.objects.values_list("count", flat=True)) == len(FLEET)


@pytest.mark.parametrize("media_type", WRITERS)
def test_any_document_gets_the_answer_it_gets_as_a_whole(
    streamed: list[bool], media_type: str
) -> None:
    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(body=almost[media_type])
    def holds(body: bytes) -> None:
        Reading.objects.all().delete()
        known = ("a", "a/b", "é", "é[{", "aé", "a,b")
        one, other = Device(*known), Device(*known)
        found = one.post(body, media_type)
        event(f"in parts: {streamed.pop() if streamed else None}")
        with patch.object(intake, "LEAST_BYTES", 10**9):
            assert other.post(body, media_type) == found
        assert left_by(one.key) == left_by(other.key)

    holds()
