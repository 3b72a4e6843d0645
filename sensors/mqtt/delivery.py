"""Batches of messages into the store: each reading once, each message whole."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.utils import timezone

from sensors import limits, store
from sensors.acquisition import Receipt, ingest
from sensors.models import IngestKey, Site
from sensors.mqtt import payloads
from sensors.mqtt.arrivals import Arrivals, Parcel
from sensors.mqtt.content import Content, together
from sensors.rows import Rejection
from smartmaint.lib import breaker

log = logging.getLogger(__name__)

SOURCE = "mqtt"
_KEY_CHECKED_EVERY = timedelta(minutes=1)
_KEPT_BYTES = 5 * 2**20


class KeyGone(Exception):
    """The key was revoked, has expired, or may not write readings."""


class Away(Exception):
    """Nothing was written. retry_after_s: when to try the same batch again.

    is_outage: something is broken, so that trying ever less often is wise.
    """

    def __init__(self, reason: str, retry_after_s: float, *, is_outage: bool) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s
        self.is_outage = is_outage


@dataclass(slots=True)
class Delivery:
    """Stores for one site, in the name of a key or, without one, of the operator.

    arrivals: remembers the times that were given to messages without one.
    """

    site: Site
    arrivals: Arrivals
    key: IngestKey | None = None
    _key_checked_at: datetime | None = None

    def store(self, parcels: Sequence[Parcel]) -> Receipt:
        """Commit all of them, in one transaction. Raises Away or KeyGone; then none is written.

        A message that the database will not take, for a reason that lies in the message, goes into
        quarantine alone.
        """
        parcels = [parcel for parcel in parcels if not parcel[1].is_empty]
        if not parcels:
            return Receipt()
        try:
            self._hold_back()
            self.arrivals.stamp(parcels)
            return self._in_parts(parcels)
        except breaker.Open as reason:
            raise Away(str(reason), reason.retry_after_s, is_outage=True) from reason
        except store.AWAY as reason:
            raise Away(str(reason).strip(), 1.0, is_outage=True) from reason

    def _in_parts(self, parcels: Sequence[Parcel]) -> Receipt:
        try:
            return self._together(parcels)
        except store.AWAY:
            raise
        except DatabaseError as reason:
            if len(parcels) > 1:
                half = len(parcels) // 2
                return self._in_parts(parcels[:half]) + self._in_parts(parcels[half:])
            log.exception("a message is kept in quarantine: the database did not take it")
            return self._set_aside(parcels[0], reason)

    def _together(self, parcels: Sequence[Parcel]) -> Receipt:
        batch, is_historical = together([content for _, content in parcels])
        return ingest(
            batch,
            site=self.site,
            key=self.key,
            source=SOURCE,
            now=timezone.now(),
            backfill=is_historical,
            promise=self.arrivals.promise(parcels),
        )

    def _set_aside(self, parcel: Parcel, reason: DatabaseError) -> Receipt:
        message, _ = parcel
        kept = payloads.kept(message.topic, message.payload, limit=_KEPT_BYTES)
        refused = Rejection(0, "unexpected", type(reason).__name__, str(reason).strip(), "", kept)
        return self._together([(message, Content(rejected=[refused]))])

    def _hold_back(self) -> None:
        """As the HTTP endpoint does, before anything is written."""
        now = timezone.now()
        if self.key is not None:
            self._check_key(self.key, now)
            if wait := limits.seconds_to_wait(self.key):
                raise Away("the key's rate is used up", wait, is_outage=False)
        if limits.backlog.is_full():
            raise Away("scoring is far behind", limits.BACKLOG_RETRY_S, is_outage=False)

    def _check_key(self, key: IngestKey, now: datetime) -> None:
        checked = self._key_checked_at
        if checked is not None and now - checked < _KEY_CHECKED_EVERY:
            return
        usable = IngestKey.objects.usable(now=now).filter(pk=key.pk).first()
        if usable is None or IngestKey.Scope.WRITE not in usable.scopes:
            raise KeyGone(f"Key {key.prefix} is revoked, has expired, or may not write readings.")
        self._key_checked_at = now
