"""Tokens that say whose they are: which are believed, whose keys say so, and what happens while keys cannot be had."""

import asyncio
import base64
import concurrent.futures
import hashlib
import json
import random
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
import trustme
from code_insight.access import Issuer, TokenRefused
from code_insight.web.guard.jwts import Jwts
from code_insight.web.guard.keys import Keys
from code_insight.web.resource import metadata_url
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

from tests.server.issuer import AUDIENCE, NAME, Key, KeyHost, key_set, part
from tests.server.serving import Server, serving
from tests.server.web.guard.places import wait_until

RSA, PSS, EC, ED = Key("RS256", "rsa"), Key("PS256", "pss"), Key("ES384", "ec"), Key("EdDSA", "ed")
WEAK, STRANGER = Key("RS256", "weak", 1024), Key("RS256", "rsa")
STATIC = "s" * 64
METADATA = "/.well-known/oauth-protected-resource/mcp"
CANARY = "quetzal@example.com"


@dataclass(frozen=True)
class _Place:
    server: Server
    host: KeyHost


def _access(keys: str, *lines: str, anonymous: str = "reads") -> str:
    digest = hashlib.sha256(STATIC.encode()).hexdigest()
    return "\n".join(
        [
            f'anonymous = "{anonymous}"',
            *lines,
            f'[tokens.static]\nsha256 = "{digest}"',
            f'[jwt]\nissuer = "{NAME}"\naudience = "{AUDIENCE}"\nkeys = "{keys}"',
            "[jwt.scopes.add_repository]\nadds = true",
        ]
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Place]:
    """A server that answers nobody without a token, and the host of its issuer's keys."""
    folder = tmp_path_factory.mktemp("jwts")
    with KeyHost(RSA, PSS, EC, ED, WEAK) as host:
        (folder / "access.toml").write_text(_access(host.url(), anonymous="nothing"))
        settings = {"LOCAL_FOLDERS": str(folder), "CLIENT_REQUESTS_PER_MINUTE": "0"}
        with serving(folder, ACCESS_FILE=f"{folder}/access.toml", **settings) as server:
            server.wait_until_ready()
            yield _Place(server, host)


def _get(server: Server, token: str = "", path: str = "/llms.txt") -> tuple[int, str, dict[str, str]]:
    return server.ask(path, **({"Authorization": f"Bearer {token}"} if token else {}))


def _client(server: Server, token: str, era: str = "2026-07-28") -> Client[Any]:
    headers = {"Authorization": f"Bearer {token}"}
    return Client(StreamableHttpTransport(f"http://127.0.0.1:{server.port}/mcp", headers=headers), mode=era)


def _name(subject: str) -> str:
    return f"sub:{hashlib.sha256(subject.encode()).hexdigest()[:16]}"


# Tokens.


@pytest.mark.parametrize("era", ["legacy", "2026-07-28"])
@pytest.mark.parametrize("key", [RSA, PSS, EC, ED], ids=lambda key: key.algorithm)
async def test_who_has_a_token_of_the_issuer_is_answered(place: _Place, key: Key, era: str) -> None:
    async with _client(place.server, key.token(), era) as client:
        assert not (await client.call_tool("list_repositories", {})).is_error


@pytest.mark.parametrize(
    "make",
    [
        lambda: RSA.token(aud=["https://other.example.com", AUDIENCE]),
        lambda: RSA.token(exp=int(time.time()) - 10),  # clocks differ
        lambda: RSA.token(nbf=int(time.time()) + 10),
        lambda: RSA.token(nbf=1),
        lambda: RSA.token(scope=["no", "text"]),
        lambda: RSA.token(scope=7, scp={"add_repository": True}),
        lambda: RSA.token(groups=["a" * 5_000]),
        lambda: ED.token(header={"kid": None}),  # there is one key of this algorithm
    ],
)
def test_what_is_unusual_and_allowed_is_believed(place: _Place, make: Callable[[], str]) -> None:
    assert _get(place.server, make())[0] == 200


