"""Makes git repositories of projects whose whole history a package registry serves: real commits of other people.

    python benchmarks/accuracy/histories.py FOLDER

Two Go modules hold packs of public repositories, as they were from 2015 to 2018: go-git-fixtures each in a file of its
own, hercules its own history, within an archive. They are fetched by `go mod download`, each pack is checked by its
hash; FOLDER then has one repository for each name below.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_FIXTURES = "github.com/go-git/go-git-fixtures/v4@v4.2.1"
_HERCULES = "gopkg.in/src-d/hercules.v10@v10.7.2"
_HISTORIES = {  # name → module, pack, and the commit that is the newest of its branch
    "go-git": (_FIXTURES, "3559b3b47e695b33b0913237a4df3357e739831c", "e8788ad9165781196e917292d6055cba1d78664e"),
    "hercules": (_HERCULES, "b3c91a90acfbd204b5ce2f1cc8d1fcd346c1c547", "014493bed229e27d8a18b8d104e9ac062ef799e1"),
    "rumprun-xen": (_FIXTURES, "7861f2632868833a35fe5e4ab94f99638ec5129b", "3b91e44996ea6ae1276bce1cc44f38701c53ee6f"),
    "spinnaker": (_FIXTURES, "f2e0a8889a746f7600e07d2246a2e29a72f696be", "06ce06d0fc49646c4de733c45b7788aabad98a6f"),
    "storable": (_FIXTURES, "0d3d824fb5c930e7e7e1f0f399f2976847d31fd3", "426503ae00f7d6ea45dd6b9d1a6a067767d3491d"),
}
_PLACES = {_FIXTURES: "data/pack-{}.pack", _HERCULES: "cmd/hercules/test_data/hercules.siva"}
_PACK_BEGINS = b"PACK\0\0\0\2"


def main(folder: Path) -> None:
    """Make them, and print how many commits each has."""
    for name, (module, pack, head) in _HISTORIES.items():
        told = subprocess.run(["go", "mod", "download", "-json", module], check=True, capture_output=True).stdout
        data = Path(json.loads(told)["Dir"], _PLACES[module].format(pack)).read_bytes()
        git = ["git", "-C", str(folder / name)]
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(folder / name)], check=True)
        packed = data[data.index(_PACK_BEGINS) :]  # what follows the pack, index-pack leaves alone
        made = subprocess.run([*git, "index-pack", "--stdin"], input=packed, check=True, capture_output=True).stdout
        if not made.startswith(f"pack\t{pack}\n".encode()):
            raise SystemExit(f"{name}: the pack is not {pack}")
        subprocess.run([*git, "update-ref", "refs/heads/main", head], check=True)
        count = subprocess.run([*git, "rev-list", "--count", "--no-merges", "main"], check=True, capture_output=True)
        print(f"{name}: {int(count.stdout)} commits that are no merges")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
