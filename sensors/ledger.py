"""The ledger behind `Idempotency-Key`: one answer per key and body, written with the readings."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from sensors.models import IngestKey, IngestReceipt

KEEP = timedelta(days=7)


class KeyReused(Exception):
    """The same Idempotency-Key came with another body."""


class AnsweredMeanwhile(Exception):
    """Another request with this Idempotency-Key was answered while this one was at work."""


@dataclass(frozen=True, slots=True)
class Promise:
    """That a repetition of this request gets the answer this one gets."""

    key: IngestKey
    idempotency_key: str
    body_digest: bytes

    @classmethod
    def of(cls, key: IngestKey, idempotency_key: str, body: bytes) -> Promise:
        return cls(key, idempotency_key, hashlib.sha256(body).digest())

    def recall(self) -> dict[str, Any] | None:
        """The answer that was given, None for a new request. Raises KeyReused."""
        found = IngestReceipt.objects.filter(
            key=self.key, idempotency_key=self.idempotency_key
        ).first()
        if found is None:
            return None
        if bytes(found.body_digest) != self.body_digest:
            raise KeyReused
        answer: dict[str, Any] = found.response
        return answer

    def keep(self, answer: dict[str, Any]) -> None:
        """Write the answer down. Raises AnsweredMeanwhile, so that the transaction is undone."""
        try:
            with transaction.atomic():
                IngestReceipt.objects.create(
                    key=self.key,
                    idempotency_key=self.idempotency_key,
                    body_digest=self.body_digest,
                    response=answer,
                )
        except IntegrityError as error:
            raise AnsweredMeanwhile from error


def prune(*, now: datetime) -> int:
    """Forget answers older than `KEEP`. Returns how many."""
    gone, _ = IngestReceipt.objects.filter(created_at__lt=now - KEEP).delete()
    return gone