def _signed_with(secret: bytes, algorithm: str = "HS256") -> str:
    """A token that is signed with a text that everybody knows, as if it were a secret."""
    import hmac

    said = json.loads(base64.urlsafe_b64decode(RSA.token().split(".")[1] + "=="))
    signed = f"{part({'alg': algorithm, 'typ': 'JWT', 'kid': 'rsa'})}.{part(said)}"
    signature = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _altered() -> str:
    header, said, signature = RSA.token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(said + "=="))
    return f"{header}.{part({**claims, 'scope': 'add_repository'})}.{signature}"


def _unsigned(algorithm: str) -> str:
    return f"{part({'alg': algorithm, 'kid': 'rsa'})}.{RSA.token().split('.')[1]}."


OTHER_ISSUER, OTHER_AUDIENCE, MISSING = "is from another issuer", "is for another audience", "lacks one of"
FORGED = "is not signed by its issuer"
NO_KEY, UNKNOWN = "is signed with a key that its issuer does not have", "is not known here"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: RSA.token(iss="https://login.example.com"), OTHER_ISSUER),
        (lambda: RSA.token(iss=["https://login.example.com/"]), OTHER_ISSUER),
        (lambda: RSA.token(iss=None), MISSING),
        (lambda: RSA.token(aud="https://other.example.com/mcp"), OTHER_AUDIENCE),
        (lambda: RSA.token(aud=AUDIENCE + "/"), OTHER_AUDIENCE),
        (lambda: RSA.token(aud=[]), MISSING),
        (lambda: RSA.token(aud=None), MISSING),
        (lambda: RSA.token(exp=int(time.time()) - 60), "has expired"),
        (lambda: RSA.token(exp=None), MISSING),
        (lambda: RSA.token(exp="never"), UNKNOWN),
        (lambda: RSA.token(nbf=int(time.time()) + 60), "is not valid yet"),
        (lambda: RSA.token(iat=int(time.time()) + 60), "is not valid yet"),
        (lambda: RSA.token(sub=None), MISSING),
        (lambda: STRANGER.token(), FORGED),
        (lambda: STRANGER.token(header={"jwk": STRANGER.public}), FORGED),
        (lambda: STRANGER.token(header={"jku": "http://127.0.0.1:9/keys"}), FORGED),
        (lambda: RSA.token(header={"crit": ["exp"]}), UNKNOWN),
        (lambda: RSA.token(header={"kid": "../../dev/null"}), NO_KEY),
        (lambda: RSA.token(header={"kid": "ec"}), NO_KEY),
        (lambda: RSA.token(header={"kid": None}), NO_KEY),  # one of two
        (lambda: WEAK.token(), "is signed with a key that is too short"),
        (_altered, FORGED),
        (lambda: _unsigned("none"), UNKNOWN),
        (lambda: _unsigned("None"), UNKNOWN),
        (lambda: _unsigned("RS256"), FORGED),
        (lambda: _signed_with(RSA.public_pem), UNKNOWN),
        (lambda: _signed_with(json.dumps(RSA.public).encode()), UNKNOWN),
        (lambda: _signed_with(RSA.public_pem, "RS256"), FORGED),
        (lambda: RSA.token()[:-6], FORGED),
        (lambda: RSA.token() + ".e30", UNKNOWN),
        (lambda: f"{part({'alg': ['RS256']})}.e30.e30", UNKNOWN),
        (lambda: f"{part({'alg': 'RS256', 'kid': {}})}.e30.e30", UNKNOWN),
        (lambda: base64.urlsafe_b64encode(b"[" * 9_000).decode() + ".e30.e30", UNKNOWN),
        (lambda: RSA.token(groups=["a" * 9_000]), UNKNOWN),
        (lambda: "a.b.c", UNKNOWN),
        (lambda: "..", UNKNOWN),
    ],
)
async def test_any_other_token_is_refused_and_its_client_hears_why(
    place: _Place, make: Callable[[], str], why: str
) -> None:
    token = make()
    status, text, headers = _get(place.server, token)
    assert (status, f"That token {why}" in text) == (401, True), text
    challenge = headers["www-authenticate"]
    assert challenge.startswith('Bearer error="invalid_token", ')
    assert f'error_description="That token {why}' in challenge
    assert challenge.endswith(f'resource_metadata="https://insight.example.com{METADATA}"')
    with pytest.raises(Exception, match=f"That token {why}"):
        async with _client(place.server, token) as client:
            await client.list_tools()


