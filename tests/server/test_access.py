"""Who may ask, add and see; and that nothing shows one client what another may not see."""

import hashlib
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from code_insight import access
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from mcp_types import ResourceTemplateReference

from tests.server.issuer import AUDIENCE, NAME, Key, key_set
from tests.server.places import Repository
from tests.server.serving import Server, serving

CANARY = "quetzal"  # in every name and text of what is hidden, and nowhere else
KEY = Key("EdDSA", "key")
TOKENS = {
    "alice": "a" * 64,
    "bob": "b" * 64,
    "carol": "c" * 64,
    "dave": KEY.token("dave", scope="insight:team"),  # an issuer's; with the scope, he sees what alice sees
    "erin": KEY.token("erin", scope="add_repository other"),
    "frank": KEY.token("frank", scope=f"local/{CANARY}*", sees=[f"local/{CANARY}*"]),
}
SEE_NOTHING_HIDDEN = ["", "bob", "carol", "erin", "frank"]
ERAS = ("legacy", "2026-07-28")


def _digest(name: str) -> str:
    return hashlib.sha256(TOKENS[name].encode()).hexdigest()


FILE = f"""
anonymous = "reads"
hidden = ["local/{CANARY}*"]
[tokens.alice]
sha256 = "{_digest("alice")}"
sees = ["local/{CANARY}*"]
[tokens.bob]
sha256 = "{_digest("bob")}"
adds = true
[tokens.carol]
sha256 = "{_digest("carol")}"
sees = ["local/other*"]
[jwt]
issuer = "{NAME}"
audience = "{AUDIENCE}"
keys = "@KEYS"
[jwt.scopes.add_repository]
adds = true
[jwt.scopes."insight:team"]
sees = ["local/{CANARY}*"]
"""


# The file.


def test_a_file_says_who_may_what() -> None:
    everybody = access.parse(FILE)
    alice, bob = everybody.of(TOKENS["alice"]), everybody.of(TOKENS["bob"])
    assert alice
    assert bob
    assert (everybody.anonymous.may_ask, everybody.anonymous.may_add) == (True, False)
    assert (alice.name, alice.may_add, alice.may_see(f"local/{CANARY}")) == ("alice", False, True)
    assert (bob.name, bob.may_add, bob.may_see(f"local/{CANARY}")) == ("bob", True, False)
    assert bob.may_see("github.com/pallets/flask")
    assert everybody.of("") is everybody.of("A" * 64) is everybody.of("\udcff") is None


def test_the_scopes_of_an_issuers_token_allow_together_what_the_file_says_of_each() -> None:
    issuer = access.parse(FILE).issuer
    assert issuer
    both = issuer.principal("dave", ["insight:team", "add_repository", "unknown"])
    neither = issuer.principal("dave", [])
    assert (both.may_add, both.may_see(f"local/{CANARY}")) == (True, True)
    assert (neither.may_ask, neither.may_add, neither.may_see(f"local/{CANARY}")) == (True, False, False)
    assert both.name == neither.name != issuer.principal("erin", []).name


@pytest.mark.parametrize(
    ("text", "may"), [("nothing", (False, False)), ("reads", (True, False)), ("adds", (True, True))]
)
def test_who_has_no_token_may_what_the_file_says(text: str, may: tuple[bool, bool]) -> None:
    anonymous = access.parse(f'anonymous = "{text}"').anonymous
    assert (anonymous.may_ask, anonymous.may_add) == may


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "public = []",
        "jwt = 1",
        "[jwt]",
        '[jwt]\nissuer = "i"\naudience = ["a"]\nkeys = "k"',
        '[jwt]\nissuer = "i"\naudience = "a"\nkeys = "k"\nalgorithms = ["none"]',
        '[jwt]\nissuer = "i"\naudience = "a"\nkeys = "k"\nscopes = ["add"]',
        '[jwt]\nissuer = "i"\naudience = "a"\nkeys = "k"\n[jwt.scopes.add]\nadds = 1',
        '[jwt]\nissuer = "i"\naudience = "a"\nkeys = "k"\n[jwt.scopes.add]\nsha256 = "a"',
        'anonymous = "writes"',
        'hidden = "local/*"',
        "hidden = [1]",
        "tokens = 1",
        "tokens.a = 1",
        "[tokens.a]",
        '[tokens.a]\nsha256 = "abc"',
        f'[tokens.a]\nsha256 = "{"A" * 64}"',
        f'[tokens.a]\nsha256 = "{"a" * 64}"\nadds = "yes"',
        f'[tokens.a]\nsha256 = "{"a" * 64}"\nseas = []',
    ],
)
def test_a_file_that_is_wrong_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        access.parse(text)


