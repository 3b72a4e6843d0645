"""When messages without a time of their own first came: the same time when they come again.

Such a reading gets its arrival as its time. Delivered again, because its acknowledgement did not
reach the broker, it would be another reading. So each arrival is written down with the readings,
under the number that the broker repeats.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from sensors.models import MqttArrival
from sensors.mqtt.content import Content
from sensors.mqtt.messages import Message

Parcel = tuple[Message, Content]
# Longer than a broker keeps a session that nobody takes up.
KEEP = timedelta(days=30)
# A broker lets one window of messages be unacknowledged; some let out a multiple of it.
_WINDOWS = 4

_KEEP = """
INSERT INTO sensors_mqttarrival (session, number, digest, arrived_at, seen_at)
SELECT %s, * FROM unnest(%s::int[], %s::bytea[], %s::timestamptz[], %s::timestamptz[])
ON CONFLICT (session, number) DO UPDATE
SET digest = EXCLUDED.digest, arrived_at = EXCLUDED.arrived_at, seen_at = EXCLUDED.seen_at
"""


class Arrivals:
    """Of one session. window: how many messages may be unacknowledged at once.

    Only what may yet come again is kept: a number that the broker has given to another message must
    not bring back the arrival of the first.
    """

    def __init__(self, session: str, *, window: int) -> None:
        self._session = session
        self._recent: deque[datetime] = deque(maxlen=_WINDOWS * window)

    def stamp(self, parcels: Sequence[Parcel]) -> None:
        """Give messages that came before the time that they were given then."""
        self._note(parcels)
        timeless = _timeless(parcels)
        if not any(message.is_dup for message, _ in timeless):
            return
        first = self._recall([message.number for message, _ in timeless if message.is_dup])
        for message, content in timeless:
            key = (message.number, _digest(message))
            if message.is_dup and key in first:
                content.stamp(first[key])
            # One that waits here and came again meanwhile is in the same batch twice.
            first[key] = _arrival(content)

    def promise(self, parcels: Sequence[Parcel]) -> Written | None:
        """What to write with the parcels' readings, if anything."""
        timeless = _timeless(parcels)
        if not timeless:
            return None
        is_known = len(self._recent) == self._recent.maxlen
        # A number that came twice counts as it came last.
        latest = {message.number: (message, content) for message, content in timeless}
        return Written(self._session, latest, self._recent[0] if is_known else None)

    def _note(self, parcels: Sequence[Parcel]) -> None:
        """Count a message once, however often its batch is tried."""
        for message, _ in parcels:
            seen = datetime.fromisoformat(message.arrived)
            if message.qos and (not self._recent or seen > self._recent[-1]):
                self._recent.append(seen)

    def _recall(self, numbers: Sequence[int]) -> dict[tuple[int, bytes], str]:
        found = MqttArrival.objects.filter(session=self._session, number__in=numbers)
        return {(one.number, bytes(one.digest)): one.arrived_at.isoformat() for one in found}


@dataclass(frozen=True, slots=True)
class Written:
    """Arrivals to write in the transaction that stores the readings."""

    session: str
    parcels: Mapping[int, Parcel]
    outdated: datetime | None

    def keep(self, _answer: dict[str, Any]) -> None:
        parcels = self.parcels.values()
        columns = (
            list(self.parcels),
            [_digest(message) for message, _ in parcels],
            [_arrival(content) for _, content in parcels],
            [message.arrived for message, _ in parcels],
        )
        with connection.cursor() as cursor:
            cursor.execute(_KEEP, [self.session, *columns])
        if self.outdated is not None:
            MqttArrival.objects.filter(session=self.session, seen_at__lt=self.outdated).delete()


def prune(*, now: datetime) -> int:
    """Forget sessions that nobody took up for `KEEP`. Returns how many messages."""
    gone, _ = MqttArrival.objects.filter(seen_at__lt=now - KEEP).delete()
    return gone


def _timeless(parcels: Sequence[Parcel]) -> list[Parcel]:
    """Those whose time is their arrival and that may come again."""
    return [(message, content) for message, content in parcels if content.timeless and message.qos]


def _arrival(content: Content) -> str:
    arrived: str = content.rows[content.timeless[0]]["time"]
    return arrived


def _digest(message: Message) -> bytes:
    return hashlib.sha256(b"\0".join((message.topic.encode(), message.payload))).digest()
