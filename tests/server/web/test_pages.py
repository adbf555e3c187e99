"""What browsers get."""

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
from code_insight.web.pages.clients import clients
from fastmcp import Client
from httpx2 import AsyncClient
from markupsafe import escape

from tests.server.web.conftest import HOST, MARKUP

ORIGIN = f"https://{HOST}"

STARLETTE = "/repositories/local/starlette"
PAGES = [
    "/",
    "/try",
    "/try/search?repository=starlette&query=Router",
    STARLETTE,
    "/repositories/starlette",
    "/repositories/samples",
    f"{STARLETTE}/-/tree",
    f"{STARLETTE}/-/tree/starlette/middleware",
    f"{STARLETTE}/-/file/starlette/routing.py",
    f"{STARLETTE}/-/symbol/starlette/routing.py?name=Router",
    f"{STARLETTE}/-/dependencies",
    f"{STARLETTE}/-/search?q=Router",
    f"{STARLETTE}/-/search?q=how+are+routes+matched",
    f"{STARLETTE}/-/skipped",
    f"{STARLETTE}/-/tree?colour=change",
    f"{STARLETTE}/-/commits",
    f"{STARLETTE}/-/commits/starlette/middleware",
    f"{STARLETTE}/-/commits/starlette/routing.py?symbol=Router",
]
MISSING = [
    "/nothing/here",
    "/repositories/",
    "/repositories/nothing",
    f"{STARLETTE}/-/nothing",
    f"{STARLETTE}/-/file/starlette/rooting.py",
    f"{STARLETTE}/-/file/starlette/routing.py?page=99",
    f"{STARLETTE}/-/file/starlette/routing.py?at=1:1",
    f"{STARLETTE}/-/tree/starlete",
    f"{STARLETTE}/-/symbol?name=Rooter",
    f"{STARLETTE}/-/symbol",
    f"{STARLETTE}/-/commits/starlette/rooting.py",
    f"{STARLETTE}/-/commits?symbol=Rooter",
    f"{STARLETTE}/-/commits?page=2",
    f"{STARLETTE}@0123456789/-/file/starlette/routing.py",
    "/try/nothing",
    "/try/add_repository?url=https://github.com/a/b",
]


NEIGHBOURS = ["/llms.txt", "/robots.txt", "/favicon.ico", "/server.json"]
NEIGHBOURS += ["/mcp/server-card", "/.well-known/ai-catalog.json"]


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
        if tag not in ("meta", "link", "img", "br", "input", "wbr", "option"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "option":
            assert self.open.pop() == tag


def parsed(html: str) -> _Links:
    links = _Links()
    links.feed(html)
    assert links.open == []
    return links


@pytest.mark.parametrize("path", [*PAGES, *MISSING])
async def test_a_page_is_well_formed_and_needs_nothing_from_elsewhere(web: AsyncClient, path: str) -> None:
    found = parsed((await web.get(path)).text)
    assert not [link for link in found.found if link.startswith(("http", "//")) and "example.invalid" not in link]
    assert len(found.ids) == len(set(found.ids))


@pytest.mark.parametrize("path", [*PAGES, *MISSING, *NEIGHBOURS, "/static/style.css"])
async def test_every_answer_has_the_headers_that_keep_a_browser_safe(web: AsyncClient, path: str) -> None:
    headers = (await web.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/", STARLETTE, f"{STARLETTE}/-/symbol/starlette/routing.py?name=Router"])
async def test_every_link_of_a_page_leads_somewhere(web: AsyncClient, path: str) -> None:
    links = parsed((await web.get(path)).text)
    for link in {link for link in links.found if link.startswith("/") and link != "/info"}:
        target, _, fragment = link.partition("#")
        found = await web.get(target, follow_redirects=True)
        assert found.status_code == 200, link
        assert not fragment or fragment in parsed(found.text).ids, link


async def test_the_front_page_names_repositories_tools_and_how_to_connect(web: AsyncClient) -> None:
    html = (await web.get("/")).text
    for name in ("local/starlette", "local/click", "list_repositories", "add_repository", "references", "1.2.3"):
        assert name in html
    assert "https://insight.example.invalid/mcp" in html


async def test_the_front_page_says_for_each_client_what_its_docs_say(web: AsyncClient) -> None:
    found = parsed((await web.get("/")).text).found
    for client in clients(f"{ORIGIN}/mcp"):
        assert str(escape(client.text)) in (await web.get("/")).text
        assert not client.link or client.link in found


def test_a_link_that_installs_says_what_the_file_says() -> None:
    by_name = {client.name: client for client in clients(f"{ORIGIN}/mcp")}
    cursor, code = by_name["Cursor"], by_name["VS Code"]
    installed = json.loads(base64.b64decode(parse_qs(urlsplit(cursor.link).query)["config"][0]))
    assert {"mcpServers": {"code-insight": installed}} == json.loads(cursor.text)
    installed = json.loads(unquote(urlsplit(code.link).query))
    assert {"servers": {installed.pop("name"): installed}} == json.loads(code.text)


async def test_a_repository_has_its_page_under_its_name_or_the_end_of_it(web: AsyncClient) -> None:
    full, short = await web.get("/repositories/local/starlette"), await web.get("/repositories/starlette")
    assert full.status_code == short.status_code == 200
    assert f"{STARLETTE}/-/symbol/starlette/requests.py?name=Request&amp;line=" in full.text
    assert re.search(r"@[0-9a-f]{40}", full.text)


async def test_where_a_file_is_missing_its_name_can_be_searched(web: AsyncClient) -> None:
    found = parsed((await web.get(f"{STARLETTE}/-/file/routing.py")).text).found
    assert f"{STARLETTE}/-/search?q=routing.py" in found
    assert "starlette/routing.py" in (await web.get(f"{STARLETTE}/-/search?q=routing.py")).text


@pytest.mark.parametrize("path", MISSING)
async def test_what_is_missing_is_said_with_the_way_back(web: AsyncClient, path: str) -> None:
    found = await web.get(path)
    assert found.status_code == 404
    assert 'href="/#repositories"' in found.text


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("/repositories/starlet", "local/starlette"),
        (f"{STARLETTE}/-/file/starlette/rooting.py", "starlette/routing.py"),
        (f"{STARLETTE}/-/symbol?name=Rooter", "Router (starlette/routing.py"),
        (f"{STARLETTE}@0123456789", "Indexed: "),
    ],
)
async def test_what_is_missing_is_answered_with_the_nearest(web: AsyncClient, path: str, near: str) -> None:
    found = await web.get(path)
    assert found.status_code == 404
    assert near in found.text