def test_a_file_that_is_wrong_ends_the_server(tmp_path: Path) -> None:
    (tmp_path / "access.toml").write_text("tokens = 1")
    with serving(tmp_path, ACCESS_FILE=str(tmp_path / "access.toml")) as server:
        assert server.process.wait(20) == 2
    assert "tokens: a table is expected" in server.log.read_text()


# A server with a repository that everybody sees, and one that is hidden.


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("access")
    files = {f"src/{CANARY}.py": f"def {CANARY}_work():\n    return {CANARY}_work()\n", "README.md": f"# {CANARY}\n"}
    Repository(folder / CANARY).commit(files, f"{CANARY} subject")
    Repository(folder / "seen").commit({"src/app.py": "def work():\n    return work()\n", "README.md": "# Seen\n"})
    Repository(folder / "more").commit({"a.py": "x = 1\n"})
    (folder / "keys.json").write_bytes(key_set(KEY))
    (folder / "access.toml").write_text(FILE.replace("@KEYS", f"{folder}/keys.json"))
    settings = {"LOCAL_FOLDERS": str(folder), "CLIENT_REQUESTS_PER_MINUTE": "0"}
    repositories = f"{folder}/{CANARY} {folder}/seen"
    with serving(folder, REPOSITORIES=repositories, ACCESS_FILE=f"{folder}/access.toml", **settings) as made:
        made.wait_until_ready()
        yield made


def _get(server: Server, path: str, who: str = "", **headers: str) -> tuple[int, str, dict[str, str]]:
    token = {"Authorization": f"Bearer {TOKENS.get(who, who)}"} if who else {}
    return server.ask(path, **headers, **token)


def _client(server: Server, who: str, era: str) -> Client[Any]:
    headers = {"Authorization": f"Bearer {TOKENS[who]}"} if who else {}
    return Client(StreamableHttpTransport(f"http://127.0.0.1:{server.port}/mcp", headers=headers), mode=era)


def _questions(name: str) -> list[tuple[str, dict[str, Any]]]:
    """Every tool, asked about one repository in each way in which it can be named."""
    ways = (name, f"local/{name}", f"{name}@main", f"local/{name}@HEAD")
    asked: list[tuple[str, dict[str, Any]]] = []
    for way in ways:
        asked += [
            ("overview", {"repository": way}),
            ("read", {"repository": way, "path": "README.md"}),
            ("search", {"repository": way, "query": "work"}),
            ("outline", {"repository": way}),
            ("symbol", {"repository": way, "name": "work"}),
            ("references", {"repository": way, "symbol": "work"}),
            ("dependencies", {"repository": way}),
            ("history", {"repository": way}),
            ("context", {"repository": way, "task": "work"}),
            ("impact", {"repository": way, "symbol": "work"}),
        ]
    return asked


def _pages(name: str) -> list[str]:
    home = f"/repositories/local/{name}"
    views = ["tree", "file/README.md", "symbol/?name=work", "dependencies", "commits", "skipped", "search?q=work"]
    return [
        home,
        f"{home}@main",
        *(f"{home}/-/{view}" for view in views),
        f"/try/overview?repository={name}",
        f"/try/search?query=work&repository=local/{name}",
    ]


@pytest.mark.parametrize("who", SEE_NOTHING_HIDDEN)
@pytest.mark.parametrize("era", ERAS)
async def test_a_hidden_repository_is_answered_as_one_that_there_is_not(server: Server, who: str, era: str) -> None:
    async with _client(server, who, era) as client:
        for (tool, about), (_, about_nothing) in zip(_questions(CANARY), _questions("nothing"), strict=True):
            hidden = await client.call_tool(tool, about, raise_on_error=False)
            nothing = await client.call_tool(tool, about_nothing, raise_on_error=False)
            assert hidden.is_error
            assert hidden.content[0].text.replace(CANARY, "nothing") == nothing.content[0].text


