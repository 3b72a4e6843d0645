"""Messages go out: at least once, with an id that stays the same, until they are through.

A message is taken by moving its next attempt into the future in a transaction of its own, so that a
worker that dies leaves it due again, and nothing is locked while a server far away takes its time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from django.db import transaction

from anomalies.models import Message, NotificationRoute
from anomalies.notify.addresses import Refused
from anomalies.notify.channels import chat, mail, webhook
from anomalies.notify.channels.contract import NotDelivered
from anomalies.notify.pacing import Pacing, retry_after

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
Send = Callable[[Message], None]
CHANNELS: Mapping[str, Send] = {
    NotificationRoute.Channel.EMAIL: mail.send,
    NotificationRoute.Channel.WEBHOOK: webhook.send,
    NotificationRoute.Channel.CHAT: chat.send,
}


@dataclass(frozen=True, slots=True)
class Delivered:
    sent: int = 0
    retried: int = 0
    failed: int = 0


def deliver(
    *,
    now: datetime,
    pacing: Pacing,
    rng: Random,
    limit: int = 100,
    channels: Mapping[str, Send] = CHANNELS,
) -> Delivered:
    """Send what is due, oldest first; safe to run many times at once."""
    counts = {"sent": 0, "retried": 0, "failed": 0}
    for _ in range(limit):
        message = _take(now=now)
        if message is None:
            break
        counts[_attempt(message, channels, pacing, rng, now=now)] += 1
    return Delivered(**counts)


@transaction.atomic
def _take(*, now: datetime) -> Message | None:
    due = Message.objects.waiting().filter(next_attempt_at__lte=now).order_by("next_attempt_at")
    message: Message | None = (
        due.select_for_update(skip_locked=True, of=("self",)).select_related("route").first()
    )
    if message is not None:
        message.attempts += 1
        message.next_attempt_at = now + LEASE
        message.save(update_fields=["attempts", "next_attempt_at"])
    return message


def _attempt(
    message: Message, channels: Mapping[str, Send], pacing: Pacing, rng: Random, *, now: datetime
) -> str:
    try:
        channels[message.channel](message)
    except Refused as error:
        return _record(message, Message.State.FAILED, str(error))
    except NotDelivered as error:
        if now - message.created_at >= timedelta(seconds=pacing.give_up_s):
            return _record(message, Message.State.FAILED, str(error))
        again = now + retry_after(message.attempts, pacing, rng)
        return _record(message, Message.State.WAITING, str(error), next_attempt_at=again)
    return _record(message, Message.State.SENT, "", sent_at=now)


def _record(message: Message, state: str, error: str, **values: datetime) -> str:
    """If it is still ours: another worker may have taken it over, or it is sent already."""
    ours = Message.objects.waiting().filter(pk=message.pk, attempts=message.attempts)
    ours.update(state=state, error=error[:300], **values)
    if error:
        logger.warning("message %s by %s: %s", message.pk, message.route or message.to, error)
    return {"sent": "sent", "failed": "failed"}.get(state, "retried")
