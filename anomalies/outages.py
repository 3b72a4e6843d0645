"""One cause of many silences: a gateway, a network, a machine that was switched off.

When most sensors of a site, or of a machine, fall silent within the same minute, each gets its
anomaly, but one of them leads: it stands in the review list for all, and the others follow it with
a lower severity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
from django.db.models import Case, F, When
from django.db.models.functions import Coalesce

from anomalies import silence
from anomalies.gaps import last_of
from anomalies.models import Anomaly
from anomalies.silence import TOGETHER, Common, Silence, SilencePolicy
from sensors.models import Sensor
from sensors.series import to_datetime64

SCOPES = ("site", "asset")


@dataclass(frozen=True, slots=True)
class _Place:
    """The sensors of a site or a machine: how many fell silent with each, and were heard since."""

    silent: dict[int, int]
    heard: dict[int, int]


class Outages:
    """Who fell silent together, and who leads them, as known at one look of the watch."""

    def __init__(
        self, found: Sequence[tuple[Sensor, Silence]], policy: SilencePolicy, *, now: datetime
    ) -> None:
        self.policy, self.now = policy, now
        self._due = {sensor.pk: silence.due for sensor, silence in found}
        self._sites = {sensor.site_id for sensor, _ in found}
        self._places: dict[tuple[str, int], _Place] = {}

    def of(
        self, sensor: Sensor, found: Silence, *, but: int | None = None
    ) -> tuple[Common | None, Anomaly | None]:
        """What a silence has in common with others, and the anomaly that leads them, if one does.

        but: an anomaly that is not to be its own leader.
        """
        for scope in SCOPES:
            common = self._common(sensor, scope)
            if common is not None:
                return common, self._leader(sensor, scope, found, but)
        return None, None

    def lead(self, row: Anomaly) -> None:
        """From now on this one leads those that fall silent with it."""
        self._leaders.append(row)

    def _common(self, sensor: Sensor, scope: str) -> Common | None:
        place_id = _place_of(sensor, scope)
        if place_id is None:
            return None
        place = self._place(scope, place_id)
        silent, heard = place.silent.get(sensor.pk, 0), place.heard.get(sensor.pk, 0)
        if not silence.is_common(silent, heard, self.policy):
            return None
        return Common(scope, str(getattr(sensor, scope)), silent, silent + heard)

    def _leader(
        self, sensor: Sensor, scope: str, found: Silence, but: int | None
    ) -> Anomaly | None:
        for row in self._leaders:
            same_place = _place_of(row.sensor, scope) == _place_of(sensor, scope)
            together = last_of(row) - TOGETHER <= found.due and found.last <= row.start + TOGETHER
            if row.explanation["common"]["scope"] == scope and same_place and together:
                return None if row.pk == but else row
        return None

    @cached_property
    def _leaders(self) -> list[Anomaly]:
        rows = Anomaly.objects.open().filter(
            sensor__site__in=self._sites,
            follows__isnull=True,
            explanation__common__scope__in=SCOPES,
        )
        return list(rows.select_related("sensor").order_by("pk"))

    @cached_property
    def _sensors(self) -> list[tuple[int, int, int | None, datetime, float]]:
        """(id, site, asset, newest reading, seconds between readings) of the sites' sensors."""
        usual = Coalesce(
            Case(When(expected_interval_s__gt=0, then=F("expected_interval_s"))),
            F("rhythm__interval_s"),
            F("profile__interval_s"),
        )
        heard = Sensor.objects.scored().filter(
            site__in=self._sites, profile__last_time__isnull=False
        )
        rows = heard.annotate(usual=usual).filter(usual__isnull=False).order_by("pk")
        return list(rows.values_list("pk", "site", "asset", "profile__last_time", "usual"))

    def _place(self, scope: str, place_id: int) -> _Place:
        """Computed once a place: a look may find all of its sensors silent."""
        key = (scope, place_id)
        if key not in self._places:
            column = 1 + SCOPES.index(scope)
            rows = [row for row in self._sensors if row[column] == place_id]
            ids = [row[0] for row in rows]
            last = np.array([to_datetime64(row[3]) for row in rows])
            due = np.array([to_datetime64(self._due_of(row[0], *row[3:])) for row in rows])
            silent, heard = silence.companions(last, due, to_datetime64(self.now))
            self._places[key] = _Place(
                dict(zip(ids, silent.tolist(), strict=True)),
                dict(zip(ids, heard.tolist(), strict=True)),
            )
        return self._places[key]

    def _due_of(self, sensor_id: int, last: datetime, usual: float) -> datetime:
        return self._due.get(sensor_id) or last + timedelta(seconds=usual)


def _place_of(sensor: Sensor, scope: str) -> int | None:
    return sensor.site_id if scope == "site" else sensor.asset_id


def hand_over(row: Anomaly) -> None:
    """Before a leader is withdrawn: the first that follows it leads the others."""
    heir = row.followers.standing().order_by("pk").select_for_update(skip_locked=True).first()
    if heir is None:
        return
    row.followers.exclude(pk=heir.pk).update(follows=heir)
    heir.follows = None
    heir.save(update_fields=["follows"])
