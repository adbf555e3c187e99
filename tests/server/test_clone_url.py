"""Which URL is cloned, and from which addresses."""

import socket

import pytest
from code_insight.clone_url import ClonePolicy, CloneUrl, is_public, parse, public_addresses
from code_insight.errors import FetchFailed, UrlRejected

HUB = ClonePolicy(("github.com", "git.example.com:8443"))
ANY_LOCAL = ClonePolicy(("localhost",), private_addresses=True)


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/pallets/flask",
        "https://github.com/pallets/flask.git",
        "https://github.com/pallets/flask/",
        "https://github.com/pallets/flask.git/",
        "https://github.com:443/pallets/flask",
    ],
)
def test_a_repository_has_one_name_however_its_url_is_written(text: str) -> None:
    url = parse(text, HUB)
    assert (url.name, url.url) == ("github.com/pallets/flask", "https://github.com/pallets/flask")


def test_a_port_that_is_not_the_usual_one_belongs_to_the_name() -> None:
    url = parse("https://git.example.com:8443/team/tool.git", HUB)
    assert (url.name, url.url) == ("git.example.com:8443/team/tool", "https://git.example.com:8443/team/tool")


@pytest.mark.parametrize(
    "text",
    [
        "file:///etc",
        "ext::sh -c touch% PWN",
        "http::http://127.0.0.1:9401/r.git",
        "testgit::http://h/r",
        "transport::x",
        "ssh://-oProxyCommand=x/r",
        "ssh://git@github.com/a/b",
        "git@github.com:a/b",
        "git://127.0.0.1/r",
        "ftp://github.com/a/b",
        "javascript:alert(1)",
        "data:text/plain,x",
        "http://github.com/a/b",
        "github.com/a/b",
        "",
    ],
)
def test_only_https_is_cloned(text: str) -> None:
    with pytest.raises(UrlRejected, match="Only https URLs are cloned"):
        parse(text, HUB)


@pytest.mark.parametrize("text", ["--upload-pack=touch PWN", "--config=core.fsmonitor=x", "-https://github.com/a/b"])
def test_a_url_is_never_an_option(text: str) -> None:
    with pytest.raises(UrlRejected, match="dash"):
        parse(text, HUB)


@pytest.mark.parametrize("text", ["https://github.com/-a/b", "https://github.com/a/--upload-pack=x"])
def test_no_part_of_a_path_looks_like_an_option(text: str) -> None:
    with pytest.raises(UrlRejected):
        parse(text, HUB)


@pytest.mark.parametrize("text", ["https://user:SECRET@github.com/a/b", "https://SECRET@github.com/a/b"])
def test_a_url_with_a_secret_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(UrlRejected, match="password or token") as error:
        parse(text, HUB)
    assert "SECRET" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/a/b\nhost=evil",
        "https://github.com/a/b\n",
        "https://github.com/a/b%0ahost=evil",
        "https://github.com/a/b\x00",
        "https://github.com/a/b\x1b[31m",
        "https://github.com/a b",
        "https://github.com/a/b?token=x",
        "https://github.com/a/b#x",
        "https://github.com\\@evil.example/a",
        "https://github.com/ä/b",
        "https://①②⑦.⓪.⓪.①/r",
        "https://github.com:٤٤٣/a/b",
        "https://GITHUB.com/a/b",
        "HTTPS://github.com/a/b",
        "https://",
        "https:///a/b",
        "https://github.com",
        "https://[::1]/r",
        "https://[::ffff:127.0.0.1]/r",
        "https://[fe80::1%25eth0]/r",
        "https://[fdaa::3]/r",
        "https://_api.internal:4280/r",
    ],
)
def test_what_is_not_plain_is_refused(text: str) -> None:
    with pytest.raises(UrlRejected):
        parse(text, HUB)


@pytest.mark.parametrize("path", ["/", "/.git", "/..", "/a/../b", "/a/./b", "/a//b", "/a/.."])
def test_a_path_has_no_empty_and_no_relative_part(path: str) -> None:
    with pytest.raises(UrlRejected):
        parse(f"https://github.com{path}", HUB)


@pytest.mark.parametrize("characters", [500, 1_000_000])
def test_a_long_url_is_refused(characters: int) -> None:
    with pytest.raises(UrlRejected, match="longer than"):
        parse("https://github.com/" + "a" * characters, HUB)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "localhost.",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0",
        "10.0.0.1",
        "169.254.169.254",
        "metadata.google.internal",
        "other-app.internal",
        "app.flycast",
        "github.com.evil.example",
        "evilgithub.com",
        "github.com:22",
        "github.com:99999",
        "git.example.com",
    ],
)
def test_an_unknown_host_is_refused_with_those_that_are_known(host: str) -> None:
    with pytest.raises(UrlRejected, match=r"Hosts it clones from: github\.com, git\.example\.com:8443"):
        parse(f"https://{host}/a/b", HUB)


def test_no_host_is_known_to_a_server_that_clones_nothing() -> None:
    with pytest.raises(UrlRejected, match="none"):
        parse("https://github.com/a/b", ClonePolicy(()))


@pytest.mark.parametrize("address", ["140.82.121.4", "2606:50c0:8000::153"])
def test_public_addresses_are_known(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.19.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fdaa::3",
        "ff02::1",
        "2001:db8::1",
        "3fff::1",
        "5f00::1",
        "fec0::1",
        "::ffff:127.0.0.1",
        "::ffff:140.82.121.4",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::1",
        "not an address",
        "",
    ],
)
def test_addresses_that_are_not_public_are_known(address: str) -> None:
    assert not is_public(address)


def test_a_host_with_a_private_address_is_refused() -> None:
    url = parse("https://localhost/a/b", ClonePolicy(("localhost",)))
    with pytest.raises(UrlRejected, match="not public"):
        public_addresses(url, ClonePolicy(("localhost",)))


def test_a_private_address_is_fine_where_the_operator_says_so() -> None:
    assert "127.0.0.1" in public_addresses(CloneUrl("localhost", 443, "/a"), ANY_LOCAL)


def test_one_private_address_among_public_ones_refuses_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver is ours to play here: nobody's name has such addresses for a test to ask."""
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("140.82.121.4", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: answers)
    with pytest.raises(UrlRejected, match="not public"):
        public_addresses(CloneUrl("github.com", 443, "/a"), HUB)


@pytest.mark.parametrize("host", ["nobody.invalid", "a" * 70 + ".example", ".", "a..b"])
def test_a_host_that_cannot_be_resolved_is_an_error_of_the_fetch(host: str) -> None:
    with pytest.raises(FetchFailed, match="cannot be resolved"):
        public_addresses(CloneUrl(host, 443, "/a"), ANY_LOCAL)
