"""The watch: sensors that fall silent become instrument anomalies, and recover.

The sweep raises and escalates (`watch`), detection settles what new readings change (`settle`).
Both work from the stored readings: a silence that stands is a gap in them, whoever wrote what when.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from anomalies import gaps, ledger, outages, silence
from anomalies.gaps import Seen
from anomalies.leases import Notes
from anomalies.ledger import Change
from anomalies.models import Anomaly, SilenceWatch
from anomalies.outages import Outages
from anomalies.scored import SEVERITY_STEPS, severity
from anomalies.silence import SilencePolicy
from sensors import rhythms
from sensors.models import Sensor

# A sweep comes every 30 s. After a longer break sensors get their patience once more.
BREAK = timedelta(minutes=5)
LATE = "late readings"

# One watch at a time: another sweep finds the row taken and leaves. If the process that holds it
# freezes, PostgreSQL ends its transaction, and when it wakes up it cannot commit.
_FREEZE_GUARD = "SET LOCAL idle_in_transaction_session_timeout = '60s'"
_FIRST_WATCH = """
INSERT INTO anomalies_silencewatch (id, since, seen) VALUES (1, %(now)s, %(now)s)
ON CONFLICT DO NOTHING
"""
# silence.expectation for all sensors at once: who may be silent. What is raised is judged by that
# function, from the readings. Where the newest reading came as history, or long after its time,
# nobody is silent: that sensor is being filled and never spoke live.
_SUSPECTS = """
SELECT p.sensor_id, p.last_time
FROM sensors_sensorprofile p
JOIN sensors_sensor s ON s.id = p.sensor_id
JOIN sensors_sensorrhythm r ON r.sensor_id = p.sensor_id AND r.as_of = p.last_time,
LATERAL (SELECT greatest(%(floor_s)s, CASE
    WHEN s.expected_interval_s > 0 THEN %(intervals)s * s.expected_interval_s
    ELSE greatest(%(intervals)s * r.interval_s, %(pauses)s * r.pause_s) END)
    * interval '1 second' AS patience) AS rule
WHERE s.status <> 'retired' AND NOT r.as_of_backfill
  AND (s.expected_interval_s > 0 OR r.readings >= %(min_readings)s)
  AND %(now)s - greatest(p.last_time, %(since)s) > patience
  AND p.updated_at - p.last_time <= 2 * patience
  AND NOT EXISTS (SELECT FROM anomalies_anomaly a
                  WHERE a.sensor_id = p.sensor_id AND a.is_open AND a.withdrawn_at IS NULL)
ORDER BY p.last_time, p.sensor_id
"""
# Open ones that may have changed: heard from since, retired, or not at the highest severity yet.
# SKIP LOCKED: detection is settling those.
_TO_LOOK_AT = """
SELECT a.id FROM anomalies_anomaly a
JOIN sensors_sensor s ON s.id = a.sensor_id
JOIN sensors_sensorprofile p ON p.sensor_id = a.sensor_id
WHERE a.is_open AND a.withdrawn_at IS NULL AND (s.status = 'retired'
    OR p.last_time <> (a.receipt->>'last')::timestamptz OR a.score < %s)
