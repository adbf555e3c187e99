"""What is said of a published image beside it: what is in it (CycloneDX), and how it came to be (SLSA provenance).

Both are functions of the tree, the base and the release, written next to the ledger, which has their digests. They are
not signed: who may write that folder may write them. That is SLSA's build level 1, and no more is claimed.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code_insight_deploy import __version__
from code_insight_deploy.errors import BuildFailed, Refused
from code_insight_deploy.proofs import PublishedImage, SourceTree
from code_insight_deploy.source import archive

Json = dict[str, Any]

PACKAGE = "code-insight"
"""The distribution whose dependencies are in the image."""
EXTRA = "otel"
"""Of its optional ones, those that the Dockerfile installs too: traces cannot be sent without."""
LOCK = "uv.lock"
PROJECT = frozenset({LOCK, "pyproject.toml", "server/pyproject.toml", "deploy/pyproject.toml"})
"""All that uv reads to tell what is locked."""
EXPORT_SECONDS = 120
TREES = uuid.UUID("5b0b1f0c-9d5c-5f0e-8a43-0f4c6a3a8d11")
"""Names the bills of materials of git trees: a bill of one tree has one serial number, whenever it is made."""
STATEMENT = "https://in-toto.io/Statement/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://mobyproject.org/buildkit@v1"
MEDIA = {"sbom": "cdx.json", "provenance": "intoto.json"}


@dataclass(frozen=True, slots=True)
class Build:
    """How an image was made, as the one who made it knows it."""

    base: str
    """As it was named: python:3.14-slim"""
    base_id: str
    """sha256:…, of the image that this was on the builder's engine."""
    release: str
    """Id of the release in the ledger."""
    began: str
    """ISO 8601, UTC."""
    ended: str


def bill_of_materials(folder: Path, source: SourceTree) -> Json | None:
    """The distributions of Python in the image of `source`, with the hashes that its lock demands, as CycloneDX 1.5.

    The base's own packages are named by the base's digest in the provenance. None when the tree holds no lock. Raises
    Refused without uv, BuildFailed when it cannot read the lock.
    """
    with tempfile.TemporaryDirectory(prefix="code-insight-lock-") as temporary:
        _unpack(archive(folder, source), Path(temporary))
        if not (Path(temporary) / LOCK).exists():
            return None
        said: Json = json.loads(_export(Path(temporary)))
    said["serialNumber"] = f"urn:uuid:{uuid.uuid5(TREES, source.tree)}"
    said["metadata"].pop("timestamp", None)
    said["metadata"]["component"]["type"] = "application"
    return said


def _unpack(context: bytes, folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(context)) as files:
        for member in files:
            content = files.extractfile(member) if member.name in PROJECT and member.isreg() else None
            if content:
                (folder / member.name).parent.mkdir(exist_ok=True)
                (folder / member.name).write_bytes(content.read())


def _export(project: Path) -> str:
    uv = os.environ.get("UV") or shutil.which("uv")
    if not uv:
        raise Refused("there is no uv, which reads the lock", "Run this by `make`, or put uv on the PATH.")
    options = ["--frozen", "--offline", "--no-dev", "--no-emit-workspace", "--preview-features", "sbom-export"]
    command = [uv, "export", "--quiet", "--format", "cyclonedx1.5", "--package", PACKAGE, "--extra", EXTRA, *options]
    ran = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=EXPORT_SECONDS, check=False)
    if ran.returncode:
        raise BuildFailed(f"uv cannot read the lock:\n{ran.stderr.strip()}", "Bring it up to date: `uv lock`.")
    return ran.stdout


def provenance(source: SourceTree, image: PublishedImage, build: Build) -> Json:
    """An in-toto statement on the image, with SLSA's provenance as its predicate (slsa.dev/spec/v1.0/provenance)."""
    materials = [
        {"name": "source", "digest": {"gitTree": source.tree, "gitCommit": source.commit}},
        {"name": build.base, "digest": {"sha256": build.base_id.partition(":")[2]}},
    ]
    definition = {
        "buildType": BUILD_TYPE,
        "externalParameters": {"source": f"git+tree:{source.tree}", "dirty": source.dirty, "base": build.base},
        "internalParameters": {"SOURCE_DATE_EPOCH": "0"},
        "resolvedDependencies": materials,
    }
    details = {
        "builder": {"id": "code-insight-deploy", "version": {"code-insight-deploy": __version__}},
        "metadata": {"invocationId": build.release, "startedOn": build.began, "finishedOn": build.ended},
    }
    subject = {"name": f"{image.registry}/{image.repository}", "digest": {"sha256": image.digest.partition(":")[2]}}
    return {
        "_type": STATEMENT,
        "subject": [subject],
        "predicateType": PROVENANCE,
        "predicate": {"buildDefinition": definition, "runDetails": details},
    }


def kept(folder: Path, image: PublishedImage, statements: Mapping[str, Json | None]) -> dict[str, str]:
    """Write them into `folder`, named after the image; returns name → sha256:… of the file, for those there are."""
    digests = {}
    for name, statement in statements.items():
        if statement is not None:
            content = (json.dumps(statement, indent=1, sort_keys=True) + "\n").encode()
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (folder / f"{image.digest.partition(':')[2]}.{name}.{MEDIA[name]}").write_bytes(content)
            digests[name] = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return digests
