"""A real browser: Debian's chromium, driven by playwright. Skipped, with the reason, without."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.test import override_settings
from pytest_django.live_server_helper import LiveServer

from tests.browser import factory
from tests.factories import make_person

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
SCREENSHOTS = Path(__file__).resolve().parents[2] / ".data" / "screenshots"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Started once a module: that takes longer than most tests."""
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed (apt install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def browser_page(browser: Browser) -> Iterator[Page]:
    """A page that knows nothing of others; an error of a script on it fails the test."""
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: errors.append(f"a dialog: {dialog.message}"))
    yield page
    context.close()
    assert errors == []


@pytest.fixture(scope="session")
def screenshots() -> Path:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS


@pytest.fixture(scope="module")
def workplace(browser: Browser, django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
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
        # Connections are kept by event loop: nobody closes this one after the browser's is gone.
        connections.close_all()


@pytest.fixture(scope="module")
def cookies(browser: Browser, workplace: str) -> list[Any]:
    """Of the engineer, who has signed in by the form."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{workplace}/admin/login/")
    page.fill("#id_username", "engineer")
    page.fill("#id_password", "secret")
    page.click("[type=submit]")
    page.wait_for_selector("#content-main")
    found: list[Any] = context.cookies()
    context.close()
    return found


@pytest.fixture
def at_work(workplace: str, cookies: list[Any], browser_page: Page) -> Page:
    """Signed in, on the list of what waits."""
    browser_page.context.add_cookies(cookies)
    browser_page.goto(f"{workplace}/admin/anomalies/anomaly/")
    browser_page.wait_for_selector("#changelist")
    return browser_page
