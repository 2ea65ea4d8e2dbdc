"""A real Chromium on a real server with a month of data; screenshots, and axe-core.

    def test_my_page(admin: Page, shots: Shots) -> None:
        admin.goto("/portal/my-page?days=30")
        expect(admin.get_by_role("heading", level=1)).to_have_text("My page")
        assert_accessible(admin)
        shots.of(admin, "my_page")        # 1440 and 390 pixels wide, light and dark

`admin` is signed in with the server's key; `reader` may only read; `visitor` is not signed in. `month` has the names
in the data. Tests may add data of names of their own; whoever changes what others look at starts `own_server`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from payi_otel.server.main import RunningServer, background_server
from payi_otel.server.portal.guard import hash_password
from payi_otel.server.store.engine import Store
from payi_otel.server.store.users import READ_ONLY, add_user, first_application
from tests.browser.data import Month, fill

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
READER, PASSWORD = "reader", "may only read this"
WIDTHS = (1440, 390)
_SLOW_MS = 60_000


@dataclass(frozen=True, slots=True)
class Portal:
    """A server, its database, and what is in it."""

    server: RunningServer
    database: Path
    month: Month

    @property
    def url(self) -> str:
        return self.server.url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    named = os.environ.get("PAYI_CHROMIUM")
    path = named or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(CHROMIUM_NAMES)} on PATH, and PAYI_CHROMIUM is not set")
    expect.set_options(timeout=_SLOW_MS)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """The server that the tests of a file share: what they leave there is no concern of other files."""
    database = tmp_path_factory.mktemp("portal") / "payi.db"
    with background_server(database) as server:
        month = fill(server.url, server.api_key)
        store = Store(database)
        with store.write() as connection:
            add_user(
                connection,
                READER,
                hash_password(PASSWORD),
                READ_ONLY,
                first_application(connection),
                month.now,
            )
        store.close()
        yield Portal(server, database, month)


@pytest.fixture
def month(portal: Portal) -> Month:
    return portal.month


@pytest.fixture
def own_server() -> Iterator[RunningServer]:
    """An empty server for one test alone."""
    with background_server() as server:
        yield server


Opened = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Opened]:
    """A page in a fresh context at `base_url`; a script that fails or is refused fails the test."""
    with ExitStack() as stack:

        def opened(base_url: str, state: object = None, width: int = 1440) -> Page:
            context = browser.new_context(
                base_url=base_url,
                storage_state=state,  # type: ignore[arg-type]
                viewport={"width": width, "height": 900},
                timezone_id="Europe/Berlin",
                reduced_motion="reduce",
            )
            stack.callback(context.close)
            context.set_default_timeout(_SLOW_MS)
            page = context.new_page()
            problems: list[str] = []
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("console", lambda said: problems.append(said.text) if _is_problem(said) else None)
            stack.callback(_none, problems)
            return page

        yield opened


def _is_problem(said: object) -> bool:
    text: str = said.text  # type: ignore[attr-defined]
    # Refused forms answer 422, which Chromium reports as well; and some tests stop their server.
    expected = "Failed to load resource" in text or "Failed to fetch" in text
    return said.type == "error" and not expected  # type: ignore[attr-defined]


def _none(problems: list[str]) -> None:
    assert problems == []


@pytest.fixture(scope="module")
def _states(browser: Browser, portal: Portal) -> dict[str, object]:
    """The cookies of those who are signed in, by role: signing in anew for each test would be slow."""

    def state(sign_in: Callable[[Page], None]) -> object:
        context: BrowserContext = browser.new_context(base_url=portal.url, timezone_id="Europe/Berlin")
        context.set_default_timeout(_SLOW_MS)
        page = context.new_page()
        page.goto("/portal/sign-in")
        sign_in(page)
        page.wait_for_url("**/portal/")
        found = context.storage_state()
        context.close()
        return found

    def by_key(page: Page) -> None:
        page.get_by_label("API key").fill(portal.server.api_key)
        page.get_by_role("button", name="Sign in with the key").click()

    def by_password(page: Page) -> None:
        page.get_by_label("Name").fill(READER)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()

    return {"admin": state(by_key), "reader": state(by_password)}


@pytest.fixture
def admin(open_page: Opened, portal: Portal, _states: dict[str, object]) -> Page:
    return open_page(portal.url, _states["admin"])


@pytest.fixture
def reader(open_page: Opened, portal: Portal, _states: dict[str, object]) -> Page:
    return open_page(portal.url, _states["reader"])


@pytest.fixture
def visitor(open_page: Opened, portal: Portal) -> Page:
    return open_page(portal.url)


def settled(page: Page) -> None:
    """Wait until every chart is drawn as wide as its place, and every part that comes later is there."""
    page.wait_for_function(
        """() => !document.querySelector('[aria-busy]')
            && [...document.querySelectorAll('[data-figure]')].every(place => {
                const drawn = place.querySelector('.main-svg');
                return drawn && Math.abs(drawn.clientWidth - place.clientWidth) <= 2;
            })"""
    )


def assert_accessible(page: Page) -> None:
    """axe-core finds nothing serious or critical on the page as it is now."""
    settled(page)
    found = Axe().run(page).response["violations"]
    serious = [
        f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]
    assert serious == []


def assert_fits(page: Page) -> None:
    """Nothing makes the page wider than the window."""
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"the page is {wide} pixels too wide at {page.viewport_size}"


class Shots:
    """Takes screenshots into `$PAYI_SCREENSHOTS`, or `build/screenshots/`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        """Where a screenshot of this name goes."""
        return self._folder / f"{name}.png"

    def of(self, page: Page, name: str, *, full: bool = True) -> None:
        """The page as it is now, at each width, light and dark; checks that it fits."""
        before = page.viewport_size
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                settled(page)
                assert_fits(page)
                page.screenshot(path=self.path(f"{name}-{width}-{scheme}"), full_page=full)
        page.emulate_media(color_scheme="light")
        if before is not None:
            page.set_viewport_size(before)


@pytest.fixture(scope="session")
def shots() -> Shots:
    return Shots(Path(os.environ.get("PAYI_SCREENSHOTS") or "build/screenshots"))
