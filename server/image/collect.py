"""Collects the file system below which the server runs: the interpreter, git, and what these load; nothing else.

`python collect.py ROOT ENVIRONMENT` fills the folder ROOT, run while the image is built, on a Debian with the Python
that the environment in the folder ENVIRONMENT was made with. There is no shell, no package manager and no Perl in it;
git needs none of them to fetch over https. Everything is found by asking (sysconfig, ldd, dpkg), not by path, because
Debian keeps its Python below /usr and the official image below /usr/local.
"""

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

NOT_SERVED = {
    "__pycache__",
    "dist-packages",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "site-packages",
    "test",
    "tests",
    "tkinter",
    "turtledemo",
}
NOT_LOADED = re.compile(r"^(_curses|_dbm|_gdbm|_ctypes_test|_remote_debugging|_test|_tkinter|_xxtestfuzz|readline|xx)")
GIT = ("/usr/bin/git", "/usr/lib/git-core/git-remote-http", "/usr/lib/git-core/git-remote-https")
LOADED_BY_NAME = ("libgcc_s.so.1", "libnss_dns.so.2", "libnss_files.so.2")
SETTINGS = ("/etc/nsswitch.conf", "/etc/os-release", "/etc/services", "/etc/ssl/certs/ca-certificates.crt")
SHARED_OBJECT = re.compile(r"\.so(\.|$)")
USER = "insight"
USER_ID = 10001


class Root:
    """The folder that becomes the image's file system; remembers which files of this machine went into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.copied: set[Path] = set()

    def inside(self, path: Path) -> Path:
        """Where `path` of this machine stands in the new file system."""
        return self.folder / path.relative_to("/")

    def put(self, path: Path) -> None:
        """Copy the file, and every link on the way to it; nothing happens when it is not there or was copied."""
        path = path.parent.resolve() / path.name
        if path in self.copied or not path.exists():
            return
        self.copied.add(path)
        target = self.inside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            target.symlink_to(path.readlink())
            self.put(path.parent / path.readlink())
            return
        shutil.copy2(path, target)

    def put_with_libraries(self, path: Path) -> None:
        """Copy a program or a shared object, and the libraries that the loader would load for it."""
        self.put(path)
        for library in libraries_of(path):
            self.put(library)

    def link_merged_folders(self) -> None:
        """Make /bin, /lib and /lib64 the links that they are on this machine: the loader is named through one."""
        for name in ("bin", "lib", "lib64", "sbin"):
            merged = Path("/") / name
            if merged.is_symlink() and not (self.folder / name).exists():
                (self.folder / name).symlink_to(merged.readlink())


def main(folder: Path, environment: Path) -> None:
    """Fill `folder`; print how many files came from which packages."""
    root = Root(folder)
    root.folder.mkdir(parents=True)
    put_interpreter(root, environment)
    for path in GIT:
        root.put_with_libraries(Path(path))
    for path in sorted(environment.rglob("*.so")):
        for library in libraries_of(path):
            if not library.is_relative_to(environment):
                root.put(library)
    put_loaded_by_name(root)
    for path in SETTINGS:
        root.put(Path(path))
    root.link_merged_folders()
    write_library_cache(root)
    write_user(root)
    (root.folder / "tmp").mkdir()
    (root.folder / "tmp").chmod(0o1777)
    packages = owners_of(root.copied)
    write_packages(root, packages)
    compile_standard_library(root)
    print(f"{len(root.copied)} files of {len(packages)} packages: {' '.join(packages)}")


def put_interpreter(root: Root, environment: Path) -> None:
    """Copy the interpreter behind `environment`, its standard library and the libraries of both."""
    interpreter = (environment / "bin" / "python").readlink()
    root.put(interpreter)
    root.put(Path("/usr/local/bin/python3"))
    root.put_with_libraries(Path(os.path.realpath(sys.executable)))
    for path in standard_library():
        if not NOT_LOADED.match(path.name):
            root.put(path)
            if SHARED_OBJECT.search(path.name):
                root.put_with_libraries(path)


def put_loaded_by_name(root: Root) -> None:
    """Copy the libraries that glibc opens while it runs, which ldd cannot know."""
    libraries = {library.parent for library in root.copied if library.name == "libc.so.6"}
    for folder in sorted(libraries):
        for name in LOADED_BY_NAME:
            root.put_with_libraries(folder / name)


def standard_library() -> Iterator[Path]:
    """Its files, but for the folders in NOT_SERVED and the one with which C programs are linked."""
    for parent, folders, files in os.walk(sysconfig.get_path("stdlib")):
        folders[:] = sorted(name for name in folders if name not in NOT_SERVED and not name.startswith("config-"))
        yield from (Path(parent) / name for name in sorted(files))


def libraries_of(path: Path) -> list[Path]:
    """The shared objects that the loader would load for `path`; none for a file that is linked statically."""
    listed = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=False)
    missing = re.findall(r"(\S+) => not found", listed.stdout)
    if missing:
        raise SystemExit(f"{path} needs {', '.join(missing)}, which this image does not have")
    return [Path(name) for name in re.findall(r"(/\S+) \(0x", listed.stdout)]


def write_library_cache(root: Root) -> None:
    """Tell the loader where the libraries are; it would not look into /usr/local/lib by itself."""
    for path in (Path("/etc/ld.so.conf"), *Path("/etc/ld.so.conf.d").glob("*.conf")):
        root.put(path)
    subprocess.run(["ldconfig", "-r", str(root.folder), "-X", "-i"], check=True)
    shutil.rmtree(root.folder / "var" / "cache" / "ldconfig", ignore_errors=True)


def write_user(root: Root) -> None:
    """Name the user and the group that the server runs as, and root."""
    etc = root.folder / "etc"
    etc.mkdir(exist_ok=True)
    entries = ["root:x:0:0:root:/root:/nologin", f"{USER}:x:{USER_ID}:{USER_ID}::/nonexistent:/nologin"]
    (etc / "passwd").write_text("".join(f"{entry}\n" for entry in entries))
    (etc / "group").write_text(f"root:x:0:\n{USER}:x:{USER_ID}:\n")


def owners_of(paths: Iterable[Path]) -> list[str]:
    """The Debian packages that the files came from, sorted; a file that no package owns has none."""
    names = {str(path) for path in paths}
    names |= {name.removeprefix("/usr") for name in names if name.startswith("/usr/lib")}
    found = subprocess.run(["dpkg-query", "-S", *sorted(names)], capture_output=True, text=True, check=False)
    lines = (line for line in found.stdout.splitlines() if not line.startswith("diversion"))
    return sorted({owner.split(":")[0] for line in lines for owner in line.rpartition(": ")[0].split(", ")})


def write_packages(root: Root, packages: Iterable[str]) -> None:
    """Leave each package's status where scanners look for it (/var/lib/dpkg/status.d), and its licence."""
    status = root.folder / "var" / "lib" / "dpkg" / "status.d"
    status.mkdir(parents=True)
    for package in packages:
        said = subprocess.run(["dpkg-query", "-s", package], capture_output=True, text=True, check=True)
        (status / package).write_text(said.stdout)
        licence = Path("/usr/share/doc") / package / "copyright"
        target = root.inside(licence)
        if licence.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(licence, target)


def compile_standard_library(root: Root) -> None:
    """Write the bytecode of the whole standard library, which the official image leaves out (0.5 s at each start)."""
    library = Path(sysconfig.get_path("stdlib"))
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    folder = str(root.inside(library))
    compileall.compile_dir(folder, quiet=1, stripdir=str(root.folder), invalidation_mode=mode, workers=0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
