"""What the bridge did: for its log line, and for Prometheus."""

from __future__ import annotations

from collections import Counter as Numbers
from collections.abc import Iterable

from prometheus_client import Counter, Gauge

from sensors.acquisition import Receipt
from sensors.mqtt.content import Content

MESSAGES = Counter(
    "smartmaint_mqtt_messages",
    "MQTT messages: received, and acknowledged after the commit.",
    ["state"],
)
IGNORED = Counter(
    "smartmaint_mqtt_ignored_metrics",
    "Sparkplug metrics that are no readings, by reason.",
    ["reason"],
)
REBIRTHS = Counter("smartmaint_mqtt_rebirths", "Rebirths that edge nodes were asked for.")
GAPS = Gauge("smartmaint_mqtt_sequence_gaps", "Gaps in the sequence numbers of edge nodes.")
AWAY = Counter("smartmaint_mqtt_store_away", "Times that a batch found the store away.")
WAITING = Gauge(
    "smartmaint_mqtt_waiting", "Messages that wait: in the inbox, for an ack, for a birth.", ["in"]
)
CONNECTED = Gauge("smartmaint_mqtt_connected", "1 while the broker is connected.")


class Tally:
    """Counts since the start."""

    def __init__(self) -> None:
        self._numbers: Numbers[str] = Numbers()
        self._said: Numbers[str] = Numbers()
        self._received = MESSAGES.labels("received")

    def received(self) -> None:
        self._numbers["received"] += 1
        self._received.inc()

    def stored(self, receipt: Receipt, contents: Iterable[Content], acknowledged: int) -> None:
        self._numbers.update(
            acknowledged=acknowledged,
            accepted=receipt.accepted,
            duplicates=receipt.duplicates,
            quarantined=receipt.quarantined,
        )
        if receipt.conflicts:
            self._numbers["conflicts"] += receipt.conflicts
        MESSAGES.labels("acknowledged").inc(acknowledged)
        for content in contents:
            for reason, count in content.ignored.items():
                self._numbers["ignored metrics"] += count
                IGNORED.labels(reason).inc(count)

    def asked_for_rebirth(self) -> None:
        self._numbers["rebirths"] += 1
        REBIRTHS.inc()

    def found_away(self) -> None:
        self._numbers["store away"] += 1
        AWAY.inc()

    def news(self) -> str | None:
        """The counts in words; None when nothing changed since they were last asked for."""
        if self._numbers == self._said:
            return None
        self._said = self._numbers.copy()
        return str(self)

    def __str__(self) -> str:
        always = ("received", "acknowledged", "accepted", "duplicates", "quarantined")
        other = [name for name in sorted(self._numbers) if name not in always]
        return ", ".join(f"{self._numbers[name]:,} {name}" for name in (*always, *other))
