"""The chart of an anomaly: its readings, what was expected, and where to look."""

from __future__ import annotations

from typing import Any

import numpy as np
from django.utils.safestring import SafeString, mark_safe

from anomalies import presentation
from anomalies.admin import outlook
from anomalies.models import Anomaly
from mlops import features
from sensors import charts
from sensors.admin.ranges import levels_of
from sensors.models import Reading
from sensors.presentation import zone_of
from sensors.series import Series, TimeArray, to_datetime, to_datetime64

BEFORE, AFTER = (60, 300), (30, 150)
MOST_INSIDE = 5_000
BAND_POINTS = 48
MOST_NEIGHBOURS = 50


def chart(anomaly: Anomaly) -> SafeString:
    """The readings around it: what was expected, the range that was odd, and its peak.

    Of a prediction: the forecast that says it, while it is kept.
    """
    if presentation.is_predicted(anomaly) and (foreseen := outlook.chart_of_prediction(anomaly)):
        return foreseen
    past, inside, later = _readings(anomaly)
    shown = min(len(past), _clipped(3 * len(inside), BEFORE))
    whole = Series.concatenate([past, inside, later])
    drawn = whole[len(past) - shown :]
    return mark_safe(  # noqa: S308  charts.draw escapes every text
        charts.draw(
            charts.Chart(
                series=drawn,
                unit=anomaly.sensor.unit,
                zone=zone_of(anomaly.sensor.site.timezone),
                title=f"Readings of {anomaly.sensor.external_id} around the anomaly",
                levels=levels_of(anomaly.sensor),
                stretches=[*_others(anomaly, drawn), _stretch(anomaly)],
                band=_band(whole, len(past) - shown),
                **_emphasis(anomaly),
            )
        )
    )


def _emphasis(anomaly: Anomaly) -> dict[str, Any]:
    """Where to look: at the peak, or, where nothing was measured, at all of the emptiness."""
    if presentation.is_silence(anomaly):
        return {"until": to_datetime64(anomaly.end)}
    return {"peak": (to_datetime64(anomaly.peak), anomaly.observed)}


def _readings(anomaly: Anomaly) -> tuple[Series, Series, Series]:
    rows, sensor = Reading.objects, anomaly.sensor_id
    inside = rows.series(sensor, since=anomaly.start, until=anomaly.end, limit=MOST_INSIDE)
    past = rows.before(sensor, anomaly.start, BEFORE[1] + features.CONTEXT_ROWS)
    if len(inside) == MOST_INSIDE:
        return past, inside, Series.of([])
    return past, inside, rows.after(sensor, anomaly.end, _clipped(len(inside), AFTER))


def _clipped(n: int, bounds: tuple[int, int]) -> int:
    return max(bounds[0], min(n, bounds[1]))


def _stretch(anomaly: Anomaly) -> charts.Stretch:
    first, last = to_datetime64(anomaly.start), to_datetime64(anomaly.end)
    return charts.Stretch(first, last, "this anomaly")


def _others(anomaly: Anomaly, drawn: Series) -> list[charts.Stretch]:
    """Other standing anomalies of the sensor within the chart."""
    if len(drawn) == 0:
        return []
    found = Anomaly.objects.overlapping(
        anomaly.sensor_id, since=to_datetime(drawn.times[0]), until=to_datetime(drawn.times[-1])
    ).exclude(pk=anomaly.pk)[:MOST_NEIGHBOURS]
    return [
        charts.Stretch(
            max(to_datetime64(other.start), drawn.times[0]),
            min(to_datetime64(other.end), drawn.times[-1]),
            f"another anomaly, severity {other.severity}",
            "stretch-other",
        )
        for other in found
    ]


def _band(whole: Series, first: int) -> charts.Band | None:
    """What was expected, at some of the drawn rows; None where the past is too short to say."""
    rows = np.unique(np.linspace(first, len(whole) - 1, BAND_POINTS).astype(int))
    rows = rows[rows >= features.MIN_ROWS]
    if len(rows) == 0:
        return None
    bands = np.array([features.expected(whole.times, whole.values, int(row)) for row in rows])
    times: TimeArray = whole.times[rows]
    return charts.Band(times, bands[:, 0], bands[:, 1])