@pytest.mark.parametrize("who", SEE_NOTHING_HIDDEN)
@pytest.mark.parametrize("era", ERAS)
async def test_no_list_and_no_search_names_what_is_hidden(server: Server, who: str, era: str) -> None:
    async with _client(server, who, era) as client:
        seen = [await client.call_tool("list_repositories", {})]
        for query in ("work", "return", "def", "README", "main"):
            for kind in ("auto", "text", "regex", "symbol"):
                asked = {"query": query, "kind": kind}
                seen.append(await client.call_tool("search", asked, raise_on_error=False))
        everything = json.dumps([[r.content[0].text, r.structured_content] for r in seen])
        everything += str(await client.list_tools()) + str(await client.list_resources())
        everything += str(await client.list_resource_templates()) + str(await client.list_prompts())
    assert "local/seen" in everything
    assert CANARY not in everything


@pytest.mark.parametrize("who", SEE_NOTHING_HIDDEN)
@pytest.mark.parametrize("era", ERAS)
async def test_no_resource_and_no_completion_tells_that_something_is_hidden(server: Server, who: str, era: str) -> None:
    reference = ResourceTemplateReference(type="ref/resource", uri="insight://{repository}")
    file = ResourceTemplateReference(type="ref/resource", uri="insight://{repository}/{path*}")
    async with _client(server, who, era) as client:
        for uri in ("insight://{}", "insight://local%2F{}", "insight://{}/README.md", "insight://local%2F{}/src/x.py"):
            said = []
            for name in (CANARY, "nothing"):
                with pytest.raises(Exception, match=r".") as refused:
                    await client.read_resource(uri.format(name))
                said.append(str(refused.value).replace(CANARY, "nothing"))
            assert said[0] == said[1]
        seen = []
        for value in ("", "l", CANARY[:3], CANARY):
            seen.append(await client.complete(reference, {"name": "repository", "value": value}))
            given = {"repository": f"local/{CANARY}"}
            seen.append(await client.complete(file, {"name": "path", "value": value}, given))
        assert CANARY not in str(seen)
        assert "local/seen" in str(seen)
    async with _client(server, "alice", era) as client:
        completed = await client.complete(reference, {"name": "repository", "value": CANARY[:3]})
        assert completed.values == [f"local/{CANARY}"]
        assert CANARY in str(await client.read_resource(f"insight://{CANARY}/README.md"))


@pytest.mark.parametrize("who", SEE_NOTHING_HIDDEN)
def test_no_page_tells_that_something_is_hidden_even_when_others_just_saw_it(server: Server, who: str) -> None:
    shown = 0
    for page, nothing in zip(_pages(CANARY), _pages("nothing"), strict=True):
        status, text, headers = _get(server, page, "alice")
        shown += status == 200 and CANARY in text
        assert headers["cache-control"] == "private, no-store"
        plain = _get(server, page, who)
        known = _get(server, page, who, If_None_Match=headers.get("etag", "x"))
        missing = _get(server, nothing, who)
        for found in (plain, known):
            assert found[0] == missing[0]
            texts = [re.sub(r"\d+ ms", "", text) for text in (found[1].replace(CANARY, "nothing"), missing[1])]
            assert texts[0] == texts[1], page
    assert shown >= 7


@pytest.mark.parametrize("who", SEE_NOTHING_HIDDEN)
def test_no_page_that_can_be_reached_names_what_is_hidden(server: Server, who: str) -> None:
    _get(server, "/", "alice")
    to_see = ["/", "/info", "/llms.txt", "/server.json", "/robots.txt", "/mcp/server-card", "/try/overview"]
    seen: set[str] = set()
    while to_see:
        page = to_see.pop()
        if page in seen or page.startswith("/static/") or len(seen) > 200:
            continue
        seen.add(page)
        _, text, _ = _get(server, page, who)
        assert CANARY not in text, page
        to_see += [link.replace("&amp;", "&") for link in re.findall(r'href="(/[^"#]*)', text)]
    assert "/repositories/local/seen" in seen


