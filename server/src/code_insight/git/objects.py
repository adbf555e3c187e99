"""What a ref names, which files a commit has, what is in them; and how a commit comes here."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from code_insight.clone_url import CloneUrl
from code_insight.errors import FetchFailed, InvalidArgument, NotFound, RepositoryEmpty, RepositoryTooLarge
from code_insight.git.running import LOST, Call, Child, GitLimits, Network, command, path_text, records, run
from code_insight.model import Commit, TreeEntry

_OID = re.compile(r"[0-9a-f]{40}")
_REF = re.compile(r"(?!.*(?:\.\.|//|@\{|\.lock(?:/|$)))[A-Za-z0-9_][A-Za-z0-9._/+@-]{0,198}")
_WHEN = re.compile(r" ([0-9]{1,20}) [+-][0-9]+$")
_LAST_SECOND = 253_402_300_799  # of the year 9999: a commit may claim any, and neither Python nor SQLite takes any
_SUBMODULE = "160000"
_FETCHED_REF = "refs/code-insight/fetched"


@dataclass(frozen=True, slots=True)
class RemoteRef:
    """What a remote says that a ref names."""

    name: str  # "refs/heads/main", "refs/tags/v1"; the 40 digits when a commit was asked for
    oid: str  # 40 digits: of the commit, or of an annotated tag that names one


def valid_ref(ref: str) -> str:
    """The same ref, when it is a branch, a tag or 40 digits in plain characters; raises InvalidArgument otherwise."""
    if not _REF.fullmatch(ref):
        raise InvalidArgument(
            "That is not the name of a branch, a tag or a commit.",
            "Give a name such as main or v1.2, or 40 hexadecimal digits.",
        )
    return ref


def git_dir_of(folder: Path) -> Path:
    """The git directory of a work tree or of a bare repository; raises NotFound when the folder is neither.

    It is passed to every command with --git-dir, so that git never looks further up, and does not ask who owns it.
    """
    candidate = folder / ".git"
    if not candidate.exists():
        candidate = folder
    if candidate.is_file() or ((candidate / "objects").is_dir() and (candidate / "HEAD").is_file()):
        return candidate
    raise NotFound(
        f"{folder.name} is not a git repository.", "Give the top folder of a work tree, or a bare repository."
    )


def places(git_dir: Path, limits: GitLimits) -> list[Path]:
    """The folders that a repository is read from, links resolved.

    A file named .git, a link, or a list of alternates may lead anywhere.
    """
    arguments = ["rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir", "--git-path", "objects"]
    output = run(arguments, git_dir=git_dir, limits=limits)
    found = [Path(os.fsdecode(line)).resolve() for line in output.splitlines()]
    for place in found:  # grows: alternates may have alternates
        with contextlib.suppress(OSError):
            for line in (place / "info" / "alternates").read_bytes().splitlines():
                if line and not line.startswith(b"#"):
                    # What git would take out of quotes is not worth a parser: it counts as elsewhere.
                    other = Path("/") if line.startswith(b'"') else (place / os.fsdecode(line)).resolve()
                    found += [other] if other not in found else []
    return found


def create_bare(git_dir: Path, limits: GitLimits) -> None:
    """An empty bare repository stands at `git_dir`, without templates or hooks."""
    git_dir.parent.mkdir(parents=True, exist_ok=True)
    if not (git_dir / "HEAD").is_file():
        run(["init", "-q", "--bare", "--template=", "--", str(git_dir)], limits=limits)


def remote_ref(
    url: CloneUrl, addresses: Iterable[str], ref: str, limits: GitLimits, call: Call, ca_file: str
) -> RemoteRef:
    """What `ref` ("" for the default branch) names at the remote now; transfers no object.

    Raises NotFound with the nearest refs when there is none, RepositoryEmpty when there is no commit at all.
    """
    if _OID.fullmatch(ref):
        return RemoteRef(ref, ref)
    wanted = ["HEAD"] if not ref else [f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/tags/{ref}^{{}}"]
    network = Network(url, tuple(addresses), ca_file)
    found = _ls_remote(network, wanted, limits, call)
    for name in ("HEAD", f"refs/heads/{ref}", f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}"):
        if name in found:
            return RemoteRef(name.removesuffix("^{}"), found[name])
    everything = _ls_remote(network, ["--heads", "--tags"], limits, call)
    if not everything:
        raise RepositoryEmpty(f"{url.name} has no commit, or is not a git repository.", "Check the URL.")
    raise NotFound(f"{url.name} has no branch or tag '{ref or 'HEAD'}'.", _nearest_refs(ref, everything))


def _ls_remote(network: Network, patterns: list[str], limits: GitLimits, call: Call) -> dict[str, str]:
    options = [pattern for pattern in patterns if pattern.startswith("--")]
    refs = [pattern for pattern in patterns if not pattern.startswith("--")]
    output = run(["ls-remote", "-q", *options, "--", network.url.url, *refs], limits=limits, call=call, network=network)
    lines = (line.partition("\t") for line in output.decode("utf-8", "replace").splitlines())
    found = {name: oid for oid, _, name in lines}
    if any(len(oid) == 64 for oid in found.values()):
        raise FetchFailed(f"{network.url.name} names its objects by SHA-256.", "Only SHA-1 repositories are fetched.")
    return {name: oid for name, oid in found.items() if _OID.fullmatch(oid)}


def _nearest_refs(ref: str, found: dict[str, str]) -> str:
    import difflib  # only on this path: it costs the start of the server otherwise

    names = sorted({re.sub(r"^refs/(heads|tags)/|\^\{\}$", "", name) for name in found})
    nearest = difflib.get_close_matches(ref, names, n=5, cutoff=0.4) or names[:5]
    return f"The nearest: {', '.join(nearest)}."


def fetch(
    git_dir: Path,
    url: CloneUrl,
    addresses: Iterable[str],
    ref: RemoteRef,
    limits: GitLimits,
    call: Call,
    ca_file: str,
    depth: int = 1,
) -> str:
    """The 40 digits of the commit that was fetched: `ref`, with its tree and blobs, and `depth` - 1 before it.

    Nobody else may fetch into `git_dir` meanwhile. Raises NotFound when `ref` is a tag of something else.
    """
    network = Network(url, tuple(addresses), ca_file)
    refspec = f"+{ref.name}:{_FETCHED_REF}"
    options = [
        f"--depth={depth}",
        "--no-tags",
        "--no-recurse-submodules",
        "--no-write-fetch-head",
        "--no-auto-gc",
        "--progress",
    ]
    _sweep(git_dir)
    try:
        run(["fetch", *options, "--", url.url, refspec], git_dir=git_dir, limits=limits, call=call, network=network)
    finally:
        _sweep(git_dir)
    try:
        return resolve(git_dir, _FETCHED_REF, limits)
    except NotFound:
        raise NotFound(f"{ref.name} of {url.name} is not a commit.", "Give a branch, or a tag of a commit.") from None


def packs(git_dir: Path) -> int:
    """In how many packs the objects are: each fetch brings one."""
    return len(list(git_dir.glob("objects/pack/*.pack")))


def compact(git_dir: Path, limits: GitLimits, call: Call) -> None:
    """One pack is left, with the commit that was fetched last, and without what came before it."""
    oid = resolve(git_dir, _FETCHED_REF, limits)
    _sweep(git_dir)
    (git_dir / "shallow").write_text(f"{oid}\n", "ascii")
    try:
        run(["repack", "-a", "-d", "-q", "-n"], git_dir=git_dir, limits=limits, call=call)
    finally:
        _sweep(git_dir)


def _sweep(git_dir: Path) -> None:
    """No lock and no half pack is left of a git that was killed: `shallow.lock` would refuse every later fetch."""
    for pattern in (
        "*.lock",
        "refs/code-insight/*.lock",
        "objects/pack/tmp_*",
        "objects/pack/.tmp-*",
        "objects/pack/*.keep",
    ):
        for path in git_dir.glob(pattern):
            path.unlink(missing_ok=True)


def resolve(git_dir: Path, ref: str, limits: GitLimits) -> str:
    """The 40 digits of the commit that `ref` ("" for HEAD) names in a repository on this machine.

    Raises RepositoryEmpty when there is no commit, NotFound with the nearest refs when the ref is unknown.
    """
    name = valid_ref(ref or "HEAD")
    try:
        output = run(
            ["rev-parse", "-q", "--verify", "--end-of-options", f"{name}^{{commit}}"], git_dir=git_dir, limits=limits
        )
    except FetchFailed:
        raise _unknown_ref(git_dir, ref, limits) from None
    return output.decode("ascii").strip()


def _unknown_ref(git_dir: Path, ref: str, limits: GitLimits) -> Exception:
    output = run(["for-each-ref", "--format=%(objectname)%09%(refname)"], git_dir=git_dir, limits=limits)
    lines = (line.partition("\t") for line in output.decode("utf-8", "replace").splitlines())
    found = {name: oid for oid, _, name in lines}
    if not found:
        return RepositoryEmpty("The repository has no commit yet.", "Commit something, then add it again.")
    return NotFound(f"There is no branch, tag or commit '{ref or 'HEAD'}'.", _nearest_refs(ref, found))


def commit(git_dir: Path, oid: str, limits: GitLimits) -> Commit:
    """What a commit says of itself."""
    raw = run(["cat-file", "commit", oid], git_dir=git_dir, limits=limits).decode("utf-8", "replace")
    head, _, message = raw.partition("\n\n")
    fields = {
        line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in head.splitlines() if line[:1].isalpha() and " " in line
    }
    when = _WHEN.search(fields.get("committer", ""))
    seconds = min(int(when[1]), _LAST_SECOND) if when else 0
    return Commit(oid=oid, tree=fields["tree"], time=seconds, subject=message.strip().partition("\n")[0][:200])


def tree(git_dir: Path, oid: str, limits: GitLimits, call: Call) -> list[TreeEntry]:
    """All files of a commit in git's order; raises RepositoryTooLarge past the limit of files.

    Of a path that is not UTF-8, each byte that is not is written out, so that it can be reported: see `path_text`.
    """
    entries = []
    for record in records(["ls-tree", "-r", "-z", "-l", "--full-tree", oid], git_dir, limits, call):
        meta, _, path = record.partition(b"\t")
        mode, _, blob, size = meta.split()
        if size == b"BAD":  # so says ls-tree of a blob that is not there
            raise FetchFailed(*LOST)
        size_bytes = int(size) if size != b"-" else 0
        entries.append(TreeEntry(mode.decode(), blob.decode(), size_bytes, path_text(path)))
        _check_files(len(entries), limits)
    return entries


def _check_files(count: int, limits: GitLimits) -> None:
    """Raises RepositoryTooLarge when a commit has more files than that allows."""
    if count > limits.files:
        raise RepositoryTooLarge(
            f"The commit has more than {limits.files:,} files.", "The operator can raise CODE_INSIGHT_FILES_MAX."
        )


def changed(git_dir: Path, before: str, after: str, limits: GitLimits, call: Call) -> tuple[list[TreeEntry], set[str]]:
    """From one tree to another: the files that are new or other in it, and the paths of all that are not as before.

    Raises FetchFailed when one of the trees, or a file, is not here; RepositoryTooLarge past the limit of files.
    """
    options = ["-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--ignore-submodules=none"]
    fields = records(["diff-tree", *options, before, after], git_dir, limits, call)
    found: list[tuple[str, str, str]] = []
    paths: set[str] = set()
    for meta in fields:
        _, mode, _, oid, status = meta.decode().split()
        path = path_text(next(fields))
        paths.add(path)
        if status != "D":
            found.append((mode, oid, path))
        _check_files(len(found), limits)
    sizes = _sizes(git_dir, {oid for mode, oid, _ in found if mode != _SUBMODULE}, limits, call)
    return [TreeEntry(mode, oid, sizes.get(oid, 0), path) for mode, oid, path in found], paths


def _sizes(git_dir: Path, oids: set[str], limits: GitLimits, call: Call) -> dict[str, int]:
    """Blob → its bytes."""
    if not oids:
        return {}
    with Child(command(["cat-file", "--batch-check"], git_dir), limits, call, with_stdin=True) as child:
        child.feed("".join(f"{oid}\n" for oid in oids).encode())
        lines = [child.readline().split() for _ in oids]
    if any(len(line) != 3 for line in lines):  # "missing"
        raise FetchFailed(*LOST)
    return {oid.decode(): int(size) for oid, _, size in lines}


def blobs(git_dir: Path, oids: Iterable[str], limits: GitLimits, call: Call) -> Iterator[tuple[str, bytes]]:
    """The contents of blobs, in the order asked for; one git process for all of them."""
    wanted = list(oids)
    if not wanted:
        return
    with Child(command(["cat-file", "--batch"], git_dir), limits, call, with_stdin=True) as child:
        child.feed("".join(f"{oid}\n" for oid in wanted).encode())
        for oid in wanted:
            header = child.readline()
            if not header.startswith(oid.encode() + b" blob "):
                raise FetchFailed(*LOST)
            data = child.read_exactly(int(header.split()[2]) + 1)
            yield oid, data[:-1]
