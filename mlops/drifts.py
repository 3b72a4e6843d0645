"""Which stored sensors drift: a look at all of them, and what is remembered of it."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from mlops import drift, forecasts
from mlops.datasets import known_faults
from mlops.drift import Compared
from mlops.forecasting.policy import ForecastPolicy
from mlops.forecasting.steps import without
from mlops.models import Drift
from sensors.models import Sensor
from sensors.series import to_datetime64

# A sensor that drifted is not said to drift again before its new state is most of its past.
COOL_DOWN = timedelta(days=14)


def look(*, now: datetime) -> list[Drift]:
    """Compare every sensor heard lately with its own past, and store those that drift.

    Known faults are compared with nothing. Many are tested at once, so what is significant is
    decided together.
    """
    found = _compared(now)
    significant = drift.rejected(np.array([each.p for _, _, each in found]))
    rows = [
        Drift(
            sensor=sensor,
            as_of=as_of,
            found_at=now,
            shift=each.shift,
            psi=each.psi,
            p=each.p,
        )
        for (sensor, as_of, each), is_one in zip(found, significant, strict=True)
        if is_one and each.settled and each.psi > drift.LARGE_PSI
    ]
    return Drift.objects.bulk_create(rows)


def _compared(now: datetime) -> list[tuple[Sensor, datetime, Compared]]:
    policy, found = ForecastPolicy(), []
    known = Drift.objects.filter(found_at__gt=now - COOL_DOWN).values("sensor")
    heard = Sensor.objects.scored().filter(profile__last_time__gte=now - forecasts.STALE)
    sensors = list(heard.exclude(pk__in=known).select_related("site", "profile").order_by("pk"))
    faults = known_faults([sensor.pk for sensor in sensors])
    for sensor in sensors:
        as_of = forecasts.newest_step(sensor)
        if as_of is None:
            continue
        steps = forecasts.past_of(sensor, as_of, policy)
        if spans := faults.get(sensor.pk):
            steps = without(
                steps, [(to_datetime64(start), to_datetime64(end)) for start, end in spans]
            )
        compared = drift.compare(steps)
        if compared is not None:
            found.append((sensor, as_of, compared))
    return found
