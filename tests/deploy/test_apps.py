"""An app is what its fly*.toml says; what is missing there is named; a machine is made as the file describes it."""

from pathlib import Path
from typing import Any

import pytest
import tomlkit
from code_insight_deploy import apps
from code_insight_deploy.apps import App, Mount, differences, file_of, for_machine, machine_config, read_app, with_image
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
    assert read(tmp_path, GOOD) == App(
        name="a",
        port=8080,
        memory_bytes=512 * 2**20,
        cpus=2,
        probe="/info",
        grace_seconds=7,
        config=tmp_path / "fly.toml",
    )


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
        ('app = "a"', 'app = "../a"', "lower-case"),
        ("kill_timeout = 7", 'kill_timeout = "soon"', "'soon'"),
        ("[http_service]", "http_service = 3\n[other]", "http_service|subscriptable|line"),
    ],
)
def test_what_is_missing_or_wrong_is_named(tmp_path: Path, written: str, instead: str, named: str) -> None:
    with pytest.raises(BadConfig, match=named):
        read(tmp_path, GOOD.replace(written, instead))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"fly-none\.toml"):
        read_app(tmp_path / "fly-none.toml")


def test_a_file_without_checks_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="answers nothing"):
        read(tmp_path, GOOD.replace('[[http_service.checks]]\npath = "/info"\n', ""))


def test_a_file_of_another_app_than_was_asked_for_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fly.toml").write_text(GOOD, encoding="utf-8")
    assert read_app(tmp_path / "fly.toml", name="a").name == "a"
    with pytest.raises(BadConfig, match="the app 'b' was asked for"):
        read_app(tmp_path / "fly.toml", name="b")


def test_the_file_of_an_app_is_found_by_the_name_in_it() -> None:
    assert file_of(HOUSE, "code-insight").name == "fly.toml"
    assert file_of(HOUSE, "test001").name == "fly-test001.toml"
    with pytest.raises(BadConfig, match="'test002'") as refused:
        file_of(HOUSE, "test002")
    assert "fly-test002.toml" in refused.value.next_step


def test_a_port_that_the_image_does_not_expose_is_refused(tmp_path: Path) -> None:
    app = read(tmp_path, GOOD)
    apps.check_port(app, {8080})
    apps.check_port(app, set())
    with pytest.raises(BadConfig, match="the image listens on 80") as refused:
        apps.check_port(app, {80})
    assert "EXPOSE 8080" in refused.value.next_step


def test_machines_that_may_all_be_stopped_are_warned_of(tmp_path: Path) -> None:
    assert apps.warnings(read(tmp_path, GOOD)) == ()
    sleepy = GOOD.replace("[http_service]", '[http_service]\nauto_stop_machines = "stop"\nmin_machines_running = 0')
    assert "woken" in apps.warnings(read(tmp_path, sleepy))[0]
    assert apps.warnings(read(tmp_path, sleepy.replace("running = 0", "running = 1"))) == ()


REFERENCE = "registry.fly.io/code-insight@sha256:" + "a" * 64


def test_a_machine_is_configured_as_the_file_says() -> None:
    app = read_app(HOUSE / "fly-test001.toml")
    assert app.region == "fra"
    assert app.mounts == (Mount(name="data", path="/data", size_gb=1),)
    assert machine_config(app, REFERENCE) == {
        "image": REFERENCE,
        "env": {"FLY_PROCESS_GROUP": "app", "PRIMARY_REGION": "fra"},
        "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 512},
        "services": [
            {
                "protocol": "tcp",
                "internal_port": 8080,
                "autostop": False,
                "autostart": True,
                "min_machines_running": 1,
                "concurrency": {"type": "requests", "soft_limit": 20, "hard_limit": 40},
                "ports": [
                    {"port": 80, "handlers": ["http"], "force_https": True},
                    {"port": 443, "handlers": ["http", "tls"]},
                ],
                "checks": [
                    {
                        "type": "http",
                        "method": "GET",
                        "path": "/info",
                        "interval": "30s",
                        "timeout": "5s",
                        "grace_period": "10s",
                    }
                ],
            }
        ],
        "mounts": [{"name": "data", "path": "/data"}],
        "metadata": {"fly_platform_version": "v2", "fly_process_group": "app"},
        "stop_config": {"timeout": "15s", "signal": "SIGTERM"},
    }


@pytest.mark.parametrize(
    ("more", "key", "value"),
    [
        ("[env]\nA = 1", "env", {"A": "1", "FLY_PROCESS_GROUP": "app"}),
        ('[[restart]]\npolicy = "never"', "restart", {"policy": "no"}),
        ('[restart]\npolicy = "on-failure"\nretries = 3', "restart", {"policy": "on-failure", "max_retries": 3}),
        (
            '[checks.alive]\ntype = "tcp"\nport = 8080\ninterval = "1m30s"',
            "checks",
            {"alive": {"type": "tcp", "port": 8080, "interval": "90s"}},
        ),
    ],
)
def test_other_sections_become_part_of_the_machine(tmp_path: Path, more: str, key: str, value: object) -> None:
    assert machine_config(read(tmp_path, f"{GOOD}{more}\n"), REFERENCE)[key] == value