def test_a_thousand_broken_tokens_are_refused_one_by_one() -> None:
    """Whatever a library finds in them, it is a refusal and no defect."""
    with KeyHost(RSA) as host:
        jwts = Jwts(Issuer(NAME, AUDIENCE, host.url()))
        asyncio.run(jwts.renew_keys())
        chosen = random.Random(7)
        good = RSA.token()
        assert jwts.principal(good).name == _name("alice@example.com")
        for _ in range(1_000):
            broken = list(good)
            for _ in range(chosen.randint(1, 4)):
                at = chosen.randrange(len(broken))
                broken[at : at + chosen.randint(0, 3)] = chosen.choice([".", "=", "A", "_", "\x00", "é", "..", "eyJ9"])
            if "".join(broken) != good:
                with pytest.raises(TokenRefused):
                    jwts.principal("".join(broken))


async def test_nothing_of_a_token_is_written_down_but_which_subject_of_all_it_was(place: _Place) -> None:
    tokens = [RSA.token(CANARY), RSA.token(CANARY, exp=1), STRANGER.token(CANARY), RSA.token(CANARY, aud=CANARY)]
    for token in tokens:
        _get(place.server, token, f"/?access_token={token}")
    async with _client(place.server, tokens[0]) as client:
        await client.call_tool("search", {"query": "x", "repository": "nothing"}, raise_on_error=False)
    wait_until(lambda: f"client=token {_name(CANARY)}" in place.server.log.read_text())
    log = place.server.log.read_text()
    assert "A token has expired" in log
    assert "A token is for another audience" in log
    assert CANARY not in log
    assert not [piece for token in tokens for piece in token.split(".") if piece in log]


@pytest.mark.parametrize(
    ("scope", "code"), [(None, "forbidden"), ("read other", "forbidden"), ("x add_repository", None)]
)
@pytest.mark.parametrize("claim", ["scope", "scp"])
async def test_a_scope_says_who_may_add(place: _Place, scope: str | None, code: str | None, claim: str) -> None:
    said: dict[str, Any] = {claim: scope.split() if scope and claim == "scp" else scope}
    async with _client(place.server, RSA.token(**said)) as client:
        asked = {"url": str(place.server.folder / "nothing")}
        added = await client.call_tool("add_repository", asked, raise_on_error=False)
        assert (added.structured_content or {}).get("error", {}).get("code") == (code or "not_found")