async def test_an_unknown_page_is_missing_whatever_its_name(web: AsyncClient) -> None:
    found = await web.get("/nothing/<b>here</b>")
    assert found.status_code == 404
    assert "<b>" not in found.text


async def test_a_server_without_repositories_says_how_to_get_one(bare: AsyncClient) -> None:
    html = (await bare.get("/")).text
    assert "None yet" in html
    assert "CODE_INSIGHT_REPOSITORIES" in html
    assert (await bare.get("/repositories/x")).status_code == 404


async def test_markup_of_a_repository_is_shown_and_not_obeyed(harmed: AsyncClient) -> None:
    project = "/repositories/local/project"
    views = ("", "/-/tree", "/-/file/README.md", f"/-/file/{quote(MARKUP)}", "/-/skipped", "/-/search?q=<b>")
    for path in ("/", *(project + view for view in views), f"/try/read?repository=project&path={quote(MARKUP)}"):
        found = await harmed.get(path)
        assert found.status_code == 200, path
        assert "<script>" not in found.text
        assert "<img src=x" not in found.text
        assert "<b>not" not in found.text
        parsed(found.text)


@pytest.mark.parametrize("path", [*PAGES, *NEIGHBOURS])
async def test_a_page_is_read_and_nothing_else(web: AsyncClient, path: str) -> None:
    assert (await web.head(path)).status_code == 200
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"):
        refused = await web.request(method, path)
        assert (refused.status_code, set(refused.headers["allow"].split(", "))) == (405, {"GET", "HEAD"})


@pytest.mark.parametrize("path", ["/static/style.css", "/nothing/here"])
async def test_what_is_no_page_cannot_be_written_either(web: AsyncClient, path: str) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
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


async def test_robots_may_read_what_costs_little(web: AsyncClient) -> None:
    lines = (await web.get("/robots.txt")).text.splitlines()
    assert {"Allow: /$", "Allow: /llms.txt", "Disallow: /"} <= set(lines)


# What a page costs and how long it is good for.


async def test_a_page_of_a_commit_is_known_again_without_being_made(web: AsyncClient) -> None:
    first = await web.get(STARLETTE)
    again = await web.get(STARLETTE, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await web.get(f"{STARLETTE}/-/tree")).headers["etag"] != first.headers["etag"]


async def test_only_a_page_of_a_named_commit_may_be_used_unasked(web: AsyncClient) -> None:
    newest = await web.get(STARLETTE)
    oid = re.search(r"@([0-9a-f]{40})", newest.text)
    assert oid is not None
    named = await web.get(f"{STARLETTE}@{oid[1]}/-/tree")
    assert newest.headers["cache-control"] == "no-cache"
    assert named.headers["cache-control"].startswith("max-age=")
    assert f"{STARLETTE}@{oid[1]}/-/tree/starlette" in named.text  # its links stay with the commit


