"""What browsers get."""

import re
from html.parser import HTMLParser

import pytest
from httpx2 import AsyncClient

PAGES = ["/", "/repositories/local/starlette", "/repositories/starlette", "/repositories/nothing", "/nothing/here"]


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.found += [value for key in ("href", "src") if (value := values.get(key))]
        self.ids += [value] if (value := values.get("id")) else []
        if tag not in ("meta", "link", "img", "br", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(html: str) -> _Links:
    links = _Links()
    links.feed(html)
    assert links.open == []
    return links


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_well_formed_and_needs_nothing_from_elsewhere(web: AsyncClient, path: str) -> None:
    found = parsed((await web.get(path)).text)
    assert not [link for link in found.found if link.startswith(("http", "//")) and "example.invalid" not in link]
    assert len(found.ids) == len(set(found.ids))


@pytest.mark.parametrize("path", [*PAGES, "/static/style.css", "/robots.txt"])
async def test_every_answer_has_the_headers_that_keep_a_browser_safe(web: AsyncClient, path: str) -> None:
    headers = (await web.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


async def test_every_link_of_the_front_page_leads_somewhere(web: AsyncClient) -> None:
    links = parsed((await web.get("/")).text)
    for link in {link for link in links.found if link.startswith("/") and link != "/info"}:
        path, _, fragment = link.partition("#")
        found = await web.get(path)
        assert found.status_code == 200, link
        assert not fragment or fragment in parsed(found.text).ids


async def test_the_front_page_names_repositories_tools_and_how_to_connect(web: AsyncClient) -> None:
    html = (await web.get("/")).text
    for name in ("local/starlette", "local/click", "list_repositories", "add_repository", "references", "1.2.3"):
        assert name in html
    assert "https://insight.example.invalid/mcp" in html


async def test_a_repository_has_its_page_under_its_name_or_the_end_of_it(web: AsyncClient) -> None:
    full, short = await web.get("/repositories/local/starlette"), await web.get("/repositories/starlette")
    assert full.status_code == short.status_code == 200
    assert "class Request" in full.text
    assert re.search(r"[0-9a-f]{40}", full.text)


async def test_an_unknown_repository_is_missing_with_those_that_are_there(web: AsyncClient) -> None:
    found = await web.get("/repositories/starlet")
    assert found.status_code == 404
    assert "local/starlette" in found.text


async def test_an_unknown_page_is_missing_with_the_way_back(web: AsyncClient) -> None:
    found = await web.get("/nothing/<b>here</b>")
    assert found.status_code == 404
    assert 'href="/#repositories"' in found.text
    assert "<b>" not in found.text


async def test_a_server_without_repositories_says_how_to_get_one(bare: AsyncClient) -> None:
    html = (await bare.get("/")).text
    assert "None yet" in html
    assert "CODE_INSIGHT_REPOSITORIES" in html
    assert (await bare.get("/repositories/x")).status_code == 404


async def test_markup_of_a_repository_is_shown_and_not_obeyed(harmed: AsyncClient) -> None:
    for path in ("/", "/repositories/project"):
        html = (await harmed.get(path)).text
        assert "<script>" not in html
        assert "<img src=x" not in html
        assert "<b>" not in html


@pytest.mark.parametrize("path", ["/", "/repositories/local/starlette", "/robots.txt", "/static/style.css"])
async def test_a_page_is_read_and_nothing_else(web: AsyncClient, path: str) -> None:
    assert (await web.head(path)).status_code == 200
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert (await web.request(method, path)).status_code == 405


async def test_what_a_browser_has_is_not_sent_again(web: AsyncClient) -> None:
    first = await web.get("/")
    again = await web.get("/", headers={"if-none-match": f'"other", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert (await web.get("/", headers={"if-none-match": '"other"'})).status_code == 200


async def test_pages_are_compressed_for_who_can_read_that(web: AsyncClient) -> None:
    assert (await web.get("/", headers={"accept-encoding": "gzip"})).headers["content-encoding"] == "gzip"
    plain = await web.get("/", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert "accept-encoding" in plain.headers["vary"].lower()


async def test_no_static_path_leads_out(web: AsyncClient) -> None:
    for path in ("/static/../pages.py", "/static/%2e%2e/pages.py", "/static//etc/passwd", "/static/"):
        assert (await web.get(path)).status_code == 404


async def test_robots_may_read_the_front_page_only(web: AsyncClient) -> None:
    assert (await web.get("/robots.txt")).text == "User-agent: *\nAllow: /$\nDisallow: /\n"
