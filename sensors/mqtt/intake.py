"""From messages to what they hold: JSON by its topic's template, or Sparkplug. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sensors.formats import FormatError
from sensors.mqtt import payloads, sparkplug
from sensors.mqtt.content import Content, refused
from sensors.mqtt.messages import Message
from sensors.mqtt.nodes import Arrived, Nodes
from sensors.mqtt.sparkplug import SparkplugError, Topic
from sensors.mqtt.topics import Template

_SPARKPLUG = f"{sparkplug.NAMESPACE}/"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message may be: readings, and bytes."""

    max_readings: int
    max_bytes: int


class Intake:
    """Reads messages. What cannot be read is content too: it is rejected with a reason.

    has_sparkplug: whether topics of Sparkplug's namespace are read as such.
    """

    def __init__(
        self,
        templates: Sequence[Template],
        nodes: Nodes[Message],
        limits: Limits,
        *,
        has_sparkplug: bool,
    ) -> None:
        self._templates = templates
        self._nodes = nodes
        self._limits = limits
        self._has_sparkplug = has_sparkplug

    @property
    def held(self) -> int:
        """Messages that wait for a birth certificate."""
        return self._nodes.held

    @property
    def gaps(self) -> int:
        return self._nodes.gaps

    def take(self, message: Message, *, now_s: float) -> list[tuple[Message, Content]]:
        """What can be stored now: nothing while the message waits, several when it explains."""
        try:
            return self._read(message, now_s)
        except (FormatError, SparkplugError) as error:
            kept = payloads.kept(message.topic, message.payload, limit=self._limits.max_bytes)
            return [(message, Content(rejected=[refused(error.code, str(error), kept)]))]

    def expire(self, *, now_s: float) -> list[tuple[Message, Content]]:
        return self._nodes.expire(now_s=now_s)

    def rebirths(self, *, now_s: float) -> list[Topic]:
        return self._nodes.rebirths(now_s=now_s)

    def _read(self, message: Message, now_s: float) -> list[tuple[Message, Content]]:
        if len(message.payload) > self._limits.max_bytes:
            raise FormatError("message_too_large", f"over {self._limits.max_bytes} bytes")
        if self._has_sparkplug and message.topic.startswith(_SPARKPLUG):
            return self._nodes.take(_arrived(message), now_s=now_s)
        return [(message, self._from_json(message))]

    def _from_json(self, message: Message) -> Content:
        template = next((t for t in self._templates if t.matches(message.topic)), None)
        if template is None:
            raise FormatError("topic_unknown", "no template matches the topic")
        rows, is_timeless = payloads.rows_of(
            message.payload,
            sensor=template.sensor_of(message.topic),
            arrived=message.arrived,
            is_retained=message.is_retained,
            max_readings=self._limits.max_readings,
        )
        return Content(rows=rows, timeless=[0] if is_timeless else [])


def _arrived(message: Message) -> Arrived[Message]:
    return Arrived(
        ticket=message,
        topic=sparkplug.read_topic(message.topic),
        payload=sparkplug.decode(message.payload),
        time=message.arrived,
        is_dup=message.is_dup,
    )