def test_a_subject_is_one_client_for_the_limits_whatever_tokens_it_has(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(key_set(RSA))
    (tmp_path / "access.toml").write_text(_access(f"{tmp_path}/keys.json"))
    settings = {"ACCESS_FILE": f"{tmp_path}/access.toml", "CLIENT_REQUESTS_PER_MINUTE": "3"}
    with serving(tmp_path, **settings) as server:
        server.info()
        asked = [_get(server, RSA.token("one", jti=str(number)), "/info")[0] for number in range(4)]
        assert asked == [200, 200, 200, 429]
        assert _get(server, RSA.token("two"), "/info")[0] == 200


# What a client is told.


def test_who_has_no_token_learns_where_they_are_issued(place: _Place) -> None:
    status, _, headers = _get(place.server)
    challenge = f'Bearer resource_metadata="https://insight.example.com{METADATA}"'
    assert (status, headers["www-authenticate"]) == (401, challenge)
    status, text, headers = _get(place.server, path=METADATA)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(text) == {
        "resource": AUDIENCE,
        "authorization_servers": [NAME],
        "bearer_methods_supported": ["header"],
    }
    assert _get(place.server, path="/info")[0] == 200


@pytest.mark.parametrize(
    ("audience", "url"),
    [
        ("https://insight.example.com", "https://insight.example.com/.well-known/oauth-protected-resource"),
        ("https://insight.example.com/", "https://insight.example.com/.well-known/oauth-protected-resource"),
        ("https://a.example:8443/x/mcp", "https://a.example:8443/.well-known/oauth-protected-resource/x/mcp"),
        ("http://insight.example.com/mcp", ""),
        ("api://0f3c9d", ""),
        ("insight", ""),
        ("https://[", ""),
        ('https://a.example/"\r\n', ""),
        ("https://a.example/{rest}", ""),
    ],
)
def test_where_tokens_are_issued_stands_at_a_place_that_follows_from_the_audience(audience: str, url: str) -> None:
    assert metadata_url(Issuer(NAME, audience, "")) == url


def test_a_static_token_is_still_a_token(place: _Place) -> None:
    assert _get(place.server, STATIC)[0] == 200
    wait_until(lambda: "client=token static" in place.server.log.read_text())  # a line is written after the answer


# Keys.


class _Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def test_a_new_key_is_asked_for_when_a_token_names_it_and_not_too_often() -> None:
    old, new = Key("ES256", "old"), Key("ES256", "new")
    with KeyHost(old) as host:
        clock = _Clock()
        keys = Keys(host.url(), clock=clock)
        await asyncio.gather(*(keys.renew() for _ in range(20)))
        assert host.asked == ["/keys"]
        host.keys = (new,)
        for _ in range(100):
            await keys.renew()
        assert keys.of("ES256", "old")
        assert not keys.of("ES256", "new")
        assert host.asked == ["/keys"]
        clock.now += 10
        await keys.renew()
        assert keys.of("ES256", "new")
        assert not keys.of("ES256", "old")
        assert host.asked == ["/keys"] * 2


async def test_keys_are_asked_for_again_while_they_are_used_and_die_when_nobody_confirms_them() -> None:
    key = Key("ES256", "key")
    with KeyHost(key) as host:
        clock = _Clock()
        keys = Keys(host.url("moody"), clock=clock)
        await keys.renew()
        host.is_well = False
        for _ in range(5):
            clock.now += 601
            keys.renew_if_old()
            await keys.renew()
            assert keys.of("ES256", "key")
        assert len(host.asked) == 6
        clock.now += 601
        assert not keys.of("ES256", "key")
        assert not keys.are_known
        host.is_well = True
        await keys.renew()
        assert keys.of("ES256", "key")


async def test_an_issuer_without_manners_costs_seconds_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    manners = ("redirect", "failing", "page", "huge", "packed", "hang", "drip")
    with KeyHost(RSA) as host:
        asked = [Keys(host.url(manner)) for manner in manners]
        with KeyHost() as closed:
            asked.append(Keys(closed.url()))
        began = time.monotonic()
        await asyncio.gather(*(keys.renew() for keys in asked))
        assert time.monotonic() - began < 8
        assert not [keys for keys in asked if keys.are_known or keys.of("RS256", "rsa")]
        assert all(1 <= keys.retry_seconds <= 10 for keys in asked)
        assert sorted(host.asked) == sorted(f"/{manner}" for manner in manners)
    assert len(caplog.messages) == len(asked)
    assert {message.partition(": ")[0] for message in caplog.messages} == {"The keys of tokens cannot be had"}


async def test_keys_are_had_over_https_from_whom_the_operator_trusts(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    with KeyHost(RSA, tls=tls) as host:
        trusting, other = Keys(host.url(), str(tmp_path / "ca.pem")), Keys(host.url())
        await asyncio.gather(trusting.renew(), other.renew())
    assert trusting.of("RS256", "rsa")
    assert not other.are_known
    assert "CERTIFICATE_VERIFY_FAILED" in other.problem


def test_a_key_that_is_none_for_signatures_is_passed_over(tmp_path: Path) -> None:
    secret = {"kty": "oct", "k": base64.urlsafe_b64encode(b"k" * 64).decode(), "kid": "secret", "alg": "HS256"}
    private = {**jwt.get_algorithm_by_name("RS256").to_jwk(RSA.private, as_dict=True), "kid": "private"}
    useless = [secret, private, {**RSA.public, "use": "enc"}, {**RSA.public, "alg": "HS256"}, {"kty": "RSA"}, 7, None]
    useless += [{**RSA.public, "alg": ["RS256"]}, {**EC.public, "crv": "P-1"}, {**ED.public, "x": 3}]
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": useless}))
    with pytest.raises(ValueError, match="no JSON Web Key Set with a public key"):
        Keys(str(path))
    path.write_text(json.dumps({"keys": [*useless, EC.public]}))
    keys = Keys(str(path))
    assert keys.of("ES384", "ec")
    assert not keys.of("HS256", "secret")
    assert not keys.of("RS256", "private")
    assert not keys.may_renew


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("http://login.example.com/keys", "an https URL without a password is expected"),
        ("https://user:CANARY@login.example.com/keys", "an https URL without a password is expected"),
        ("https://login.example.com:99999/keys", "an https URL without a password is expected"),
        ("https:///keys", "an https URL without a password is expected"),
        ("https://[::1/keys", "an https URL without a password is expected"),
        ("file:///etc/passwd", "an https URL without a password is expected"),
        ("/nonexistent/keys.json", "No such file or directory"),
        ("access.toml", "no JSON Web Key Set"),
    ],
)
def test_keys_that_cannot_be_end_the_server_at_once(tmp_path: Path, keys: str, problem: str) -> None:
    where = f"{tmp_path}/{keys}" if keys == "access.toml" else keys
    (tmp_path / "access.toml").write_text(_access(where))
    with serving(tmp_path, ACCESS_FILE=f"{tmp_path}/access.toml") as server:
        assert server.process.wait(20) == 2
    log = server.log.read_text()
    assert "jwt.keys: " in log
    assert problem in log
    assert "CANARY" not in log


