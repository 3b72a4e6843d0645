"""An engineer at work, in a real browser: what waits is read, judged, and gone from the list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from anomalies.models import Anomaly, Calibration, EpisodeEvent, Review, ValidationRule
from sensors.models import Sensor
from tests.browser import factory
from tests.factories import make_person

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db]


@pytest.fixture(scope="module")
def workplace(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """The address of a server over a furnished factory, which all tests of this module share.

    Furnishing takes a while, so it is done once; for that the database is this module's own
    business, and is emptied at its end.
    """
    plain_http = override_settings(
        SECURE_SSL_REDIRECT=False, SESSION_COOKIE_SECURE=False, CSRF_COOKIE_SECURE=False
    )
    with django_db_blocker.unblock(), plain_http, pytest.MonkeyPatch.context() as patch:
        # Playwright's synchronous interface runs an event loop in this thread, which Django takes
        # for asynchronous code; the loop is idle while the ORM is used.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        assert connection.settings_dict["NAME"].startswith("test_"), "this database is emptied"
        person = make_person(
            username="engineer", password="secret", is_staff=True, is_superuser=True
        )
        factory.furnish(now=factory.clock(), machines=("pump-1", "mill-1"), person=person)
        server = LiveServer("127.0.0.1")
        yield server.url
        server.stop()
        call_command("flush", interactive=False, verbosity=0)


@pytest.fixture
def at_work(workplace: str, browser_page: Page) -> Page:
    """Signed in, on the list of what waits."""
    browser_page.goto(f"{workplace}/admin/login/?next=/admin/anomalies/anomaly/")
    browser_page.fill("#id_username", "engineer")
    browser_page.fill("#id_password", "secret")
    browser_page.click("[type=submit]")
    browser_page.wait_for_selector("#changelist")
    return browser_page


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
    Calibration.objects.create(
        site=sensor.site, kind=sensor.kind, sensor=sensor, false_positive_threshold=0.55,
        credible_threshold=0.7, before={"false_positive": 0.4, "credible": 0.7},
        report={"made_from": 30, "before": tried, "after": {**tried, "spared": 8}},
        newest_verdict_at=timezone.now(), made_at=timezone.now(),
    )  # fmt: skip
    page.goto(address(page, "/admin/anomalies/calibration/"))
    assert "verdicts people agreed with the validation agent" in page.inner_text("#content")
    page.screenshot(path=screenshots / "calibrations.png", full_page=True)
    page.check(".action-select")
    page.select_option("select[name=action]", "revert")
    page.click("button[name=index]")
    page.wait_for_selector(".messagelist .success")
    assert Calibration.objects.get().reverted_by is not None


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
