"""The pages in a real browser, asked of the running container. What they look like is kept in build/screenshots."""

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import docker
import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from code_insight_deploy.proofs import BuiltImage
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Dialog,
    FloatRect,
    Page,
    Request,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.places import HOUSE, cannot_run
from tests.server.indexed import starlette_with_a_past
from tests.server.places import Repository
from tests.smoke.conftest import Start
from tests.smoke.places import address_of

SCREENSHOTS = HOUSE / "build" / "screenshots"
INDEXED_SECONDS = 60.0
WAIT_SECONDS = 30.0
STARLETTE = "/repositories/local/starlette"
ROUTING = f"{STARLETTE}/-/file/starlette/routing.py"
PAGES = {
    "landing": "/",
    "try": "/try/search?repository=starlette&query=how+are+routes+matched",
    "repository": STARLETTE,
    "changes": f"{STARLETTE}/-/tree?colour=change",
    "folder": f"{STARLETTE}/-/tree/starlette/middleware",
    "file": ROUTING,
    "symbol": f"{STARLETTE}/-/symbol/starlette/routing.py?name=Router",
    "dependencies": f"{STARLETTE}/-/dependencies",
    "commits": f"{STARLETTE}/-/commits",
    "search": f"{STARLETTE}/-/search?q=Router",
    "skipped": f"{STARLETTE}/-/skipped",
    "missing": f"{STARLETTE}/-/file/starlette/rooting.py",
}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = {"desk": 1280, "phone": 390}
ODD = "/repositories/local/odd"
ODD_PAGES = {
    "odd repository": ODD,
    "odd names": f"{ODD}/-/tree/names",
    "odd deep folder": f"{ODD}/-/tree/{'deep/' * 59}deep".replace("tree/", "tree/names/"),
    "ten thousand files": f"{ODD}/-/tree/wide",
    "a megabyte on a line": f"{ODD}/-/file/line.js",
    "odd commits": f"{ODD}/-/commits",
    "odd answer": "/try/overview?repository=odd",
}
HARMFUL = "<img src=x onerror=alert(1)>.py"
MANY = 10_000
MOST_PIXELS = 4_000  # of a page's height in its picture


def is_ready(address: str) -> bool:
    """Whether it can be asked of all its repositories; it cannot when nobody listens yet."""
    with contextlib.suppress(httpx2.HTTPError):
        return httpx2.get(f"{address}/info?ready").status_code == 200
    return False


