"""Pages of a repository whose paths and texts are as bad as git allows."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest
from code_insight.catalog import Catalog
from code_insight.web.app import build_app
from httpx2 import AsyncClient

from tests.server.indexed import index
from tests.server.places import catalog_at
from tests.server.web.conftest import browser
from tests.server.web.test_pages import parsed

PROJECT = "/repositories/local/project"
ODD = [
    "a\nb.py",
    "quote'\"<&>.py",
    "right\u202eto\u2066left.py",
    "#?%2F&=+.py",
    " spaces .py",
    "\\back.py",
    "-/-/x.py",
    "é.py",
]
DEEP = "/".join(["d"] * 200) + "/deep.py"
WIDE = 10_000


@pytest.fixture(scope="module")
def odd_catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """A repository of odd paths, of 10,000 files in one folder, of 1 MB on one line."""
    folder = tmp_path_factory.mktemp("odd")
    files: dict[str, str | bytes] = {f"odd/{path}": "def f(x):\n    return f(x)\n" for path in ODD}
    files |= {f"wide/{number}.txt": f"{number}\n" for number in range(WIDE)}
    files |= {DEEP: "x = 1\n", "one_line.js": "a" * 1_000_000, "long.py": "x = 1\n" * 5_001}
    files |= {"many.py": "f(g(1)); " * 2_000 + "\n", "empty.py": "", "picture.bin": b"\0\1\2"}
    index(folder, files)
    return catalog_at(folder)


@pytest.fixture
async def odd(odd_catalog: Catalog) -> AsyncIterator[AsyncClient]:
    """A browser before it."""
    async with browser(build_app(odd_catalog, "1.2.3", [])) as client:
        yield client


@pytest.mark.parametrize("path", ODD)
async def test_a_file_of_any_name_has_its_page(odd: AsyncClient, path: str) -> None:
    found = await odd.get(f"{PROJECT}/-/file/{quote(f'odd/{path}')}")
    assert found.status_code == 200
    assert "<a class=" in found.text
    assert not {"\u202e", "\u2066"} & set(found.text)
    parsed(found.text)


@pytest.mark.parametrize(
    "path", ["", "/-/tree", "/-/tree/odd", "/-/dependencies", "/-/search?q=f", f"/-/tree/{DEEP[:-8]}"]
)
async def test_pages_that_list_them_lead_to_each(odd: AsyncClient, path: str) -> None:
    html = (await odd.get(f"{PROJECT}{path}")).text
    for link in {link for link in parsed(html).found if "/-/file/" in link}:
        assert (await odd.get(link.partition("#")[0])).status_code == 200, link


async def test_a_folder_of_ten_thousand_files_has_pages_of_a_thousand(odd: AsyncClient) -> None:
    first, last = (await odd.get(f"{PROJECT}/-/tree/wide")), (await odd.get(f"{PROJECT}/-/tree/wide?page=10"))
    assert first.text.count("<tr>") == last.text.count("<tr>") == 1_001
    assert "10,000 entries" in first.text
    assert len(first.content) < 1_000_000
    assert (await odd.get(f"{PROJECT}/-/tree/wide?page=11")).status_code == 404


async def test_a_megabyte_on_one_line_is_not_shown_but_explained(odd: AsyncClient) -> None:
    found = await odd.get(f"{PROJECT}/-/file/one_line.js")
    assert found.status_code == 200
    assert "20,000 characters" in found.text
    assert len(found.content) < 20_000


async def test_a_long_file_has_pages_and_a_line_is_found_on_its_own(odd: AsyncClient) -> None:
    first, last = (await odd.get(f"{PROJECT}/-/file/long.py")), (await odd.get(f"{PROJECT}/-/file/long.py?page=3"))
    assert 'id="L2000"' in first.text
    assert 'id="L2001"' not in first.text
    assert 'id="L5001"' in last.text


@pytest.mark.parametrize("path", ["many.py", "empty.py", "picture.bin", DEEP])
async def test_a_file_of_any_content_has_its_page(odd: AsyncClient, path: str) -> None:
    found = await odd.get(f"{PROJECT}/-/file/{path}")
    assert found.status_code == 200
    parsed(found.text)


@pytest.mark.parametrize(
    "at", ["1:0", "1:4", "2:11", "0:0", "9:9", "x", "1", "1:2:3", "99999999999999999999:1", "-1:-1"]
)
async def test_any_place_in_a_file_leads_somewhere_or_is_missing(odd: AsyncClient, at: str) -> None:
    found = await odd.get(f"{PROJECT}/-/file/{quote('odd/é.py')}?at={at}")
    assert found.status_code in (302, 404)
    if found.status_code == 302:
        assert (await odd.get(found.headers["location"])).status_code == 200


@pytest.mark.parametrize("query", ["page=0", "page=-1", "page=x", "page=", "page=999999999999999999999999", "page=٣"])
async def test_a_page_number_that_makes_no_sense_is_missing(odd: AsyncClient, query: str) -> None:
    assert (await odd.get(f"{PROJECT}/-/file/long.py?{query}")).status_code == 404


@pytest.mark.parametrize("path", ["/-/file/../../etc/passwd", "/-/file/%2e%2e/x", "/-/file//etc/passwd", "/-/tree/%00"])
async def test_no_path_leads_out_of_the_index(odd: AsyncClient, path: str) -> None:
    assert (await odd.get(f"{PROJECT}{path}")).status_code == 404


async def test_a_name_that_leads_on_leads_to_its_symbol(odd: AsyncClient) -> None:
    moved = await odd.get(f"{PROJECT}/-/file/{quote('odd/é.py')}?at=2:11")
    assert moved.headers["location"] == f"{PROJECT}/-/symbol/odd/%C3%A9.py?name=f&line=1"
    page = (await odd.get(moved.headers["location"])).text
    assert "Who uses it" in page
    assert f"{PROJECT}/-/file/odd/%C3%A9.py#L2" in page