ORDER BY a.id
FOR UPDATE OF a SKIP LOCKED
"""


def policy() -> SilencePolicy:
    return silence.parse(settings.SILENCE_POLICY)


def watch(*, now: datetime, policy: SilencePolicy) -> Change:
    """Look at all sensors once: raise who fell silent, escalate who still is, end who recovered."""
    rhythms.learn_due(now=now, quiet_s=policy.floor_s, intervals=policy.intervals / 2)
    with transaction.atomic():
        since = _watching_since(now)
        if since is None:
            return Change()
        return _look_at_open(policy, now=now) + _raise(policy, since=since, now=now)


def _watching_since(now: datetime) -> datetime | None:
    """Since when the sweep has looked without a break; None while another one is looking."""
    with connection.cursor() as cursor:
        cursor.execute(_FREEZE_GUARD)
        cursor.execute(_FIRST_WATCH, {"now": now})
    row = SilenceWatch.objects.select_for_update(skip_locked=True).first()
    if row is None:
        return None
    if now - row.seen > BREAK:
        row.since = now
    row.seen = max(row.seen, now)
    row.save()
    since: datetime = row.since
    return since


def _raise(policy: SilencePolicy, *, since: datetime, now: datetime) -> Change:
    with connection.cursor() as cursor:
        cursor.execute(_SUSPECTS, {**policy.as_dict(), "now": now, "since": since})
        suspects = cursor.fetchall()
    sensors = Sensor.objects.select_related("site", "asset").in_bulk([pk for pk, _ in suspects])
    found = []
    for sensor_id, window in rhythms.windows(suspects):
        sensor = sensors[sensor_id]
        stated_s = sensor.expected_interval_s
        seen = gaps.judged(sensor, window, now, policy, stated_s=stated_s, is_open=True)
        if seen is not None and seen.silence.is_one:
            found.append(seen)
    _store_raised(found, policy, now=now)
    return Change(created=len(found))


def _store_raised(found: Sequence[Seen], policy: SilencePolicy, *, now: datetime) -> None:
    """New rows; of those that fell silent together, the others follow the first."""
    known = Outages([(seen.sensor, seen.silence) for seen in found], policy, now=now)
    following = []
    for seen in found:
        common, leader = known.of(seen.sensor, seen.silence)
        row = ledger.new_row(seen.sensor, gaps.draft(seen, common, leads=not leader), now=now)
        row.follows = leader
        if leader is not None:
            following.append(row)
            continue
        row.save()
        if common is not None:
            known.lead(row)
    Anomaly.objects.bulk_create(following)


def _look_at_open(policy: SilencePolicy, *, now: datetime) -> Change:
    with connection.cursor() as cursor:
        cursor.execute(_TO_LOOK_AT, [SEVERITY_STEPS[-1]])
        ids = [pk for (pk,) in cursor.fetchall()]
    rows = Anomaly.objects.filter(pk__in=ids).order_by("pk")
    change, rising = Change(), []
    for row in rows.select_related("sensor__site", "sensor__asset", "sensor__profile"):
        if row.sensor.status == Sensor.Status.RETIRED:
            change += _end(row, now=now)
        elif row.sensor.profile.last_time != gaps.last_of(row):
            change += _restate(row, policy, now=now)
        elif _rises(row, now):
            rising.append(row)
    return change + _escalate(rising, policy, now=now)


def _rises(row: Anomaly, now: datetime) -> bool:
    """Whether it has become more severe than the row says, whoever leads it."""
    silent_s = (now - gaps.last_of(row)).total_seconds()
    by_now = silence.score(silent_s, gaps.patience_of(row))
    return severity(by_now) > severity(row.score)


def _escalate(rows: Sequence[Anomaly], policy: SilencePolicy, *, now: datetime) -> Change:
    """Say how long it is by now, and who has been found silent with it by now."""
    seen = [gaps.again(row, until=now, is_open=True) for row in rows]
    known = Outages([(one.sensor, one.silence) for one in seen], policy, now=now)
    for row, one in zip(rows, seen, strict=True):
        common, leader = known.of(one.sensor, one.silence, but=row.pk)
        if leader is not None and row.follows is None and not row.followers.exists():
            row.follows = leader
            row.save(update_fields=["follows"])
        draft = gaps.draft(one, common or gaps.common_of(row), leads=row.follows is None)
        ledger.update(row, draft, grows=True, reason="", now=now)
        if common is not None and row.follows is None:
            known.lead(row)
    return Change(changed=len(rows))


def _end(row: Anomaly, *, now: datetime) -> Change:
    """A retired sensor is expected no more."""
    seen = gaps.again(row, until=max(now, row.end), is_open=False)
    draft = gaps.draft(seen, gaps.common_of(row), leads=row.follows_id is None)
    return Change(changed=ledger.update(row, draft, grows=True, reason="", now=now))


def settle(noted: dict[int, list[Notes]], *, now: datetime) -> Change:
    """Make the silences of noted sensors follow from their readings, the new ones included.

    Safe to repeat, and while others do the same: each silence is locked, and readings are read
    after that. To be called before the notes are deleted: who dies in between leaves it to the
    next.
    """
    change, rule = Change(), policy()
    found = Anomaly.objects.silences().filter(sensor__in=noted).order_by("sensor")
    for sensor_id in found.values_list("sensor", flat=True).distinct():
        notes = noted[sensor_id]
        if notes:
            since, until = min(n.since for n in notes), max(n.until for n in notes)
            change += _settle(sensor_id, rule, since=since, until=until, now=now)
    return change


@transaction.atomic
def _settle(
    sensor_id: int, policy: SilencePolicy, *, since: datetime, until: datetime, now: datetime
) -> Change:
    rows = Anomaly.objects.silences().filter(sensor=sensor_id).select_for_update(of=("self",))
    change = Change()
    for row in rows.select_related("sensor__site", "sensor__asset").order_by("start"):
        if row.is_open or (since <= row.end and until >= gaps.reference_start(row)):
            change += _restate(row, policy, now=now)
    return change


def _restate(row: Anomaly, policy: SilencePolicy, *, now: datetime) -> Change:
    """What the readings show where this silence was seen, instead of it."""
    if row.sensor.status == Sensor.Status.RETIRED:
        return Change()
    found = gaps.within(row, policy, now=now)
    if not found:
        outages.hand_over(row)
        ledger.withdraw(row, reason=LATE, now=now)
        return Change(withdrawn=1)
    same = [seen for seen in found if seen.silence.due == row.start]
    kept = (same or found[-1:])[0]
    common, leads = gaps.common_of(row), row.follows_id is None
    draft = gaps.draft(kept, common, leads=leads)
    changed = ledger.update(row, draft, grows=row.is_open and bool(same), reason=LATE, now=now)
    others = [seen for seen in found if seen is not kept]
    for seen in others:
        new = ledger.new_row(row.sensor, gaps.draft(seen, common, leads=leads), now=now)
        new.follows_id = row.follows_id
        new.save()
    return Change(created=len(others), changed=changed)
