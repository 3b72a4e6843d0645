"""What an episode is about, and the lock that makes its changes follow one another."""

from __future__ import annotations

from dataclasses import dataclass

from anomalies.models import Anomaly, Episode, Nature, Queue
from anomalies.querysets import AnomalyQuerySet, EpisodeQuerySet
from sensors.models import Asset, Sensor


@dataclass(frozen=True, slots=True)
class Subject:
    """A machine, or a sensor: one without a machine, or one that is at fault itself."""

    queue: str
    asset: int | None
    sensor: int | None

    def episodes(self) -> EpisodeQuerySet:
        return Episode.objects.filter(queue=self.queue, asset=self.asset, sensor=self.sensor)

    def loose(self) -> AnomalyQuerySet:
        """Standing anomalies of it that are in no episode."""
        natures = [Nature.INSTRUMENT]
        if self.queue != Queue.INSTRUMENT:
            natures = [Nature.MACHINE, Nature.PREDICTED]
        found = Anomaly.objects.standing().filter(episode__isnull=True, nature__in=natures)
        return (
            found.filter(sensor__asset=self.asset)
            if self.asset
            else found.filter(sensor=self.sensor)
        )

    def lock(self, *, wait: bool) -> bool:
        """Until the transaction ends nobody else changes its episodes; False when another does.

        The row of the machine or the sensor is locked against updates, not against references.
        """
        model, pk = (Asset, self.asset) if self.asset else (Sensor, self.sensor)
        rows = model._default_manager.select_for_update(skip_locked=not wait, no_key=True)
        # By its number: the usual order would join, and lock, the site.
        return rows.filter(pk=pk).order_by("pk").values_list("pk").first() is not None


def subject_of(anomaly: Anomaly) -> Subject:
    """Whose episode a new anomaly belongs to.

    One of several sensors that fell silent together belongs to the one that leads them: an outage
    of a gateway is one case.
    """
    if anomaly.nature == Nature.INSTRUMENT:
        leader = anomaly.follows.sensor_id if anomaly.follows else anomaly.sensor_id
        return Subject(Queue.INSTRUMENT, None, leader)
    if anomaly.sensor.asset_id is not None:
        return Subject(Queue.MACHINE, anomaly.sensor.asset_id, None)
    return Subject(Queue.MACHINE, None, anomaly.sensor_id)


def subject_of_episode(episode: Episode) -> Subject:
    return Subject(episode.queue, episode.asset_id, episode.sensor_id)
