"""Makes git repositories of projects whose whole history a package registry serves: real commits of other people.

    python benchmarks/accuracy/histories.py FOLDER

The Go module go-git-fixtures holds the packs of some public repositories, as they were in 2015 and 2016. It is fetched
by `go mod download`, each pack checked by its hash; FOLDER then has one repository for each name below.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

_MODULE = "github.com/go-git/go-git-fixtures/v4@v4.2.1"
_HISTORIES = {  # name → pack, and the commit that is the newest of its branch
    "go-git": ("3559b3b47e695b33b0913237a4df3357e739831c", "e8788ad9165781196e917292d6055cba1d78664e"),
    "rumprun-xen": ("7861f2632868833a35fe5e4ab94f99638ec5129b", "3b91e44996ea6ae1276bce1cc44f38701c53ee6f"),
    "spinnaker": ("f2e0a8889a746f7600e07d2246a2e29a72f696be", "06ce06d0fc49646c4de733c45b7788aabad98a6f"),
    "storable": ("0d3d824fb5c930e7e7e1f0f399f2976847d31fd3", "426503ae00f7d6ea45dd6b9d1a6a067767d3491d"),
}


def main(folder: Path) -> None:
    """Make them, and print how many commits each has."""
    told = subprocess.run(["go", "mod", "download", "-json", _MODULE], check=True, capture_output=True).stdout
    packs = Path(json.loads(told)["Dir"], "data")
    for name, (pack, head) in _HISTORIES.items():
        repository = folder / name
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(repository)], check=True)
        for suffix in ("pack", "idx"):
            file = f"pack-{pack}.{suffix}"
            shutil.copyfile(packs / file, repository / ".git" / "objects" / "pack" / file)
        git = ["git", "-C", str(repository)]
        subprocess.run([*git, "verify-pack", f".git/objects/pack/pack-{pack}.idx"], check=True)
        subprocess.run([*git, "update-ref", "refs/heads/main", head], check=True)
        count = subprocess.run([*git, "rev-list", "--count", "--no-merges", "main"], check=True, capture_output=True)
        print(f"{name}: {int(count.stdout)} commits that are no merges")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
