"""An engineer at work, in a real browser: what waits is read, judged, and gone from the list."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.utils import timezone

from anomalies.models import (
    Anomaly,
    Calibration,
    EpisodeEvent,
    MaintenanceWindow,
    Review,
    ValidationRule,
)
from sensors.models import Sensor, Site
from tests.factories import make_asset, make_evidence, make_sensor

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db]


def commit(make: Callable[[], object]) -> None:
    """By another connection: what a test writes by its own no server sees."""

    def work() -> None:
        make()
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


def open_first(page: Page) -> None:
    """The first anomaly of the list, with its chart."""
    page.locator("#result_list tbody tr th a").first.click()
    page.wait_for_selector("svg.chart path.line")


def test_an_engineer_reviews_what_waits(at_work: Page, screenshots: Path) -> None:
    page = at_work
    rows = page.locator("#result_list tbody tr")
    waiting = Anomaly.objects.standing().awaiting_review().count()
    assert rows.count() == min(waiting, 50)
    shown = [int(text) for text in page.locator("#result_list .severity b").all_inner_texts()]
    assert shown == sorted(shown, reverse=True)
    assert is_styled(page)
    page.screenshot(path=screenshots / "anomaly-list.png", full_page=True)

    open_first(page)
    judged = current(page)
    page.screenshot(path=screenshots / "anomaly-detail.png", full_page=True)

    page.fill("#id_note", "Bearing dry on the drive end")
    page.click("button[value=confirmed]")
    page.wait_for_selector(".messagelist .success")
    said = Review.objects.get(anomaly=judged)
    assert (said.verdict, said.note) == ("confirmed", "Bearing dry on the drive end")
    assert current(page) != judged

    by_key = current(page)
    page.keyboard.press("f")
    page.wait_for_url(lambda url: f"/{by_key}/" not in url)
    assert Review.objects.get(anomaly=by_key).verdict == "false_positive"

    page.goto(address(page, "/admin/anomalies/anomaly/"))
    assert page.locator("#result_list tbody tr").count() == min(waiting - 2, 50)


def test_the_keys_do_nothing_while_a_note_is_written(at_work: Page) -> None:
    page = at_work
    open_first(page)
    here = current(page)
    page.locator("#id_note").press_sequentially("confirm for us, jack")
    assert current(page) == here
    assert not Review.objects.filter(anomaly=here).exists()
    page.keyboard.press("Tab")
    page.keyboard.press("j")
    page.wait_for_url(lambda url: f"/{here}/" not in url)


def test_filters_open_below_each_other_and_narrow_the_list(at_work: Page) -> None:
    page = at_work
    page.get_by_text("kind: All").click()
    page.get_by_role("link", name="vibration", exact=True).click()
    page.wait_for_url("**kind**")
    page.wait_for_selector("#result_list")
    kinds = page.locator("#result_list td.field-kind span").all_inner_texts()
    assert set(kinds) == {"vibration"}


def test_the_other_pages_hold_together(at_work: Page, screenshots: Path) -> None:
    page = at_work
    page.goto(address(page, "/admin/"))
    page.screenshot(path=screenshots / "index.png", full_page=True)
    page.goto(address(page, "/admin/sensors/quarantinedreading/"))
    assert "<script>" in page.locator("#result_list").inner_text()
    page.screenshot(path=screenshots / "quarantine.png", full_page=True)
    page.goto(address(page, "/admin/sensors/sensor/"))
    page.screenshot(path=screenshots / "sensor-list.png", full_page=True)
    page.get_by_role("link", name=re.compile(r"^pump-1\.vibration")).click()
    page.wait_for_selector(".sensor-view svg.chart")
    page.screenshot(path=screenshots / "sensor-detail.png", full_page=True)
    for width in (1440, 1100, 420):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width + 1


def test_a_rule_shows_what_it_would_have_changed_before_it_is_saved(
    at_work: Page, screenshots: Path
) -> None:
    page = at_work
    page.goto(address(page, "/admin/anomalies/validationrule/add/"))
    page.fill("#id_name", "nothing is wrong")
    page.fill("#id_conditions", '[{"field": "score", "op": "<", "value": 0.9}]')
    page.select_option("#id_forced_decision", "false_positive_suspected")
    page.click("input[name=_save]")
    page.wait_for_selector("form.rehearsal")
    assert not ValidationRule.objects.exists()
    assert page.locator("form.rehearsal tbody tr").count() > 0
    page.screenshot(path=screenshots / "rule-rehearsal.png", full_page=True)
    page.set_viewport_size({"width": 420, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 421
    page.set_viewport_size({"width": 1440, "height": 900})
    page.select_option("select[name=_days]", "30")
    page.get_by_role("button", name="Look again").click()
    page.wait_for_selector("text=of the last 30 days")
    page.get_by_role("button", name="Save the rule").click()
    page.wait_for_selector(".messagelist .success")
    assert ValidationRule.objects.get().name == "nothing is wrong"


def test_calibrations_say_how_often_people_agree(at_work: Page, screenshots: Path) -> None:
    page = at_work
    sensor = Sensor.objects.earliest("pk")
    tried = {"refuted": 9, "confirmed": 4, "spared": 2, "missed": []}
    row = Calibration(
        site=sensor.site, kind=sensor.kind, sensor=sensor, false_positive_threshold=0.55,
        credible_threshold=0.7, before={"false_positive": 0.4, "credible": 0.7},
        report={"made_from": 30, "before": tried, "after": {**tried, "spared": 8}},
        newest_verdict_at=timezone.now(), made_at=timezone.now(),
    )  # fmt: skip
    commit(row.save)
    page.goto(address(page, "/admin/anomalies/calibration/"))
    assert "verdicts people agreed with the validation agent" in page.inner_text("#content")
    page.screenshot(path=screenshots / "calibrations.png", full_page=True)
    page.check(".action-select")
    page.select_option("select[name=action]", "revert")
    page.click("button[name=index]")
    page.wait_for_selector(".messagelist .success")
    assert Calibration.objects.get().reverted_by is not None


def six_episodes() -> None:
    """In four weeks, each more credible than the one after it."""
    sensor = make_sensor(asset=make_asset(site=Site.objects.earliest("pk")), kind="humidity")
    for i in range(6):
        start = timezone.now() - timedelta(days=2 + 4 * i)
        make_evidence(sensor=sensor, start=start, confidence=0.5 + i / 20, score=0.8)


def test_a_budget_shows_its_cost_and_is_applied_by_a_click(
    at_work: Page, screenshots: Path
) -> None:
    page = at_work
    commit(six_episodes)
    page.goto(address(page, "/admin/anomalies/calibration/"))
    page.get_by_role("link", name="Alert budget").click()
    page.fill("#id_per_week", "1")
    page.get_by_role("button", name="Propose").click()
    panel = page.get_by_role("region", name="humidity")
    assert "proposed" in panel.inner_text()
    page.screenshot(path=screenshots / "budget.png", full_page=True)
    page.set_viewport_size({"width": 420, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 421
    panel.get_by_role("button", name="Apply to humidity").click()
    page.wait_for_selector(".messagelist .success")
    assert Calibration.objects.latest("pk").report["budget_per_week"] == 1.0


def test_a_window_is_planned_on_the_sites_clock_and_previewed_without(
    at_work: Page, screenshots: Path
) -> None:
    page = at_work
    page.goto(address(page, "/admin/anomalies/maintenancewindow/add/"))
    page.fill("#id_reason", "Cleaning")
    page.select_option("#id_site", label="North plant")  # in Berlin
    page.fill("#id_starts_at", "2026-07-01T10:00")
    page.fill("#id_ends_at", "2026-07-01T12:00")
    page.click("[name=_continue]")
    page.wait_for_selector(".messagelist .success")
    assert page.input_value("#id_starts_at") == "2026-07-01T10:00"
    assert MaintenanceWindow.objects.get().starts_at == datetime(2026, 7, 1, 8, tzinfo=UTC)
    page.screenshot(path=screenshots / "window.png", full_page=True)
    page.get_by_role("link", name="Preview without it").click()
    page.screenshot(path=screenshots / "preview-form.png", full_page=True)
    page.get_by_role("button", name="Run the preview").click()
    page.wait_for_selector("text=A worker takes it when one is free")
    page.screenshot(path=screenshots / "preview-waiting.png", full_page=True)
    page.get_by_role("button", name="Stop it").click()
    page.wait_for_selector("text=stopped")
    assert page.get_by_role("button", name="Stop it").count() == 0
    page.screenshot(path=screenshots / "preview-stopped.png", full_page=True)


def test_the_pages_follow_a_dark_theme(at_work: Page, screenshots: Path) -> None:
    page = at_work
    page.emulate_media(color_scheme="dark")
    open_first(page)
    panel = page.locator(".panel").first.evaluate("e => getComputedStyle(e).backgroundColor")
    red = int(re.findall(r"\d+", panel)[0])
    assert red < 64
    page.screenshot(path=screenshots / "anomaly-detail-dark.png", full_page=True)


def current(page: Page) -> int:
    """The anomaly whose page this is."""
    found = re.search(r"/anomaly/(\d+)/change", page.url)
    assert found is not None, page.url
    return int(found[1])


def address(page: Page, path: str) -> str:
    return re.sub(r"(https?://[^/]+).*", rf"\1{path}", page.url)


def is_styled(page: Page) -> bool:
    """Did the style sheet arrive? Without it a badge has no colour."""
    colour = page.locator(".severity").first.evaluate("e => getComputedStyle(e).backgroundColor")
    return str(colour) != "rgba(0, 0, 0, 0)"


def test_an_engineer_takes_an_episode_in_hand(at_work: Page, screenshots: Path) -> None:
    page = at_work
    page.goto(address(page, "/admin/anomalies/episode/"))
    page.wait_for_selector("#result_list")
    page.screenshot(path=screenshots / "episode-list.png", full_page=True)
    page.locator("#result_list tbody tr th a").first.click()
    page.wait_for_selector("svg.chart path.line")
    page.fill("#id_text", "Looking at it")
    page.click("button[value=acknowledge]")
    page.wait_for_selector(".messagelist .success")
    page.screenshot(path=screenshots / "episode-detail.png", full_page=True)
    assert EpisodeEvent.objects.get(kind="acknowledged").text == "Looking at it"
    assert page.locator("button[value=acknowledge]").count() == 0
