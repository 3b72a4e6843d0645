"""One silence: from the readings around it to the draft of an anomaly, and back from its receipt.

A silence has no readings of its own. What it is judged by are the readings before it, and the
first one after.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256

from django.db import connection

from anomalies import explanation, silence
from anomalies.findings import Draft, Recomputed
from anomalies.models import Anomaly, Nature, Rung
from anomalies.scored import severity
from anomalies.silence import Common, Expectation, Silence, SilencePolicy
from sensors import rhythms
from sensors.models import Reading, Sensor
from sensors.presentation import zone_of
from sensors.rhythm import rhythm_of
from sensors.rhythms import Window
from sensors.series import to_datetime

EVER = datetime.max.replace(tzinfo=UTC)
# No patience is shorter than the floor, so no shorter gap can be a silence.
_LONG_GAPS = """
SELECT before, time FROM (
    SELECT lag(time) OVER (ORDER BY time) AS before, time FROM sensors_reading
    WHERE sensor_id = %s AND time >= %s AND time <= %s) AS pairs
WHERE time - before > %s * interval '1 second' ORDER BY time
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A silence of a sensor with what it was judged by.

    value: the newest one before it; digest: SHA-256 of the times its rhythm was taken from, which
    begin at reference_start.
    """

    sensor: Sensor
    silence: Silence
    policy: SilencePolicy
    value: float
    digest: str
    reference_start: datetime


def judged(
    sensor: Sensor,
    window: Window,
    until: datetime,
    policy: SilencePolicy,
    *,
    stated_s: float | None,
    is_open: bool,
) -> Seen | None:
    """The gap from the newest reading of the window to `until`; None while too little is known."""
    expected = silence.expectation(rhythm_of(window.times), stated_s, policy)
    if expected is None:
        return None
    return Seen(
        sensor=sensor,
        silence=Silence(to_datetime(window.times[-1]), until, is_open, expected),
        policy=policy,
        value=float(window.values[-1]),
        digest=sha256(window.times.astype("datetime64[us]").tobytes()).hexdigest(),
        reference_start=to_datetime(window.times[0]),
    )


def again(row: Anomaly, *, until: datetime, is_open: bool) -> Seen:
    """The silence of an anomaly, looked at later: what it was judged by is in its receipt."""
    return Seen(
        sensor=row.sensor,
        silence=Silence(
            last_of(row), until, is_open, Expectation(**row.receipt["expected"])
        ),
        policy=SilencePolicy(**row.receipt["policy"]),
        value=row.observed,
        digest=row.receipt["window_sha256"],
        reference_start=reference_start(row),
    )  # fmt: skip


def within(row: Anomaly, policy: SilencePolicy, *, now: datetime) -> list[Seen]:
    """The silences that the readings show in the time that an anomaly was seen over."""
    last, found = last_of(row), []
    for begun, ended, is_open in _long_gaps(row, last, policy, now):
        window = dict(rhythms.windows([(row.sensor_id, begun)]))[row.sensor_id]
        stated_s = row.sensor.expected_interval_s
        seen = judged(row.sensor, window, ended, policy, stated_s=stated_s, is_open=is_open)
        if seen is None and begun == last:
            # Readings before it are beyond their retention: what it was judged by stands.
            seen = again(row, until=ended, is_open=is_open)
        if seen is not None and seen.silence.is_one:
            found.append(seen)
    return found


def _long_gaps(
    row: Anomaly, last: datetime, policy: SilencePolicy, now: datetime
) -> list[tuple[datetime, datetime, bool]]:
    """(from, to, whether it is still open) of the gaps after `last`, oldest first."""
    with connection.cursor() as cursor:
        until = EVER if row.is_open else row.end
        cursor.execute(_LONG_GAPS, [row.sensor_id, last, until, policy.floor_s])
        pairs = [(before, time, False) for before, time in cursor.fetchall()]
    if row.is_open:
        newest = Reading.objects.before(row.sensor_id, EVER, 1).times
        pairs += [(to_datetime(time), now, True) for time in newest]
    return pairs


def draft(seen: Seen, common: Common | None, *, leads: bool) -> Draft:
    """The anomaly. common: who fell silent with it; leads: whether it is the one to be reviewed."""
    found = seen.silence
    most = silence.MOST_SEVERE if leads else silence.MOST_SEVERE_OF_MANY
    return Draft(
        sensor_id=seen.sensor.pk,
        start=found.due,
        peak=found.until,
        end=found.until,
        readings=0,
        score=found.score,
        severity=min(severity(found.score), most),
        nature=Nature.INSTRUMENT.value,
        detector=silence.DETECTOR,
        model_name="",
        model_version=None,
        # A stated interval is a limit that a person set; an observed one is statistics.
        rung=(Rung.LIMITS if found.expected.stated else Rung.STATISTICAL).value,
        observed=seen.value,
        expected_low=None,
        expected_high=None,
        explanation=_explanation(seen, common),
        receipt={
            "policy": seen.policy.as_dict(),
            "last": found.last.isoformat(),
            "expected": asdict(found.expected),
            "reference_start": seen.reference_start.isoformat(),
            "window_sha256": seen.digest,
        },
        is_open=found.is_open,
    )


def _explanation(seen: Seen, common: Common | None) -> dict[str, object]:
    sensor = seen.sensor
    zone = zone_of(sensor.site.timezone)
    return {
        "contributions": [explanation.part("silence", 1.0, seen.silence.patiences)],
        "rung_reason": "",
        "silence": silence.parts(seen.silence),
        "common": asdict(common) if common else None,
        "sentence": silence.sentence(sensor.external_id, seen.silence, common, zone),
    }


def last_of(row: Anomaly) -> datetime:
    """The newest reading before the silence."""
    return datetime.fromisoformat(row.receipt["last"])


def reference_start(row: Anomaly) -> datetime:
    """The oldest reading that the silence was judged by."""
    return datetime.fromisoformat(row.receipt["reference_start"])


def patience_of(row: Anomaly) -> float:
    return float(row.receipt["expected"]["patience_s"])


def common_of(row: Anomaly) -> Common | None:
    common = row.explanation["common"]
    return Common(**common) if common else None


def recompute(row: Anomaly) -> Recomputed:
    """The score again, from the stored readings and the policy of the receipt.

    Raises Reading.DoesNotExist when the readings are gone.
    """
    last, receipt = last_of(row), row.receipt
    window = dict(rhythms.windows([(row.sensor_id, last)])).get(row.sensor_id)
    if window is None or to_datetime(window.times[-1]) != last:
        raise Reading.DoesNotExist(f"there is no reading at {last.isoformat()} any more")
    after = Reading.objects.after(row.sensor_id, last, 1)
    until = min([row.end, *(to_datetime(time) for time in after.times)])
    stated_s = receipt["expected"]["interval_s"] if receipt["expected"]["stated"] else None
    rule = SilencePolicy(**receipt["policy"])
    seen = judged(row.sensor, window, until, rule, stated_s=stated_s, is_open=row.is_open)
    if seen is None:
        raise Reading.DoesNotExist("too few of the readings before it are left")
    changed = until != row.end or seen.digest != receipt["window_sha256"]
    return Recomputed(seen.silence.score, changed)