@pytest.mark.parametrize(
    "more", ["[processes]\nweb = 'x'", "[[statics]]\nguest_path = '/x'", "[[services]]\nprotocol = 'udp'"]
)
def test_a_section_that_would_be_lost_is_refused(tmp_path: Path, more: str) -> None:
    with pytest.raises(BadConfig, match="would be lost"):
        machine_config(read(tmp_path, f"{GOOD}{more}\n"), REFERENCE)


def as_fly_tells_it(config: dict[str, Any]) -> dict[str, Any]:
    """The same machine, as the platform writes it."""
    service = config["services"][0]
    check = {**service["checks"][0], "interval": 30_000_000_000, "timeout": "5.0s", "method": "get"}
    told = {**service, "autostop": "off", "ports": list(reversed(service["ports"])), "checks": [check]}
    return {
        **config,
        "services": [told],
        "env": {**config["env"], "FLY_SOMETHING": "x"},
        "mounts": [{**mount, "volume": "vol_1", "encrypted": True, "size_gb": 1} for mount in config["mounts"]],
        "metadata": {"fly_release_version": "7"},
        "dns": {},
        "init": {},
        "stop_config": {"timeout": "0m15s", "signal": "SIGTERM"},
    }


def test_a_machine_that_is_as_wanted_has_no_differences() -> None:
    wanted = machine_config(read_app(HOUSE / "fly.toml"), REFERENCE)
    assert differences(wanted, wanted) == ()
    assert differences(wanted, as_fly_tells_it(wanted)) == ()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"image": "r/a@sha256:" + "b" * 64}, "image sha256:bbbbbbbbbbbb → sha256:aaaaaaaaaaaa"),
        ({"image": "r/a:v1"}, "image r/a:v1 → sha256:aaaaaaaaaaaa"),
        ({"guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256}}, "guest.memory_mb 256 → 1024"),
        ({"env": {"FLY_PROCESS_GROUP": "app", "PRIMARY_REGION": "fra", "OLD": "1"}}, "env.OLD 1 → (none)"),
        ({"env": {"FLY_PROCESS_GROUP": "app", "PRIMARY_REGION": "ams"}}, "env.PRIMARY_REGION ams → fra"),
        ({"stop_config": {"timeout": "5s", "signal": "SIGTERM"}}, "stop_config.timeout 5s → 15s"),
        ({"mounts": None}, "mounts (none) → [{'name': 'data', 'path': '/data'}]"),
    ],
)
def test_what_is_not_as_wanted_is_said_in_words(changed: dict[str, Any], said: str) -> None:
    wanted = machine_config(read_app(HOUSE / "fly.toml"), REFERENCE)
    assert differences(wanted, {**as_fly_tells_it(wanted), **changed}) == (said,)


def test_a_check_that_is_gone_is_a_difference() -> None:
    wanted = machine_config(read_app(HOUSE / "fly.toml"), REFERENCE)
    current = as_fly_tells_it(wanted)
    current["services"][0]["checks"] = []
    assert [said.partition(" ")[0] for said in differences(wanted, current)] == ["services[0].checks"]


def test_a_machine_keeps_its_volumes_and_what_others_have_written_of_it() -> None:
    wanted = machine_config(read_app(HOUSE / "fly.toml"), REFERENCE)
    current = {**as_fly_tells_it(wanted), "image": "old", "metadata": {"release_lock": "x", "fly_process_group": "z"}}
    adapted = for_machine(wanted, current)
    assert adapted["image"] == REFERENCE
    assert adapted["mounts"][0]["volume"] == "vol_1"
    assert adapted["metadata"] == {"release_lock": "x", "fly_process_group": "app", "fly_platform_version": "v2"}
    assert differences(wanted, adapted) == ()


def test_the_image_is_written_into_the_file_and_nothing_else_is_touched() -> None:
    text = (HOUSE / "fly.toml").read_text(encoding="utf-8")
    written = with_image(text, REFERENCE)
    before, after = text.splitlines(), written.splitlines()
    assert [line for line in before if line not in after] == ['  dockerfile = "Dockerfile"']
    assert [line for line in after if line not in before] == [f'image = "{REFERENCE}"']
    assert with_image(written, REFERENCE) == written


def test_a_file_without_a_build_section_is_given_one() -> None:
    written = with_image(GOOD, REFERENCE)
    assert tomlkit.parse(written).unwrap()["build"] == {"image": REFERENCE}
    assert written.startswith(GOOD)


@pytest.mark.parametrize("text", ["[build", "build = 3"])
def test_a_file_that_cannot_be_written_back_is_refused(text: str) -> None:
    with pytest.raises(BadConfig):
        with_image(text, REFERENCE)
