"""The session at the broker: received into the inbox, acknowledged when the bridge says so."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from sensors.mqtt.messages import Claim, Inbox, Message
from sensors.mqtt.options import BrokerOptions

log = logging.getLogger(__name__)

_QOS = 1
_MAX_PAUSE_S = 30
# Connections that end so soon, so often in a row, are more than bad luck.
_SHORT_S = 10.0
_MANY_SHORT = 3
# What trying again does not mend, when the broker says so at the first connection.
_FINAL = {
    "Unsupported protocol version",
    "Client identifier not valid",
    "Bad user name or password",
    "Not authorized",
    "Banned",
    "Bad authentication method",
}


class Refused(Exception):
    """The broker does not let this client do its work; trying again would not help."""


class Connection:
    """One persistent session. After a loss it connects again, ever slower up to 30 s."""

    def __init__(self, options: BrokerOptions, filters: Sequence[str], inbox: Inbox) -> None:
        self._options = options
        self._filters = list(filters)
        self._inbox = inbox
        self._serials = count(1)
        self._number = 0
        self._current: int | None = None
        self._since_s = 0.0
        self._short_ones = 0
        self._has_subscribed = threading.Event()
        self._refusal: str | None = None
        self._latest = datetime.min.replace(tzinfo=UTC)
        self._client = self._made()

    @property
    def is_connected(self) -> bool:
        return bool(self._client.is_connected())

    @property
    def connections(self) -> int:
        """How often the broker accepted us."""
        return self._number

    @property
    def is_subscribed(self) -> bool:
        return self._has_subscribed.is_set()

    def open(self) -> None:
        """Begin to connect, in a thread of its own. Raises OSError for unreadable certificates."""
        options = self._options
        more: dict[str, Any] = {}
        if options.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = options.session_expiry_s
            properties.ReceiveMaximum = options.receive_maximum
            more = {"clean_start": False, "properties": properties}
        address = options.address
        self._client.connect_async(address.host, address.port, options.keepalive_s, **more)
        self._client.loop_start()

    def check(self) -> None:
        """Raises Refused when the broker refused us for good."""
        if self._refusal is not None:
            raise Refused(self._refusal)

    def acknowledge(self, claims: Sequence[Claim]) -> int:
        """Acknowledge, oldest first, what came by the connection that stands. Returns how many.

        What came by an earlier one is delivered again; its number may mean another message by now.
        """
        due = [claim for claim in claims if claim.connection == self._current]
        for claim in due:
            self._client.ack(claim.number, _QOS)
        return len(due)

    def publish(self, topic: str, payload: bytes) -> None:
        """Send once, if connected."""
        self._client.publish(topic, payload, qos=0)

    def close(self) -> None:
        """Send what waits to be sent, take leave, and keep the session for the next start."""
        self._inbox.close()
        self._client.disconnect()
        self._client.loop_stop()

    def _made(self) -> Client:
        options = self._options
        is_5 = options.protocol == "5"
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=options.client_id,
            protocol=MQTTv5 if is_5 else MQTTv311,
            clean_session=None if is_5 else False,
            manual_ack=True,
        )
        if options.username:
            client.username_pw_set(options.username, options.password or None)
        if options.address.has_tls:
            client.tls_set(
                options.ca_file or None, options.cert_file or None, options.key_file or None
            )
        client.reconnect_delay_set(1, _MAX_PAUSE_S)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _on_connect(
        self, client: Client, _data: Any, flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._refused(f"The broker refused the connection: {reason}.", reason)
            return
        self._number += 1
        self._current = self._number
        self._since_s = time.monotonic()
        log.info("connected to %s", self._place)
        if self._number > 1 and not flags.session_present:
            log.warning("the broker had forgotten the session: what came meanwhile may be lost")
        client.subscribe([(one, self._how()) for one in self._filters])

    def _how(self) -> Any:
        """MQTT 5: what the broker keeps for new subscribers comes once, not at each start."""
        if self._options.protocol != "5":
            return _QOS
        return SubscribeOptions(qos=_QOS, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)

    def _on_subscribe(
        self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        failed = [
            f"{one}: {reason}"
            for one, reason in zip(self._filters, reasons, strict=False)
            if reason.is_failure
        ]
        if failed:
            self._refusal = f"The broker refused to subscribe us to {'; '.join(failed)}."
        else:
            log.info("reading %s", ", ".join(self._filters))
            self._has_subscribed.set()

    def _on_connect_fail(self, _client: Client, _data: Any) -> None:
        log.warning("%s does not answer; trying again", self._place)

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        self._current = None
        if str(reason) == "Session taken over":
            self._refusal = (
                f"Another client took over the session {self._options.client_id!r}: each bridge "
                "needs an MQTT_CLIENT_ID of its own."
            )
        elif reason.is_failure:
            log.warning("the connection to %s was lost: %s", self._place, reason)
            self._count_short()

    def _count_short(self) -> None:
        """Not every broker says that another client took the session over; it shows in this."""
        is_short = time.monotonic() - self._since_s < _SHORT_S
        self._short_ones = self._short_ones + 1 if is_short else 0
        if self._short_ones == _MANY_SHORT:
            log.warning(
                "connections end as soon as they are made: does another client use the "
                "MQTT_CLIENT_ID %r?",
                self._options.client_id,
            )

    def _refused(self, what: str, reason: ReasonCode) -> None:
        if str(reason) in _FINAL and not self._number:
            self._refusal = what
        else:
            log.warning("%s", what)

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self._inbox.put(
            Message(
                serial=next(self._serials),
                number=message.mid,
                qos=message.qos,
                is_dup=message.dup,
                is_retained=message.retain,
                topic=message.topic,
                payload=bytes(message.payload),
                arrived=self._now().isoformat(),
                connection=self._number,
            )
        )

    def _now(self) -> datetime:
        """The time of day, a microsecond on when it was given already."""
        self._latest = max(datetime.now(UTC), self._latest + timedelta(microseconds=1))
        return self._latest

    @property
    def _place(self) -> str:
        address = self._options.address
        return f"{address.host}:{address.port}"
