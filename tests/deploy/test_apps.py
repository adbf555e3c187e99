"""An app is what its fly*.toml says; what is missing there is named."""

from pathlib import Path

import pytest
from code_insight_deploy.apps import App, read_app
from code_insight_deploy.errors import BadConfig

HOUSE = Path(__file__).parents[2]
GOOD = """\
app = "a"
kill_timeout = 7
[http_service]
internal_port = 8080
[[http_service.checks]]
path = "/info"
[[vm]]
memory = "512mb"
cpus = 2
"""


def read(tmp_path: Path, text: str) -> App:
    (tmp_path / "fly.toml").write_text(text, encoding="utf-8")
    return read_app(tmp_path / "fly.toml")


def test_an_app_is_what_its_file_says(tmp_path: Path) -> None:
    expected = App(name="a", port=8080, memory_bytes=512 * 2**20, cpus=2, probe="/info", grace_seconds=7)
    assert read(tmp_path, GOOD) == expected


@pytest.mark.parametrize(("written", "megabytes"), [("1024", 1024), ('"1gb"', 1024), ('"256 MB"', 256)])
def test_memory_may_be_written_in_each_of_flys_ways(tmp_path: Path, written: str, megabytes: int) -> None:
    assert read(tmp_path, GOOD.replace('"512mb"', written)).memory_bytes == megabytes * 2**20


@pytest.mark.parametrize("name", ["fly.toml", "fly-test001.toml"])
def test_our_own_apps_can_be_read(name: str) -> None:
    app = read_app(HOUSE / name)
    assert app.port == 8080
    assert app.probe == "/info"


@pytest.mark.parametrize(
    ("written", "instead", "named"),
    [
        ('app = "a"', "", "app"),
        ('path = "/info"', "", "path"),
        ("internal_port = 8080", "", "internal_port"),
        ('memory = "512mb"', 'memory = "lots"', "'lots'"),
        ("[[vm]]", "[vm", "line"),
    ],
)
def test_what_is_missing_or_wrong_is_named(tmp_path: Path, written: str, instead: str, named: str) -> None:
    with pytest.raises(BadConfig, match=named):
        read(tmp_path, GOOD.replace(written, instead))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"fly-none\.toml"):
        read_app(tmp_path / "fly-none.toml")
