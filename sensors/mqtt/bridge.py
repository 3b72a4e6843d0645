"""The bridge: messages gather, are committed, and only then are acknowledged to the broker."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from django.db import close_old_connections

from sensors.acquisition import Receipt
from sensors.microbatch import MicroBatch
from sensors.mqtt import sparkplug, tally
from sensors.mqtt.arrivals import Parcel
from sensors.mqtt.connection import Connection
from sensors.mqtt.delivery import Away, Delivery
from sensors.mqtt.intake import Intake
from sensors.mqtt.messages import Inbox, Unacknowledged

log = logging.getLogger(__name__)

SAY_EVERY_S = 60.0
_LOOK_EVERY_S = 0.25
_MAX_PAUSE_S = 30.0
# A batch of messages this large goes at once, however few readings it has.
_MAX_BATCH_BYTES = 16 * 2**20


class LeftBehind(Exception):
    """The bridge stopped while the store was away; what was not committed is with the broker."""


class Bridge:
    """One thread's work: inbox → intake → micro-batch → store → acknowledgement.

    window: how many messages the broker lets be unacknowledged; more do not come, so a batch does
    not wait for them. stopping: set from outside to end.
    """

    def __init__(
        self,
        *,
        connection: Connection,
        inbox: Inbox,
        intake: Intake,
        delivery: Delivery,
        batch: MicroBatch[Parcel],
        window: int,
        stopping: threading.Event,
    ) -> None:
        self._connection = connection
        self._inbox = inbox
        self._intake = intake
        self._delivery = delivery
        self._batch = batch
        self._batch_bytes = 0
        self._window = window
        self._stopping = stopping
        self._unacknowledged = Unacknowledged()
        self._tally = tally.Tally()
        self._look_at = 0.0
        self._say_at = time.monotonic() + SAY_EVERY_S

    def run(self) -> None:
        """Until told to stop. Raises connection.Refused, delivery.KeyGone or LeftBehind."""
        self._connection.open()
        try:
            while not self._stopping.is_set():
                self._connection.check()
                self._step()
            self._finish()
        finally:
            self._connection.close()
            log.info("stopped: %s", self._tally)

    def _step(self) -> None:
        if self._is_choked():
            self._stopping.wait(0.05)
        else:
            self._receive(self._patience_s())
        self._gather(self._intake.expire(now_s=time.monotonic()))
        self._ask_for_rebirths()
        if self._is_due():
            self._deliver()
        self._speak()

    def _is_choked(self) -> bool:
        """All that came is committed or held, and what is held keeps it from being acknowledged."""
        return len(self._unacknowledged) >= 2 * self._window and not len(self._batch)

    def _patience_s(self) -> float:
        due_in = self._batch.due_in()
        return _LOOK_EVERY_S if due_in is None else min(due_in, _LOOK_EVERY_S)

    def _receive(self, patience_s: float) -> None:
        message = self._inbox.get(patience_s)
        if message is None:
            return
        self._tally.received()
        self._unacknowledged.received(message)
        self._gather(self._intake.take(message, now_s=time.monotonic()))

    def _gather(self, parcels: Iterable[Parcel]) -> None:
        for message, content in parcels:
            self._batch.add((message, content), weight=content.weight)
            self._batch_bytes += len(message.payload)

    def _is_due(self) -> bool:
        is_all_there_can_be = len(self._unacknowledged) >= self._window
        return len(self._batch) > 0 and (
            self._batch.due_in() == 0.0
            or is_all_there_can_be
            or self._batch_bytes >= _MAX_BATCH_BYTES
        )

    def _deliver(self) -> None:
        """Commit what gathered and acknowledge it, however long the store is away."""
        parcels, self._batch_bytes = self._batch.take(), 0
        receipt = self._stored(parcels)
        due = self._unacknowledged.settle([message for message, _ in parcels])
        acknowledged = self._connection.acknowledge(due)
        self._tally.stored(receipt, [content for _, content in parcels], acknowledged)

    def _stored(self, parcels: Sequence[Parcel]) -> Receipt:
        outage_s = 0.5
        while True:
            # As Django does between requests: a connection that broke is not tried again.
            close_old_connections()
            try:
                return self._delivery.store(parcels)
            except Away as reason:
                pause_s = reason.retry_after_s
                if reason.is_outage:
                    self._tally.found_away()
                    outage_s = pause_s = min(max(2 * outage_s, pause_s), _MAX_PAUSE_S)
                if pause_s >= 1:
                    log.warning("%s messages wait %.0f s: %s", len(parcels), pause_s, reason)
                self._pause(pause_s)

    def _pause(self, seconds: float) -> None:
        """Raises LeftBehind when told to stop, or Refused, meanwhile."""
        if self._stopping.wait(seconds):
            raise LeftBehind("The store is away; what is not committed stays with the broker.")
        self._connection.check()

    def _ask_for_rebirths(self) -> None:
        for topic in self._intake.rebirths(now_s=time.monotonic()):
            log.info("asking %s/%s for a rebirth", topic.group, topic.node)
            now_ms = int(datetime.now(UTC).timestamp() * 1000)
            self._connection.publish(topic.rebirth_topic, sparkplug.rebirth_command(now_ms))
            self._tally.asked_for_rebirth()

    def _finish(self) -> None:
        """Commit what came. What is held and can be delivered again is left to the broker."""
        self._inbox.close()
        while len(self._inbox):
            self._receive(0.0)
        self._gather(_lost_otherwise(self._intake.expire(now_s=math.inf)))
        if len(self._batch):
            self._deliver()

    def _speak(self) -> None:
        """Now and then: gauges cost more than a message does."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _LOOK_EVERY_S
        tally.GAPS.set(self._intake.gaps)
        tally.CONNECTED.set(self._connection.is_connected)
        tally.WAITING.labels("inbox").set(len(self._inbox))
        tally.WAITING.labels("unacknowledged").set(len(self._unacknowledged))
        tally.WAITING.labels("held").set(self._intake.held)
        if time.monotonic() >= self._say_at:
            self._say_at += SAY_EVERY_S
            if news := self._tally.news():
                log.info("%s", news)


def _lost_otherwise(parcels: Sequence[Parcel]) -> list[Parcel]:
    return [parcel for parcel in parcels if not parcel[0].qos]
