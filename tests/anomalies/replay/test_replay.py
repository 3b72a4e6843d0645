"""A preview says exactly what the live run that follows does, and writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.core import mail
from django.test import override_settings
from django.utils import timezone

from anomalies.models import MaintenanceWindow, ValidationRule
from anomalies.replay.change import Change
from anomalies.replay.collecting import collect
from anomalies.replay.course import Course
from anomalies.replay.running import Replayed, replay
from anomalies.windows import keeping
from tests.anomalies.replay import plant as plants
from tests.anomalies.replay.plant import BEGIN, END, HOUR, STEP, Plant

pytestmark = pytest.mark.django_db(transaction=True)

# All readings before it are known when it begins; two days more of a quiet plant show nothing more.
COURSE = Course(BEGIN, END, lead=2 * HOUR, step=STEP)


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    def set_(at: datetime) -> None:
        monkeypatch.setattr(timezone, "now", lambda: at)

    return set_


def preview(plant: Plant, change: Change, **options: Any) -> Replayed:
    before = plants.dump()
    found = replay([plant.site.pk], COURSE, change, **options)
    assert plants.dump() == before
    return found


RULE = {
    "name": "vibration of the fan's kind is known",
    "kind": "vibration",
    "conditions": [{"field": "severity", "op": "<=", "value": 3}],
    "forced_decision": "false_positive_suspected",
}


def test_a_preview_equals_the_live_run_that_follows_and_writes_nothing(set_clock: Any) -> None:
    plant = plants.build()
    rule = ValidationRule.objects.create(**RULE, enabled=False)
    plants.run_live(plant, set_clock, agents=False)
    hidden = BEGIN + 3 * STEP, BEGIN + 12 * STEP
    window = {"reason": "Cleaning", "asset": plant.pump.pk}
    window |= dict(zip(("starts_at", "ends_at"), map(datetime.isoformat, hidden), strict=True))
    policies = {"EPISODE_POLICY": {"exit_quiet_s": 1200, "rejoin_s": 3600}}

    told = preview(plant, Change(policies=policies, flip_rule=rule.pk, window=window))

    plants.forget()
    ValidationRule.objects.update(enabled=True)
    set_clock(BEGIN)
    made = MaintenanceWindow.objects.create(
        reason="Cleaning", site=plant.site, asset=plant.pump, starts_at=hidden[0], ends_at=hidden[1]
    )
    keeping.plan(made, now=BEGIN)
    with override_settings(**policies):
        plants.run_live(plant, set_clock)
        live = collect([plant.site.pk], since=BEGIN, until=END)
        assert len(live.anomalies) >= 5
        assert {one.queue for one in live.episodes} == {"machine", "instrument"}
        assert {one.event for one in live.notifications} >= {"opened", "resolved"}
        assert live == told.would_be
        # One route, one site: what is said at one time is one mail.
        said = {one.said_at for one in live.notifications if one.said_at is not None}
        assert len(mail.outbox) == len(said)
        again = preview(plant, Change(), every_look=True)
    assert again.was == again.would_be == live
    assert not again.differences
