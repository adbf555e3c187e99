"""What pages say of a repository's past."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from code_insight.ancestry import HistoryLimits
from code_insight.catalog import Catalog
from code_insight.model import HistoryEnd
from code_insight.web.app import build_app
from httpx2 import AsyncClient

from tests.server.indexed import starlette_with_a_past
from tests.server.places import catalog_at
from tests.server.web.conftest import browser
from tests.server.web.test_pages import parsed

STARLETTE = "/repositories/local/starlette"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of four commits: routing.py has three of them, applications.py two."""
    made = tmp_path_factory.mktemp("past") / "starlette"
    starlette_with_a_past(made)
    return made


@pytest.fixture(scope="module")
def catalog(folder: Path) -> Catalog:
    """It is indexed."""
    made = catalog_at(folder.parent)
    made.add(str(folder))
    return made


@pytest.fixture
async def web(catalog: Catalog) -> AsyncIterator[AsyncClient]:
    """A browser before it."""
    async with browser(build_app(catalog, "1.2.3", [])) as client:
        yield client


def _text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def _section(html: str, name: str) -> str:
    found = re.search(rf'<section aria-labelledby="{name}">(.*?)</section>', html, re.DOTALL)
    assert found is not None
    return found[1]


async def test_a_repository_shows_its_newest_commits_as_they_were_written(web: AsyncClient) -> None:
    recent = _section((await web.get(STARLETTE)).text, "commits")
    items = re.findall(r"<li>(.*?)<span", recent)
    assert [item.strip() for item in items] == [
        "routing: &lt;b&gt;more&lt;/b&gt; &amp; more",
        "applications: &lt;b&gt;more&lt;/b&gt; &amp; more",
        "routing: &lt;b&gt;more&lt;/b&gt; &amp; more",
        "starlette as installed",
    ]


async def test_hot_spots_are_what_changed_again_most_commits_times_lines_first(web: AsyncClient) -> None:
    spots = _section((await web.get(STARLETTE)).text, "spots")
    assert re.findall(r"/-/file/starlette/(\w+)\.py", spots) == ["routing", "applications"]
    assert "<b>3</b> ×" in spots


async def test_a_map_is_coloured_by_change_when_asked(web: AsyncClient) -> None:
    html = (await web.get(f"{STARLETTE}/-/tree?colour=change")).text
    cells = dict(re.findall(r'<a href="[^"]*/-/file/([^"]+)" class="file (\w+)', html))
    assert cells["starlette/routing.py"] == "h5"
    assert cells["starlette/requests.py"] < cells["starlette/applications.py"] < "h5"
    assert "changed by 3 commits" in html
    assert f"{STARLETTE}/-/tree/starlette?colour=change" in html, "a zoom keeps the colour"
    assert "h5" not in (await web.get(f"{STARLETTE}/-/tree?colour=nothing")).text


@pytest.mark.parametrize(
    ("path", "commits", "authors"),
    [
        ("", 4, 3),
        ("/starlette", 4, 3),
        ("/starlette/routing.py", 3, 2),
        ("/starlette/requests.py", 1, 1),
        ("/starlette/routing.py?symbol=Router", 1, 1),
    ],
)
async def test_whatever_has_a_past_has_a_page_of_it(web: AsyncClient, path: str, commits: int, authors: int) -> None:
    html = (await web.get(f"{STARLETTE}/-/commits{path}")).text
    parsed(html)
    assert html.count("<tr>") == 1 + commits
    assert f'Who knows it <span class="quiet">{authors}</span>' in html
    assert "4 commits known, back to the first" in html


@pytest.mark.parametrize("view", ["/-/file/starlette/routing.py", "/-/symbol/starlette/routing.py?name=Router"])
async def test_a_file_and_a_symbol_show_their_past_beside_them(web: AsyncClient, view: str) -> None:
    html = (await web.get(f"{STARLETTE}{view}")).text
    assert "starlette as installed" in _text(html)
    assert re.search(r'href="[^"]*/-/commits/starlette/routing\.py', html)


async def test_a_page_is_another_one_when_more_of_the_past_is_known(folder: Path, tmp_path: Path) -> None:
    catalog = Catalog(tmp_path, catalog_at(folder.parent, history=HistoryLimits(step_commits=1)).limits)
    added = catalog.add(str(folder))
    url = f"{STARLETTE}@{added.indexed.commit.oid}/-/commits"
    async with browser(build_app(catalog, "1.2.3", [])) as client:
        before = await client.get(url)
        assert "1 commit known; older ones are still being read" in before.text
        assert before.headers["cache-control"] == "no-cache"
        assert [*catalog.deepen(added.indexed)][-1] is HistoryEnd.ROOT
        after = await client.get(url, headers={"if-none-match": before.headers["etag"]})
        assert (after.status_code, "4 commits known, back to the first" in after.text) == (200, True)
        assert after.headers["cache-control"].startswith("max-age=")