@pytest.fixture(scope="module")
def address(engine: docker.DockerClient, image: BuiltImage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The running container, ready, with a repository of several commits."""
    folder = tmp_path_factory.mktemp("browsed")
    starlette_with_a_past(folder / "starlette")
    _write_odd_repository(folder / "odd")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    start = Start(engine, image, folder)
    try:
        found = address_of(start(CODE_INSIGHT_REPOSITORIES="/repositories/starlette /repositories/odd"))
        deadline = time.monotonic() + INDEXED_SECONDS
        while not is_ready(found):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield found
    finally:
        for container in start.containers:
            container.remove(force=True)


def _write_odd_repository(folder: Path) -> None:
    """Names and texts that want to be markup, or to burst a page."""
    names = [HARMFUL, "right\u202eto\u2066left.py", "a\nb.py", "w" * 200 + ".py", f"{'deep/' * 60}x.py"]
    files = {f"names/{name}": f"def f(x):\n    return '{HARMFUL}'\n" for name in names}
    files |= {f"wide/{number}.txt": f"{number}\n" for number in range(MANY)}
    files |= {"README.md": f"# {HARMFUL}\n\nIt is {HARMFUL} and has {'no' * 200} space.\n", "line.js": "a" * 1_000_000}
    made = Repository(folder)
    made.write(files)
    made.commit(message=f"{HARMFUL} {'v' * 200}")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium of this machine."""
    program = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
    if program is None:
        cannot_run("there is no Chromium on this machine; on a Debian one `sudo .ci/browser` installs it")
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    expect.set_options(timeout=WAIT_SECONDS * 1_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=as_root)
        yield browser
        browser.close()


@dataclass
class Tabs:
    """Opens pages, each in a context of its own, and hears what the browser complains of."""

    browser: Browser
    address: str
    contexts: list[BrowserContext] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __call__(self, path: str, *, width: int = WIDTHS["desk"], **options: Any) -> Page:
        viewport = ViewportSize(width=width, height=844)
        context = self.browser.new_context(base_url=self.address, viewport=viewport, **options)
        context.set_default_timeout(WAIT_SECONDS * 1_000)
        context.on("request", self._hear_request)
        context.on("console", lambda said: self.complaints.append(said.text) if said.type != "log" else None)
        context.on("dialog", self._hear_dialog)
        context.on("weberror", lambda thrown: self.complaints.append(str(thrown.error)))
        self.contexts.append(context)
        page = context.new_page()
        page.goto(path)
        return page

    def _hear_dialog(self, dialog: Dialog) -> None:
        self.complaints.append(dialog.message)
        dialog.dismiss()

    def _hear_request(self, request: Request) -> None:
        if not request.url.startswith(f"{self.address}/"):
            self.complaints.append(f"asked {request.url}")


@pytest.fixture
def opened(chromium: Browser, address: str) -> Iterator[Tabs]:
    """Opens a page; when the test is over, no console has complained and nothing was asked of another origin."""
    tabs = Tabs(chromium, address)
    yield tabs
    for context in tabs.contexts:
        context.close()
    # A page that is not there is answered with 404, and Chromium says so.
    assert [text for text in tabs.complaints if "404 (Not Found)" not in text] == []


@pytest.mark.parametrize("device", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_its_screen_and_can_be_used_by_all(opened: Tabs, name: str, device: str) -> None:
    page = opened(PAGES[name], width=WIDTHS[device])
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[device]
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        _keep_picture(page, f"{name}-{device}-{scheme}")
        violations = Axe().run(page).response["violations"]
        assert [_told(one) for one in violations] == [], scheme


@pytest.mark.parametrize("device", WIDTHS)
@pytest.mark.parametrize("name", ODD_PAGES)
def test_nothing_that_is_in_a_repository_bursts_a_page_or_runs(opened: Tabs, name: str, device: str) -> None:
    page = opened(ODD_PAGES[name], width=WIDTHS[device])
    _keep_picture(page, f"{name.replace(' ', '-')}-{device}")
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[device]
    assert page.locator("img:not([src^='/static/'])").count() == 0


def _keep_picture(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    height = min(page.evaluate("document.documentElement.scrollHeight"), MOST_PIXELS)
    width = page.evaluate("innerWidth")
    page.screenshot(
        path=SCREENSHOTS / f"{name}.png", full_page=True, clip=FloatRect(x=0, y=0, width=width, height=height)
    )


def _told(violation: dict[str, Any]) -> str:
    nodes = violation["nodes"]
    return f"{violation['id']} at {len(nodes)}: {nodes[0]['html'][:200]} {nodes[0].get('failureSummary', '')[:300]}"


def test_a_configuration_is_copied_with_one_click(opened: Tabs, address: str) -> None:
    page = opened("/", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_text("Cursor", exact=True).first.click()
    page.locator(".choice:visible").get_by_role("button", name="Copy").first.click()
    expect(page.locator(".choice:visible").get_by_role("button", name="Copied")).to_be_visible()
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert copied["mcpServers"]["code-insight"]["url"] == f"{address}/mcp"


@pytest.mark.parametrize("with_script", [True, False])
def test_a_question_is_answered_with_what_its_request_gets_from_the_server(
    opened: Tabs, address: str, with_script: bool
) -> None:
    page = opened("/", java_script_enabled=with_script)
    page.locator("#try label[for^=tool-]", has_text=re.compile("^symbol$")).click()
    form = page.locator("#try form:visible")
    form.get_by_label("repository").fill("starlette")
    form.get_by_label("name").fill("Router.add_route")
    form.get_by_role("button", name="Ask").click()
    answer = page.locator("pre.answer")
    expect(answer).to_contain_text("def add_route")
    request = json.loads(page.locator("[id$=-request]").inner_text())
    accepted = {"accept": "application/json, text/event-stream"}
    said = httpx2.post(f"{address}/mcp", json=request, headers=accepted, timeout=30).text
    result = json.loads(said[said.index("{") :])["result"]
    assert answer.inner_text().strip() == result["content"][0]["text"].strip()
    assert page.url.startswith(f"{address}/try/symbol?") is not with_script


def test_a_map_is_zoomed_where_it_stands_and_its_address_leads_there(opened: Tabs) -> None:
    page = opened(STARLETTE)
    cells = page.locator(".treemap a")
    folder = page.locator(".treemap a.folder", has_text="middleware/")
    expect(folder).to_have_count(1)
    folder.click(position={"x": 20, "y": 8})
    expect(page.locator(".treemap a[href*='/starlette/routing.py']")).to_have_count(0)
    expect(page.locator(".treemap a[href*='/starlette/middleware/cors.py']")).to_have_count(1)
    zoomed = cells.count()
    page.reload()
    expect(page.locator(".treemap a[href*='/starlette/routing.py']")).to_have_count(0)
    expect(cells).to_have_count(zoomed)
    page.go_back()
    expect(page.locator(".treemap a[href*='/starlette/routing.py']")).to_have_count(1)


def test_a_map_is_walked_and_zoomed_with_the_keyboard(opened: Tabs) -> None:
    page = opened(STARLETTE)
    page.locator(".treemap a").first.focus()
    focused = "document.activeElement.getAttribute('href')"
    before = page.evaluate(focused)
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) != before
    page.locator(".treemap a.folder", has_text="middleware/").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".map figcaption")).to_contain_text("middleware/")
    assert page.evaluate("document.activeElement.closest('[data-map]') !== null")


def test_a_name_in_a_file_leads_to_its_symbol_and_on_to_who_uses_it(opened: Tabs) -> None:
    page = opened(f"{STARLETTE}/-/file/starlette/applications.py")
    page.locator(".source a.call, .source a.type", has_text="Router").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Router")
    uses = page.locator("section[aria-labelledby=uses] ul.lines a")
    expect(page.get_by_role("heading", name="Who uses it")).to_be_visible()
    uses.first.click()
    expect(page.locator(".source > div:target")).to_contain_text("Router")


def test_the_first_stop_of_the_keyboard_skips_to_the_content(opened: Tabs) -> None:
    page = opened(STARLETTE)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")


def test_a_hash_in_the_address_zooms_into_nothing_but_a_map_of_here(opened: Tabs) -> None:
    for elsewhere in ("https://example.com/-/tree/x", "//example.com/-/tree/x", "javascript:alert(1)//-/tree", "%"):
        page = opened(f"{STARLETTE}#map={elsewhere}")
        expect(page.locator(".treemap a[href*='/starlette/routing.py']")).to_have_count(1)
        assert page.url.endswith(f"#map={elsewhere}")