async def test_a_static_file_is_kept_for_ever_under_a_url_of_its_content(web: AsyncClient) -> None:
    html = (await web.get("/")).text
    (url,) = set(re.findall(r'"(/static/style\.css\?v=[0-9a-f]+)"', html))
    assert "immutable" in (await web.get(url)).headers["cache-control"]
    assert "immutable" not in (await web.get("/static/style.css")).headers["cache-control"]


async def _transferred(web: AsyncClient, path: str) -> int:
    """Bytes of a page and of all it loads, compressed as they are sent."""
    page = await web.get(path)
    loaded = {link for link in re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text) if "touch.png" not in link}
    answers = [page, *[await web.get(link) for link in loaded]]
    sizes = [
        len(gzip.compress(one.content)) if one.headers.get("content-encoding") else len(one.content) for one in answers
    ]
    return sum(sizes)


async def test_the_front_page_is_small(web: AsyncClient) -> None:
    assert await _transferred(web, "/") <= 50_000


@pytest.mark.parametrize("path", [STARLETTE, f"{STARLETTE}/-/tree", f"{STARLETTE}/-/dependencies"])
async def test_a_map_is_not_large(web: AsyncClient, path: str) -> None:
    assert await _transferred(web, path) <= 300_000


# Trying a tool.


async def test_a_question_is_answered_as_an_agent_gets_it(web: AsyncClient, port: int) -> None:
    html = (await web.get("/try/symbol?repository=starlette&name=Router.add_route&budget_tokens=600")).text
    async with Client(f"http://127.0.0.1:{port}/mcp") as client:
        arguments = {"repository": "starlette", "name": "Router.add_route", "budget_tokens": 600}
        answer = await client.call_tool("symbol", arguments)
    assert str(escape(answer.content[0].text)) in html
    assert "&#34;method&#34;: &#34;tools/call&#34;" in html
    assert "&#34;budget_tokens&#34;: 600" in html


async def test_a_question_that_cannot_be_answered_is_an_answer_too(web: AsyncClient) -> None:
    for query in ("repository=nothing", "path=x", "repository=starlette&budget_tokens=many", "x=1"):
        found = await web.get(f"/try/overview?{query}")
        assert found.status_code == 200
        assert "isError" in found.text


async def test_a_form_has_every_argument_of_its_tool_filled_with_what_has_an_answer(web: AsyncClient) -> None:
    html = (await web.get("/try/references")).text
    for name in ("repository", "symbol", "direction", "path", "cursor", "budget_tokens"):
        assert f'name="{name}"' in html
    values = dict(re.findall(r'name="(repository|symbol)" value="([^"]+)"', html))
    asked = await web.get("/try/references", params=values)
    assert "isError" not in asked.text


# For programs.


async def test_llms_txt_names_the_endpoint_the_tools_and_the_repositories(web: AsyncClient) -> None:
    text = (await web.get("/llms.txt")).text
    assert text.startswith("# Code Insight MCP\n\n> ")
    for word in ("https://insight.example.invalid/mcp", "`references`: Who uses", f"({ORIGIN}{STARLETTE})"):
        assert word in text


async def test_cards_name_the_server_and_its_address(web: AsyncClient) -> None:
    card, entry = (await web.get("/mcp/server-card")), (await web.get("/server.json"))
    where = (await web.get("/.well-known/ai-catalog.json")).json()["entries"][0]
    assert card.headers["content-type"] == where["type"] == "application/mcp-server-card+json"
    assert card.headers["access-control-allow-origin"] == "*"
    assert where["url"] == f"{ORIGIN}/mcp/server-card"
    for found in (card.json(), entry.json()):
        assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", found["name"])
        assert found["version"] == "1.2.3"
        assert len(found["description"]) <= 100
        assert found["remotes"][0]["url"] == f"{ORIGIN}/mcp"
        for icon in found["icons"]:
            shown = await web.get(icon["src"].removeprefix(ORIGIN))
            assert shown.headers["content-type"] == icon["mimeType"]


async def test_a_page_tells_who_quotes_it_what_it_is(web: AsyncClient) -> None:
    html = (await web.get(STARLETTE)).text
    picture = re.search(r'property="og:image" content="https://insight\.example\.invalid(/static/[^"]+)"', html)
    assert picture is not None
    assert (await web.get(picture[1])).headers["content-type"] == "image/png"
    assert 'property="og:title" content="local/starlette' in html
