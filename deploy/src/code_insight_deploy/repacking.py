"""An image's archive written anew, so that it tells nothing of when it was built.

For engines that do not know SOURCE_DATE_EPOCH: the classic builder, and BuildKit before 0.11 (engine 23). What comes
of it is a function of what the layers hold: times are 0, and what named the builder is gone. Layers of the base stay as
they are, byte for byte, so that a registry which has them is not sent them again.
"""

import gzip
import hashlib
import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any, cast

EPOCH = "1970-01-01T00:00:00Z"
OF_THE_BUILD = ("container", "container_config", "docker_version")
TIMES = frozenset({"mtime", "atime", "ctime"})
GZIP = b"\x1f\x8b"


def repack(saved: Path, repacked: Path, reference: str, base_layers: Collection[str]) -> None:
    """Write what `docker load` reads as the image `reference`, from what `docker save` has written of it.

    `base_layers` are the DiffIDs of the layers that are to stay as they are. Raises KeyError, ValueError or TarError
    when `saved` is not such an archive.
    """
    with tarfile.open(saved) as archive, tarfile.open(repacked, "w") as written:
        said = json.load(_member(archive, "manifest.json"))[0]
        config = json.load(_member(archive, said["Config"]))
        layers = [
            _copied(_member(archive, path), written, as_it_is=diff_id in base_layers)
            for path, diff_id in zip(said["Layers"], config["rootfs"]["diff_ids"], strict=True)
        ]
        text = json.dumps(_timeless(config, layers), sort_keys=True, separators=(",", ":")).encode()
        name = f"{hashlib.sha256(text).hexdigest()}.json"
        _add(written, name, io.BytesIO(text))
        manifest = [{"Config": name, "RepoTags": [reference], "Layers": [f"{layer}.tar" for layer in layers]}]
        _add(written, "manifest.json", io.BytesIO(json.dumps(manifest).encode()))


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    member = archive.extractfile(name)
    if member is None:
        raise ValueError(f"{name} is no file")
    return member


def _copied(layer: IO[bytes], written: tarfile.TarFile, *, as_it_is: bool) -> str:
    """The layer's new DiffID, in hexadecimal, once it is in the archive under that name."""
    with tempfile.TemporaryFile() as copy:
        plain = cast("IO[bytes]", gzip.GzipFile(fileobj=layer)) if layer.read(2) == GZIP else layer
        layer.seek(0)
        if as_it_is:
            shutil.copyfileobj(plain, copy)
        else:
            _rewrite(plain, copy)
        copy.seek(0)
        digest = hashlib.file_digest(copy, "sha256").hexdigest()
        _add(written, f"{digest}.tar", copy)
    return digest


def _rewrite(layer: IO[bytes], copy: IO[bytes]) -> None:
    """The same files, in the same order, without their times and the names of their owners."""
    with tarfile.open(fileobj=layer) as old, tarfile.open(fileobj=copy, mode="w", format=tarfile.PAX_FORMAT) as new:
        for member in old:
            member.mtime, member.uname, member.gname = 0, "", ""
            member.pax_headers = {key: value for key, value in member.pax_headers.items() if key not in TIMES}
            new.addfile(member, old.extractfile(member) if member.isreg() else None)


def _timeless(config: dict[str, Any], layers: list[str]) -> dict[str, Any]:
    kept = {key: value for key, value in config.items() if key not in OF_THE_BUILD}
    kept["config"] = {key: value for key, value in (config.get("config") or {}).items() if key != "Image"}
    history = [{**step, "created": EPOCH} for step in config.get("history") or []]
    rootfs = {**config["rootfs"], "diff_ids": [f"sha256:{layer}" for layer in layers]}
    return {**kept, "created": EPOCH, "history": history, "rootfs": rootfs}


def _add(written: tarfile.TarFile, name: str, content: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size = content.seek(0, io.SEEK_END)
    content.seek(0)
    if name not in written.getnames():  # two layers may be the same
        written.addfile(member, content)
