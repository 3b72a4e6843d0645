"""What is known of Sparkplug edge nodes: births, aliases and sequence numbers. Pure.

A node's birth certificates name its metrics; its data may then use aliases alone. What cannot be
understood without a birth that was missed is held while the node is asked for a rebirth, and handed
out with a reason when none comes.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sensors.mqtt.content import Content
from sensors.mqtt.metrics import Known, Unresolved, add_metric, add_unresolved
from sensors.mqtt.sparkplug import Metric, Payload, Topic, Verb

T = TypeVar("T")
_SEQUENCE = 256
_MAX_NODES = 10_000


@dataclass(frozen=True, slots=True)
class Arrived(Generic[T]):
    """A message of an edge node. ticket: what the caller knows it by; time: its arrival."""

    ticket: T
    topic: Topic
    payload: Payload
    time: str
    is_dup: bool = False


@dataclass(frozen=True, slots=True)
class _Held(Generic[T]):
    message: Arrived[T]
    until_s: float


@dataclass(slots=True)
class _Node(Generic[T]):
    """devices: what the births said, by device and by name or alias; None is the node itself."""

    topic: Topic
    is_born: bool = False
    bd_seq: int | None = None
    expected: int | None = None
    devices: dict[str | None, dict[str | int, Known]] = field(default_factory=dict)
    held: deque[_Held[T]] = field(default_factory=deque)
    asked_at_s: float | None = None
    has_ignored_us: bool = False

    def forget(self) -> None:
        self.is_born, self.bd_seq, self.expected, self.devices = False, None, None, {}


class Nodes(Generic[T]):
    """The edge nodes heard of.

    birth_timeout_s: how long a message waits for a birth; rebirth_interval_s: how often a node is
    asked at most; max_held: messages that wait, over all nodes. Times are seconds of one clock that
    never goes back.
    """

    def __init__(self, *, birth_timeout_s: float, rebirth_interval_s: float, max_held: int) -> None:
        self._birth_timeout_s = birth_timeout_s
        self._rebirth_interval_s = rebirth_interval_s
        self._max_held = max_held
        self._nodes: OrderedDict[tuple[str, str], _Node[T]] = OrderedDict()
        self._to_ask: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._held = 0
        self.gaps = 0

    @property
    def held(self) -> int:
        return self._held

    def take(self, message: Arrived[T], *, now_s: float) -> list[tuple[T, Content]]:
        """What can be understood now: this message, unless it is held, and what it explains."""
        node = self._node(message.topic)
        verb = message.topic.verb
        if verb is Verb.NDEATH:
            self._bury(node, message.payload.bd_seq)
            return [(message.ticket, Content())]
        if verb is Verb.NBIRTH:
            self._bear(node, message.payload)
        elif not self._is_next(node, message) or not node.is_born:
            self._want(node)
        if verb in {Verb.NBIRTH, Verb.DBIRTH}:
            node.devices[message.topic.device] = dict(_known(message.payload.metrics))
        elif verb is Verb.DDEATH:
            node.devices.pop(message.topic.device, None)
        return [*self._understood(node, message, now_s), *self._released(node)]

    def expire(self, *, now_s: float) -> list[tuple[T, Content]]:
        """What waited in vain, with a reason for each metric that stays unknown."""
        done: list[tuple[T, Content]] = []
        if not self._held:
            return done
        for node in self._nodes.values():
            while node.held and node.held[0].until_s <= now_s:
                message = node.held.popleft().message
                self._held -= 1
                node.has_ignored_us = True
                done.append((message.ticket, _content(node, message)[0]))
        return done

    def rebirths(self, *, now_s: float) -> list[Topic]:
        """The nodes to ask for a rebirth now; each at most once per interval."""
        due = [key for key in self._to_ask if self._may_ask(self._nodes.get(key), now_s)]
        for key in due:
            del self._to_ask[key]
        asked = [node for key in due if (node := self._nodes.get(key))]
        for node in asked:
            node.asked_at_s = now_s
        return [node.topic for node in asked]

    def _node(self, topic: Topic) -> _Node[T]:
        key = (topic.group, topic.node)
        node = self._nodes.setdefault(key, _Node(topic))
        self._nodes.move_to_end(key)
        if len(self._nodes) > _MAX_NODES:
            # Forgetting costs one rebirth; what is held must not be forgotten.
            idle = next((k for k, one in self._nodes.items() if not one.held and k != key), None)
            if idle is not None:
                del self._nodes[idle]
        return node

    def _bear(self, node: _Node[T], payload: Payload) -> None:
        node.forget()
        node.is_born, node.bd_seq, node.has_ignored_us = True, payload.bd_seq, False
        if payload.seq is not None:
            node.expected = (payload.seq + 1) % _SEQUENCE
        self._to_ask.pop((node.topic.group, node.topic.node), None)

    def _bury(self, node: _Node[T], bd_seq: int | None) -> None:
        """The end of a session; one that ended before the birth we know says nothing."""
        if bd_seq is not None and node.bd_seq is not None:
            behind = (node.bd_seq - bd_seq) % _SEQUENCE
            if 0 < behind < _SEQUENCE // 2:
                return
        node.forget()

    def _is_next(self, node: _Node[T], message: Arrived[T]) -> bool:
        """Whether nothing was missed before this message; a redelivered one proves nothing."""
        seq, expected = message.payload.seq, node.expected
        if seq is None or (message.is_dup and expected is not None and seq != expected):
            return True
        node.expected = (seq + 1) % _SEQUENCE
        if expected is None or seq == expected:
            return True
        self.gaps += 1
        return False

    def _want(self, node: _Node[T]) -> None:
        self._to_ask[node.topic.group, node.topic.node] = None

    def _may_ask(self, node: _Node[T] | None, now_s: float) -> bool:
        if node is None or node.asked_at_s is None:
            return True
        return now_s - node.asked_at_s >= self._rebirth_interval_s

    def _understood(
        self, node: _Node[T], message: Arrived[T], now_s: float
    ) -> Iterator[tuple[T, Content]]:
        content, is_whole = _content(node, message)
        if not is_whole:
            self._want(node)
            if self._held < self._max_held and not node.has_ignored_us:
                node.held.append(_Held(message, now_s + self._birth_timeout_s))
                self._held += 1
                return
        yield message.ticket, content

    def _released(self, node: _Node[T]) -> Iterator[tuple[T, Content]]:
        waiting, node.held = node.held, deque()
        for held in waiting:
            content, is_whole = _content(node, held.message)
            if is_whole:
                self._held -= 1
                yield held.message.ticket, content
            else:
                node.held.append(held)


def _content(node: _Node[T], message: Arrived[T]) -> tuple[Content, bool]:
    """The readings of a message, and whether every metric could be told."""
    known = node.devices.get(message.topic.device, {})
    content, is_whole = Content(), True
    for metric in message.payload.metrics:
        try:
            add_metric(content, message.topic, message.payload, metric, known, message.time)
        except Unresolved as reason:
            is_whole = False
            add_unresolved(content, message.topic, metric, str(reason))
    return content, is_whole


def _known(metrics: Iterable[Metric]) -> Iterator[tuple[str | int, Known]]:
    for metric in metrics:
        if metric.name is not None:
            known = Known(metric.name, metric.datatype, metric.unit)
            yield metric.name, known
            if metric.alias is not None:
                yield metric.alias, known
