"""What has the form of a credential is written over, and nothing else; if it is asked for, no answer has it."""

import random
import string
from pathlib import Path

import pytest
from code_insight.redaction import redacted
from code_insight.store import Reader
from fastmcp import Client

from tests.server.places import Repository, catalog_at
from tests.server.serving import serving

CHANCE = random.Random(7)


def some(count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(CHANCE.choice(alphabet) for _ in range(count))


# Made here: what stands in a file would be one.
KEY = "\n".join(some(64) for _ in range(6))
SECRETS = {
    "GitHub": ("ghp_", some(36)),
    "GitHub, fine-grained": ("github_pat_", some(22) + "_" + some(59)),
    "GitLab": ("glpat-", some(20)),
    "AWS": ("AKIA", some(16, string.ascii_uppercase)),
    "AWS, secret": ('aws_secret_access_key = "', some(40)),
    "Slack": ("xoxb-", some(12, string.digits) + "-" + some(24)),
    "Stripe": ("sk_live_", some(24)),
    "Google": ("AIza", some(35)),
    "npm": ("npm_", some(36)),
    "PyPI": ("pypi-", "AgE" + some(80)),
    "Anthropic": ("sk-ant-", some(90)),
    "Fly": ("fm2_", some(120)),
    "a password in a URL": ("postgres://app:", some(12) + "@db.example.com/app"),
    "a private key": ("-----BEGIN RSA PRIVATE KEY-----\n", KEY + "\n-----END RSA PRIVATE KEY-----"),
}
INNOCENT = """\
sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 AKIA ghp_short sk-loading-container-of-the-page
https://user@example.com/a:b@c http://localhost:8080/ git@github.com:a/b.git f"https://{user}:{password}@host"
npm_config_cache
-----BEGIN PRIVATE KEY----- is how it begins. -----BEGIN CERTIFICATE-----
ありがとう \u202e \U0001f600 class Ghp_: pass
"""


def secret_of(name: str) -> str:
    return SECRETS[name][1].split("@")[0].partition("\n-----END")[0]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_written_over_where_it_stands(name: str) -> None:
    before, after = "ありがとう\nTOKEN = '", "'\nmore = 1\n"
    text = before + "".join(SECRETS[name]) + after
    clean = redacted(text)
    assert not any(line in clean for line in secret_of(name).split("\n"))
    assert clean.startswith(before + SECRETS[name][0])
    assert clean.endswith(after)
    assert [len(line) for line in clean.split("\n")] == [len(line) for line in text.split("\n")]


def test_nothing_else_is_touched() -> None:
    assert redacted(INNOCENT) == INNOCENT
    assert redacted("\udc80") == "\udc80"
    assert redacted("") == ""


async def test_no_answer_and_no_file_has_a_secret_that_was_committed(tmp_path: Path) -> None:
    token = "".join(SECRETS["GitHub"])
    repository = Repository(tmp_path / "flask")
    repository.commit({"app.py": f"'''Uses {token}.'''\n\nTOKEN = '{token}'\n\ndef use(token='{token}'):\n    pass\n"})
    repository.commit(
        {"key.pem": "".join(SECRETS["a private key"]), "README.md": f"# App\n\n{token}\n"}, f"add {token}"
    )
    secrets = [secret_of("GitHub"), *KEY.split("\n")]
    asked = [
        ("overview", {}),
        ("read", {"path": "app.py"}),
        ("read", {"path": "key.pem"}),
        ("outline", {"path": "app.py"}),
        ("symbol", {"name": "use"}),
        ("symbol", {"name": "TOKEN"}),
        ("search", {"query": "TOKEN"}),
        ("search", {"query": token, "kind": "text"}),
        ("search", {"query": "ghp_[A-Za-z0-9]+", "kind": "regex"}),
        ("context", {"task": "where is the token used"}),
        ("history", {}),
        ("history", {"path": "README.md"}),
    ]
    with serving(tmp_path, str(repository.folder), REDACT_SECRETS="true", LOCAL_FOLDERS=str(tmp_path)) as server:
        server.wait_until_ready()
        answers = {}
        async with Client(f"http://127.0.0.1:{server.port}/mcp") as client:
            for tool, arguments in asked:
                answer = await client.call_tool(tool, {"repository": "flask", **arguments}, raise_on_error=False)
                answers[f"{tool} {arguments}"] = str(answer.content).replace(token, "", str(arguments).count(token))
        for page in ("", "/-/file/app.py", "/-/file/key.pem", "/-/commits", "/-/symbol?name=use"):
            status, answers[page] = server.get(f"/repositories/local/flask{page}")
            assert status == 200, page
    assert "ghp_****" in answers["read {'path': 'app.py'}"]
    assert "add ghp_****" in answers["history {}"]
    assert {name for name, text in answers.items() if any(secret in text for secret in secrets)} == set()
    index = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert not any(secret.encode() in index for secret in secrets)


def test_a_repository_that_is_added_again_is_redacted_from_then_on(tmp_path: Path) -> None:
    token = "".join(SECRETS["GitHub"])
    repository = Repository(tmp_path / "flask")
    repository.commit({"app.py": f"TOKEN = '{token}'\n"})
    assert catalog_at(tmp_path).add(str(repository.folder)).blobs_parsed == 1
    for is_redacting, parsed in ((True, 1), (True, 0), (False, 1)):
        catalog = catalog_at(tmp_path, redact_secrets=is_redacting)
        assert catalog.add(str(repository.folder)).blobs_parsed == parsed
        with Reader(catalog.find("flask")) as reader:
            (symbol,) = reader.symbols_named("TOKEN")
        assert (token in symbol.signature) is not is_redacting
