"""What is wrong with settings is said before a server needs them."""

from pathlib import Path

import pytest

from tests.server.issuer import AUDIENCE, NAME, Key, KeyHost
from tests.server.serving import run

KEY = Key("EdDSA", "key")


def _jwt(keys: str, audience: str = AUDIENCE) -> str:
    return f'[jwt]\nissuer = "{NAME}"\naudience = "{audience}"\nkeys = "{keys}"\n'


def _said(folder: Path, text: str, **settings: str) -> tuple[int, str]:
    (folder / "access.toml").write_text(text)
    found = run(folder, "doctor", ACCESS_FILE=f"{folder}/access.toml", **settings)
    assert found.stderr == ""
    return found.returncode, " ".join(found.stdout.split())


def test_nothing_is_wrong_with_the_defaults(tmp_path: Path) -> None:
    found = run(tmp_path, "doctor")
    assert found.returncode == 0
    assert [line.split()[:2] for line in found.stdout.splitlines()] == [["ok", "git"], ["ok", "data"], ["ok", "access"]]
    assert "without a token: adds; tokens: 0" in found.stdout
    assert not (tmp_path / "data").exists()


def test_nothing_is_wrong_with_an_issuer_that_answers(tmp_path: Path) -> None:
    with KeyHost(KEY) as host:
        code, said = _said(tmp_path, _jwt(host.url()), ALLOWED_HOSTS="insight.example.com")
        assert code == 0
        assert f"without a token: reads; tokens: 0 and those of {NAME}" in said
        assert f"ok keys 1 of {host.url()}" in said
        assert f"ok audience {AUDIENCE}" in said
        code, said = _said(tmp_path, _jwt(host.url(), "insight"))
        assert (code, "clients do not learn where tokens are issued" in said) == (0, True)


@pytest.mark.parametrize("path", ["failing", "redirect", "page"])
def test_an_issuer_whose_keys_cannot_be_had_is_named(tmp_path: Path, path: str) -> None:
    with KeyHost(KEY) as host:
        code, said = _said(tmp_path, _jwt(host.url(path)), ALLOWED_HOSTS="insight.example.com")
    assert code == 2
    assert "wrong keys The keys of tokens cannot be had: " in said
    assert "Tokens are refused until jwt.keys of the access file answers" in said


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("tokens = 1", "access.toml: tokens: a table is expected"),
        ('anonymous = "nothing"', "Nobody may ask: add a token"),
        (_jwt("http://login.example.com/keys"), "Mend jwt.keys in the access file."),
        (_jwt("/nonexistent/keys.json"), "No such file or directory Mend jwt.keys"),
        (_jwt("http://127.0.0.1:1/keys"), "The keys of tokens cannot be had: ConnectError"),
        (_jwt("http://127.0.0.1:1/keys"), "/mcp is not answered under insight.example.com: add it to"),
    ],
)
def test_what_is_wrong_with_who_may_ask_is_said_with_what_to_do(tmp_path: Path, text: str, wrong: str) -> None:
    code, said = _said(tmp_path, text)
    assert (code, wrong in said) == (2, True), said


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = run(tmp_path, "doctor", DATA_DIR=f"{tmp_path}/file/data")
    assert found.returncode == 2
    assert f"Make {tmp_path}/file writable" in found.stdout


def test_a_setting_that_is_wrong_is_named_before_anything_else(tmp_path: Path) -> None:
    found = run(tmp_path, "doctor", PORT="x")
    assert found.returncode == 2
    assert "CODE_INSIGHT_PORT='x'" in found.stderr