async def test_while_keys_cannot_be_had_tokens_are_refused_and_others_answered_and_new_keys_are_found(
    tmp_path: Path,
) -> None:
    with KeyHost(RSA) as host:
        host.is_well = False
        (tmp_path / "access.toml").write_text(_access(host.url("moody")))
        with serving(tmp_path, ACCESS_FILE=f"{tmp_path}/access.toml") as server:
            server.wait_until_ready()
            token = RSA.token()
            status, text, headers = _get(server, token)
            assert (status, "its issuer's keys cannot be had" in text) == (401, True)
            assert 1 <= int(headers["retry-after"]) <= 10
            assert 'error="invalid_token"' in headers["www-authenticate"]
            assert (_get(server)[0], _get(server, STATIC)[0]) == (200, 200)
            assert "The keys of tokens cannot be had: ValueError: the answer is 503" in server.log.read_text()
            host.is_well = True
            deadline = time.monotonic() + 20
            while _get(server, token)[0] == 401:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            async with _client(server, token) as client:
                assert not (await client.call_tool("list_repositories", {})).is_error
            host.keys = (EC,)
            rotated = EC.token()
            while _get(server, rotated)[0] == 401:
                assert time.monotonic() < deadline + 20
                time.sleep(0.2)
            async with _client(server, rotated) as client:
                assert not (await client.call_tool("list_repositories", {})).is_error
            assert _get(server, token)[0] == 401


def test_who_waits_for_keys_locks_nobody_out(tmp_path: Path) -> None:
    with KeyHost(RSA) as host, concurrent.futures.ThreadPoolExecutor(8) as pool:
        (tmp_path / "access.toml").write_text(_access(host.url("hang")))
        settings = {"ACCESS_FILE": f"{tmp_path}/access.toml", "CLIENT_REQUESTS_AT_ONCE": "2"}
        with serving(tmp_path, **settings) as server:
            server.wait_until_ready()
            waiting = [pool.submit(_get, server, RSA.token(header={"kid": str(number)})) for number in range(8)]
            deadline = time.monotonic() + 10
            while not host.asked:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            began = time.monotonic()
            assert _get(server, STATIC)[0] == 200
            assert time.monotonic() - began < 2
            assert sorted(answer.result(20)[0] for answer in waiting) == [401] * 2 + [429] * 6
            assert host.asked == ["/hang"]
