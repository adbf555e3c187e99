"""The smoke run refuses an image that does not answer as itself, and says what it printed."""

import docker
import pytest
from code_insight_deploy import images, smoking, source
from code_insight_deploy.apps import App
from code_insight_deploy.errors import SmokeFailed
from code_insight_deploy.proofs import BuiltImage

from tests.deploy.places import Repository

APP = App(name="a", port=8080, memory_bytes=256 * 2**20, cpus=1, probe="/info", grace_seconds=5)
SERVER = """\
import http.server, json, os, signal, sys
{setup}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({{"name": "tiny", "version": "1", "tree": {tree}}}).encode())
http.server.HTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""


def build(engine: docker.DockerClient, tiny: Repository, base: str, server: str) -> BuiltImage:
    tiny.write("server/server.py", server)
    tiny.commit("server")
    return images.build(engine, tiny.folder, source.source_tree(tiny.folder), base, print)


def test_an_image_that_names_another_tree_is_refused(
    engine: docker.DockerClient, tiny: Repository, base: str, built_images: set[str]
) -> None:
    built = build(engine, tiny, base, SERVER.format(setup="", tree="'f' * 40"))
    built_images.add(built.reference)
    with pytest.raises(SmokeFailed, match=r"it says f{40}") as failed:
        smoking.smoke(engine, built, APP, print)
    assert failed.value.exit_code == 20


def test_a_process_that_ends_at_once_is_refused_with_its_last_words(
    engine: docker.DockerClient, tiny: Repository, base: str, built_images: set[str]
) -> None:
    built = build(engine, tiny, base, "raise SystemExit('no setting named X')\n")
    built_images.add(built.reference)
    with pytest.raises(SmokeFailed, match="it ended with 1") as failed:
        smoking.smoke(engine, built, APP, print)
    assert "no setting named X" in failed.value.happened


def test_a_process_that_cannot_be_asked_to_end_is_refused(
    engine: docker.DockerClient, tiny: Repository, base: str, built_images: set[str]
) -> None:
    setup = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))"
    built = build(engine, tiny, base, SERVER.format(setup=setup, tree="os.environ['TREE']"))
    built_images.add(built.reference)
    with smoking.sample_repositories() as folder, images.running(engine, built, APP, folder) as running:
        run = smoking.Run(running, built, APP, print)
        run.check("starts", smoking.answers_info)
        run.check("names its tree", smoking.names_its_tree)
        with pytest.raises(SmokeFailed, match="exit code 3"):
            run.check("ends", smoking.ends_when_asked)
    assert [found.claim for found in run.evidence] == ["starts", "names its tree"]


def test_a_container_is_gone_whatever_happened_to_it(
    engine: docker.DockerClient, tiny: Repository, base: str, built_images: set[str]
) -> None:
    built = build(engine, tiny, base, "raise SystemExit(1)\n")
    built_images.add(built.reference)
    with pytest.raises(SmokeFailed):
        smoking.smoke(engine, built, APP, print)
    assert engine.containers.list(all=True, filters={"ancestor": built.image_id}) == []