@pytest.mark.parametrize("who", ["alice", "dave"])
async def test_who_may_see_it_sees_it_everywhere(server: Server, who: str) -> None:
    for era in ERAS:
        async with _client(server, who, era) as client:
            listed = await client.call_tool("list_repositories", {})
            assert {f"local/{CANARY}", "local/seen"} <= set(re.findall(r"local/\w+", listed.content[0].text))
            for tool, about in _questions(CANARY)[:10]:
                asked = {key: value.replace("work", f"{CANARY}_work") for key, value in about.items()}
                assert not (await client.call_tool(tool, asked, raise_on_error=False)).is_error, tool
    for page in ("/", "/info", "/llms.txt"):
        assert CANARY in _get(server, page, who)[1]


# Adding.


@pytest.mark.parametrize(
    ("who", "code"), [("", "forbidden"), ("alice", "forbidden"), ("bob", None), ("dave", "forbidden"), ("erin", None)]
)
async def test_who_may_add_adds(server: Server, who: str, code: str | None) -> None:
    for era in ERAS:
        async with _client(server, who, era) as client:
            url = str(server.folder / "more")
            added = await client.call_tool("add_repository", {"url": url}, raise_on_error=False)
            assert (added.structured_content or {}).get("error", {}).get("code") == code


@pytest.mark.parametrize("who", ["bob", "erin"])
async def test_who_adds_what_is_hidden_hears_that_there_is_none(server: Server, who: str) -> None:
    async with _client(server, who, ERAS[1]) as client:
        answers = []
        for name in (CANARY, f"{CANARY}s"):
            asked = {"url": str(server.folder / name)}
            answers.append((await client.call_tool("add_repository", asked, raise_on_error=False)).content[0].text)
    assert answers[0] == answers[1].replace(f"{CANARY}s", CANARY)
    assert "There is no folder" in answers[0]


# Tokens.


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("", 200),
        (f"Bearer {TOKENS['bob']}", 200),
        (f"bearer {TOKENS['bob']}", 200),
        (f"Bearer {TOKENS['bob']}x", 401),
        ("Bearer ", 401),
        ("Bearer", 401),
        (f"Basic {TOKENS['bob']}", 401),
        (TOKENS["bob"], 401),
        (f"Bearer {_digest('bob')}", 401),
    ],
)
@pytest.mark.parametrize("path", ["/", "/info", "/static/style.css"])
def test_a_token_is_known_or_refused(server: Server, sent: str, status: int, path: str) -> None:
    found, _, headers = _get(server, path, **({"Authorization": sent} if sent else {}))
    assert found == status
    why = 'error_description="That token is not known here."'
    where = 'resource_metadata="https://insight.example.com/.well-known/oauth-protected-resource/mcp"'
    challenge = f'Bearer error="invalid_token", {why}, {where}'
    assert headers.get("www-authenticate") == (challenge if status == 401 else None)


def test_a_token_in_a_url_does_nothing(server: Server) -> None:
    assert CANARY not in _get(server, f"/?access_token={TOKENS['alice']}&token={TOKENS['alice']}")[1]


def test_no_token_is_ever_written_down(server: Server) -> None:
    _get(server, f"/?access_token={TOKENS['alice']}", "alice")
    log = server.log.read_text()
    assert "client=token alice" in log
    assert not [name for name, token in TOKENS.items() if token in log or _digest(name) in log]


def test_a_server_that_answers_only_tokens_still_says_that_it_lives(tmp_path: Path) -> None:
    (tmp_path / "access.toml").write_text(f'anonymous = "nothing"\n[tokens.bob]\nsha256 = "{_digest("bob")}"\n')
    Repository(tmp_path / "seen").commit({"a.py": "x = 1\n"})
    with serving(tmp_path, str(tmp_path / "seen"), ACCESS_FILE=str(tmp_path / "access.toml")) as server:
        server.wait_until_ready()
        assert [_get(server, path)[0] for path in ("/", "/mcp", "/llms.txt", "/static/style.css")] == [401] * 4
        status, text, _ = _get(server, "/info")
        assert (status, json.loads(text)["ready"], "local/seen" in text) == (200, True, False)
        assert "local/seen" in _get(server, "/info", "bob")[1]
        assert _get(server, "/", "bob")[0] == 200
        assert _get(server, "/")[2]["www-authenticate"] == "Bearer"
        assert _get(server, "/.well-known/oauth-protected-resource/mcp")[0] == 401
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(b"GET http://localhost HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 401 ")
