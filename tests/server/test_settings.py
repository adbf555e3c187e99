"""Every setting: read once, checked at once."""

import dataclasses
from pathlib import Path

import pytest
from code_insight import settings
from code_insight.settings import Settings, SettingsError, read

FIELDS = {field.name: field for field in dataclasses.fields(Settings)}


def test_an_empty_environment_gives_the_defaults() -> None:
    assert read({}) == Settings()
    assert read({"CODE_INSIGHT_PORT": "", "CODE_INSIGHT_JOBS": "  "}) == Settings()


def test_every_field_can_be_set_and_nothing_else() -> None:
    assert {*settings._PARSERS, "traces"} == FIELDS.keys()  # that one is told by OpenTelemetry's variables


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if field.type == "int"])
def test_every_default_number_is_one_that_may_be_set(name: str) -> None:
    found = read({f"CODE_INSIGHT_{name.upper()}": str(FIELDS[name].default)})
    assert found == Settings()


def test_each_kind_of_value_is_understood() -> None:
    found = read(
        {
            "CODE_INSIGHT_HOST": "0.0.0.0",
            "CODE_INSIGHT_PORT": " 9000 ",
            "CODE_INSIGHT_DATA_DIR": "/data",
            "CODE_INSIGHT_REPOSITORIES": "https://github.com/a/b  /srv/c\n",
            "CODE_INSIGHT_CLONE_HOSTS": "github.com, git.example.com:8443",
            "CODE_INSIGHT_CLONE_PRIVATE_ADDRESSES": "Yes",
            "CODE_INSIGHT_LOCAL_FOLDERS": "/srv:/home",
            "CODE_INSIGHT_SOURCE_TREE": "a" * 40,
            "FLY_APP_NAME": "test001",
            "FLY_REGION": "ams",
        }
    )
    assert (found.host, found.port, found.data_dir) == ("0.0.0.0", 9000, Path("/data"))
    assert found.repositories == ("https://github.com/a/b", "/srv/c")
    assert found.clone_hosts == ("github.com", "git.example.com:8443")
    assert found.clone_private_addresses is True
    assert found.local_folders == (Path("/srv"), Path("/home"))
    assert (found.source_tree, found.fly_app_name, found.fly_region) == ("a" * 40, "test001", "ams")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "http"),
        ("PORT", "8080.0"),
        ("PORT", "²"),
        ("PORT", "9" * 5000),
        ("JOBS", "0"),
        ("FILE_BYTES_MAX", "1MB"),
        ("CLONE_PRIVATE_ADDRESSES", "maybe"),
        ("CLONE_HOSTS", "https://github.com"),
        ("CLONE_HOSTS", "GitHub.com"),
        ("CLONE_HOSTS", "a b/c"),
        ("LOCAL_FOLDERS", "relative"),
        ("LOCAL_FOLDERS", "/srv:~nobody-of-this-name"),
        ("DATA_DIR", "~nobody-of-this-name/data"),
        ("SOURCE_TREE", "main"),
        ("CA_FILE", "/nonexistent/ca.pem"),
        ("LOG_FORMAT", "xml"),
        ("BODY_BYTES_MAX", "99999999"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_expected(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as error:
        read({f"CODE_INSIGHT_{name}": value})
    [line] = str(error.value).splitlines()
    assert line.startswith(f"CODE_INSIGHT_{name}={value[:80]!r}: ")
    assert len(line) < 250


def test_a_secret_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError) as error:
        read({"CODE_INSIGHT_REPOSITORIES": "https://git:CANARY@github.com/a/b"})
    assert "without a user, password or token" in str(error.value)
    assert "CANARY" not in str(error.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        read({f"CODE_INSIGHT_{name}": "x" for name in ("PORT", "JOBS", "PROT", "FLY_REGION")})
    assert [line.split("=")[0].split(" ")[0] for line in str(error.value).splitlines()] == [
        "CODE_INSIGHT_PORT",
        "CODE_INSIGHT_JOBS",
        "CODE_INSIGHT_FLY_REGION",
        "CODE_INSIGHT_PROT",
    ]


def test_an_image_that_was_built_by_hand_has_no_tree() -> None:
    assert read({"CODE_INSIGHT_SOURCE_TREE": "unknown"}).source_tree == ""


def test_variables_of_others_do_not_matter() -> None:
    assert read({"PORT": "x", "FLY_SOMETHING": "y", "code_insight_port": "z"}) == Settings()
