"""Every new, changed or withdrawn anomaly is put where it belongs, one machine at a time.

What is to be done stands on the anomalies (`episode_due_at`), so who does it, when and how often
makes no difference. A machine is locked meanwhile; what another worker is just placing is left to
it, and it looks again before it leaves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from anomalies import predicted, silence
from anomalies.episodes import course, evidence, log, policy
from anomalies.episodes.course import Span, Step
from anomalies.episodes.log import Kind
from anomalies.episodes.policy import EpisodePolicies, EpisodePolicy
from anomalies.episodes.subjects import Subject, subject_of, subject_of_episode
from anomalies.episodes.weight import severity
from anomalies.models import Anomaly, Episode, Resolution, State
from anomalies.windows import hiding

BATCH = 1_000
RELATED = ("sensor", "episode", "follows")


def policies() -> EpisodePolicies:
    return policy.parse(settings.EPISODE_POLICY)


def place_due(*, now: datetime, policies: EpisodePolicies) -> int:
    """Put every anomaly that waits where it belongs; how many were placed.

    Safe to run many times at once. What other workers hold just now is left to them.
    """
    placed = 0
    while done := sum(_place(one, policies, now=now) for one in _waiting()):
        placed += done
    return placed


def _waiting() -> list[Subject]:
    """Whose anomalies wait, longest first."""
    due = Anomaly.objects.awaiting_episode().order_by("episode_due_at", "pk")
    rows = due.select_related(*RELATED)[:BATCH]
    return list(dict.fromkeys(map(_home, rows)))


def _home(anomaly: Anomaly) -> Subject:
    """An anomaly stays where it is until it is taken out."""
    return subject_of_episode(anomaly.episode) if anomaly.episode else subject_of(anomaly)


@transaction.atomic
def _place(subject: Subject, policies: EpisodePolicies, *, now: datetime) -> int:
    if not subject.lock(wait=False):
        return 0
    due = _due_of(subject)
    work = _Pass(subject, policies, now)
    for anomaly in due:
        work.place(anomaly)
    work.finish()
    return len(due)


def _due_of(subject: Subject) -> list[Anomaly]:
    """In event order. Rows that detection or validation is just writing stay due: nobody waits."""
    near = Q(episode__in=subject.episodes())
    near |= (
        Q(sensor__asset=subject.asset)
        if subject.asset
        else (Q(sensor=subject.sensor) | Q(follows__sensor=subject.sensor))
    )
    rows = Anomaly.objects.awaiting_episode().filter(near).order_by("start", "pk")
    locked = rows.select_for_update(skip_locked=True, of=("self",)).select_related(*RELATED)
    return [anomaly for anomaly in locked[:BATCH] if _home(anomaly) == subject]


@dataclass
class _Pass:
    """One look at a machine's episodes, under its lock."""

    subject: Subject
    policies: EpisodePolicies
    now: datetime
    known: dict[int, Episode] = field(default_factory=dict)
    joined: dict[int, set[int]] = field(default_factory=dict)
    new: set[int] = field(default_factory=set)

    def place(self, anomaly: Anomaly) -> None:
        rule = self.policies.of(anomaly.sensor.kind)
        reason = self._why_not(anomaly, rule)
        moved_on = anomaly.episode is not None and _queue(anomaly) != self.subject.queue
        if anomaly.episode_id is not None and (moved_on or reason):
            self._take_out(anomaly, reason or "it is about the other queue")
        elif anomaly.episode_id is not None:
            self._touch(self._load(anomaly.episode_id))
        elif not reason:
            self._put_in(anomaly, rule)
        if not moved_on:
            Anomaly.objects.filter(pk=anomaly.pk).update(episode_due_at=None)

    def finish(self) -> None:
        """Say what the touched episodes now hold, in the order in which they began."""
        for number in sorted(self.joined, key=lambda pk: self.known[pk].started_at):
            episode, is_new = self.known[number], number in self.new
            evidence.summarise(episode, joined=self.joined[number], is_new=is_new, now=self.now)
            if is_new and not episode.is_open:
                log.resolve(episode, Resolution.PASSED, now=self.now)

    def _why_not(self, anomaly: Anomaly, rule: EpisodePolicy) -> str:
        """Why it is no evidence; empty for one that is. What a window hides is written down."""
        if not evidence.counts(anomaly, rule):
            return evidence.why_not(anomaly)
        window = hiding.hiding(anomaly)
        if window is None:
            hiding.surface(anomaly, now=self.now)
            return ""
        hiding.hide(anomaly, window, now=self.now)
        return f"hidden by a window: {window.window}"

    def _take_out(self, anomaly: Anomaly, reason: str) -> None:
        episode = self._load(anomaly.episode_id or 0)
        Anomaly.objects.filter(pk=anomaly.pk).update(episode=None)
        log.write(episode, Kind.LEFT, now=self.now, anomaly=anomaly, text=reason)
        self._touch(episode)

    def _put_in(self, anomaly: Anomaly, rule: EpisodePolicy) -> None:
        spans = self._spans(anomaly, rule)
        found = course.place(anomaly.start, anomaly.end, spans, self._quiet, rule)
        if found.step in {Step.JOIN, Step.REOPEN}:
            episode = self._load(found.episode or 0)
            self._add([anomaly], episode)
            if found.step is Step.REOPEN:  # after: how old it is counts from its evidence
                log.reopen(episode, now=self.now, anomaly=anomaly)
            return
        together = self._entering(anomaly, rule)
        if not together:
            return
        if found.closes is not None:
            log.resolve(self._load(found.closes), Resolution.CALMED, now=self.now)
        self._add(together, self._opened(anomaly, recorded=found.step is Step.RECORD))

    def _entering(self, anomaly: Anomaly, rule: EpisodePolicy) -> list[Anomaly]:
        """The anomalies that are enough to open an episode, this one among them; none if not."""
        if not _enters(anomaly, rule):
            return []
        if rule.enter_anomalies == 1:
            return [anomaly]
        window = timedelta(seconds=rule.enter_window_s)
        near = self.subject.loose().filter(
            start__range=(anomaly.start - window, anomaly.start + window)
        )
        rows = [one for one in near.select_related(*RELATED) if _enters(one, rule)]
        starts = course.enough([one.start for one in rows], anomaly.start, rule)
        return [one for one in rows if one.start in starts]

    def _opened(self, anomaly: Anomaly, *, recorded: bool) -> Episode:
        subject, sensor = self.subject, anomaly.sensor
        episode = Episode.objects.create(
            site_id=sensor.site_id,
            asset_id=subject.asset,
            sensor_id=subject.sensor,
            queue=subject.queue,
            state=State.RESOLVED if recorded else State.OPEN,
            severity=severity(anomaly.score, 3, 1),
            score=anomaly.score,
            confidence=anomaly.confidence or 0.0,
            started_at=anomaly.start,
            last_at=anomaly.end,
            first_sensor=sensor,
            sensors=1,
            anomalies_count=1,
            opened_at=self.now,
            changed_at=self.now,
        )
        self.known[episode.pk] = episode
        self.new.add(episode.pk)
        return episode

    def _add(self, anomalies: Iterable[Anomaly], episode: Episode) -> None:
        there = set(evidence.of(episode).order_by().values_list("sensor", flat=True))
        for anomaly in anomalies:
            Anomaly.objects.filter(pk=anomaly.pk).update(episode=episode)
            episode.started_at = min(episode.started_at, anomaly.start)
            episode.last_at = max(episode.last_at, anomaly.end)
            self._touch(episode)
            self.joined[episode.pk] |= {anomaly.sensor_id} - there

    def _touch(self, episode: Episode) -> None:
        self.joined.setdefault(episode.pk, set())

    def _load(self, number: int) -> Episode:
        if number not in self.known:
            rows = Episode.objects.select_related("asset", "sensor")
            self.known[number] = rows.get(pk=number)
        return self.known[number]

    def _spans(self, anomaly: Anomaly, rule: EpisodePolicy) -> list[Span]:
        """The episodes that may matter: open, near in time, and the newest."""
        reach = timedelta(seconds=rule.rejoin_s)
        near = Q(last_at__gte=anomaly.start - reach, started_at__lte=anomaly.end + reach)
        rows = self.subject.episodes().filter(near | ~Q(state=State.RESOLVED))
        newest = self.subject.episodes().order_by("-started_at").first()
        numbers = {*rows.values_list("pk", flat=True), *([newest.pk] if newest else [])}
        return [_span(self._load(number)) for number in sorted(numbers | set(self.known))]

    def _quiet(self, number: int, until: datetime) -> bool:
        return evidence.was_quiet(self._load(number), until, self.policies)


def _queue(anomaly: Anomaly) -> str:
    return subject_of(anomaly).queue


def _enters(anomaly: Anomaly, rule: EpisodePolicy) -> bool:
    # Where nothing was measured yet there are no readings to count.
    without = anomaly.detector in {silence.DETECTOR, predicted.DETECTOR}
    lasting = without or anomaly.readings >= rule.enter_readings
    return lasting and anomaly.score >= rule.enter_score and evidence.counts(anomaly, rule)


def _span(episode: Episode) -> Span:
    by_person = episode.resolution == Resolution.PERSON
    return Span(
        number=episode.pk,
        first=episode.started_at,
        last=episode.last_at,
        is_open=episode.is_open,
        handled=episode.is_handled,
        resolved_at=episode.resolved_at if by_person else None,
        retracted=episode.resolution == Resolution.RETRACTED,
    )
