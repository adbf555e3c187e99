"""Runs git: what a ref names, which files a commit has, what is in them. Objects only: no checkout, hook or filter.

Each child is git's plumbing with an environment made from nothing, its own process group, limits on memory, output and
time, and no terminal. Why each setting stands here: docs/operating.md, "How git is run".
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from code_insight.clone_url import CloneUrl
from code_insight.errors import (
    Cancelled,
    FetchFailed,
    InsightError,
    InvalidArgument,
    NotFound,
    RepositoryEmpty,
    RepositoryTooLarge,
    StorageFailed,
    TookTooLong,
)
from code_insight.model import Commit, TreeEntry

_OID = re.compile(r"[0-9a-f]{40}")
_REF = re.compile(r"(?!.*(?:\.\.|//|@\{|\.lock(?:/|$)))[A-Za-z0-9_][A-Za-z0-9._/+@-]{0,198}")
_PROGRESS = re.compile(rb"(?:remote: )?([A-Z][a-z ]+):\s+(\d{1,3})%")
_WHEN = re.compile(r" ([0-9]{1,20}) [+-][0-9]+$")
_LAST_SECOND = 253_402_300_799  # of the year 9999: a commit may claim any, and neither Python nor SQLite takes any
_FETCHED_REF = "refs/code-insight/fetched"


@dataclass(frozen=True, slots=True)
class GitLimits:
    """What one git child may use."""

    seconds: float = 300.0  # wall clock that one command may keep its caller waiting
    memory_bytes: int = 1 << 30  # address space
    file_bytes: int = 1 << 30  # largest file that it may write: the pack
    output_bytes: int = 64 << 20  # of a command whose whole output is kept
    files: int = 100_000  # paths of one commit


def never() -> bool:
    """The `cancelled` of a caller who waits for ever."""
    return False


@dataclass(frozen=True, slots=True)
class Call:
    """Who asks: whether he still waits, and who hears of progress (a phase such as "Receiving objects", 0 to 100)."""

    cancelled: Callable[[], bool] = never
    progress: Callable[[str, int], None] = lambda _phase, _percent: None


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
    output = _run(arguments, git_dir=git_dir, limits=limits)
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
        _run(["init", "-q", "--bare", "--template=", "--", str(git_dir)], limits=limits)


def remote_ref(
    url: CloneUrl, addresses: Iterable[str], ref: str, limits: GitLimits, call: Call, ca_file: str
) -> RemoteRef:
    """What `ref` ("" for the default branch) names at the remote now; transfers no object.

    Raises NotFound with the nearest refs when there is none, RepositoryEmpty when there is no commit at all.
    """
    if _OID.fullmatch(ref):
        return RemoteRef(ref, ref)
    wanted = ["HEAD"] if not ref else [f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/tags/{ref}^{{}}"]
    network = _Network(url, tuple(addresses), ca_file)
    found = _ls_remote(network, wanted, limits, call)
    for name in ("HEAD", f"refs/heads/{ref}", f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}"):
        if name in found:
            return RemoteRef(name.removesuffix("^{}"), found[name])
    everything = _ls_remote(network, ["--heads", "--tags"], limits, call)
    if not everything:
        raise RepositoryEmpty(f"{url.name} has no commit, or is not a git repository.", "Check the URL.")
    raise NotFound(f"{url.name} has no branch or tag '{ref or 'HEAD'}'.", _nearest_refs(ref, everything))


def _ls_remote(network: _Network, patterns: list[str], limits: GitLimits, call: Call) -> dict[str, str]:
    options = [pattern for pattern in patterns if pattern.startswith("--")]
    refs = [pattern for pattern in patterns if not pattern.startswith("--")]
    output = _run(
        ["ls-remote", "-q", *options, "--", network.url.url, *refs], limits=limits, call=call, network=network
    )
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
    git_dir: Path, url: CloneUrl, addresses: Iterable[str], ref: RemoteRef, limits: GitLimits, call: Call, ca_file: str
) -> str:
    """The 40 digits of the commit that was fetched: `ref`, with its tree and blobs and without its history.

    Nobody else may fetch into `git_dir` meanwhile. Raises NotFound when `ref` is a tag of something else.
    """
    network = _Network(url, tuple(addresses), ca_file)
    refspec = f"+{ref.name}:{_FETCHED_REF}"
    options = [
        "--depth=1",
        "--no-tags",
        "--no-recurse-submodules",
        "--no-write-fetch-head",
        "--no-auto-gc",
        "--progress",
    ]
    _sweep(git_dir)
    try:
        _run(["fetch", *options, "--", url.url, refspec], git_dir=git_dir, limits=limits, call=call, network=network)
    finally:
        _sweep(git_dir)
    try:
        return resolve(git_dir, _FETCHED_REF, limits)
    except NotFound:
        raise NotFound(f"{ref.name} of {url.name} is not a commit.", "Give a branch, or a tag of a commit.") from None


def _sweep(git_dir: Path) -> None:
    """No lock and no half pack is left of a git that was killed: `shallow.lock` would refuse every later fetch."""
    for pattern in ("*.lock", "refs/code-insight/*.lock", "objects/pack/tmp_*", "objects/pack/*.keep"):
        for path in git_dir.glob(pattern):
            path.unlink(missing_ok=True)


def resolve(git_dir: Path, ref: str, limits: GitLimits) -> str:
    """The 40 digits of the commit that `ref` ("" for HEAD) names in a repository on this machine.

    Raises RepositoryEmpty when there is no commit, NotFound with the nearest refs when the ref is unknown.
    """
    name = valid_ref(ref or "HEAD")
    try:
        output = _run(
            ["rev-parse", "-q", "--verify", "--end-of-options", f"{name}^{{commit}}"], git_dir=git_dir, limits=limits
        )
    except FetchFailed:
        raise _unknown_ref(git_dir, ref, limits) from None
    return output.decode("ascii").strip()


def _unknown_ref(git_dir: Path, ref: str, limits: GitLimits) -> Exception:
    output = _run(["for-each-ref", "--format=%(objectname)%09%(refname)"], git_dir=git_dir, limits=limits)
    lines = (line.partition("\t") for line in output.decode("utf-8", "replace").splitlines())
    found = {name: oid for oid, _, name in lines}
    if not found:
        return RepositoryEmpty("The repository has no commit yet.", "Commit something, then add it again.")
    return NotFound(f"There is no branch, tag or commit '{ref or 'HEAD'}'.", _nearest_refs(ref, found))


def commit(git_dir: Path, oid: str, limits: GitLimits) -> Commit:
    """What a commit says of itself."""
    raw = _run(["cat-file", "commit", oid], git_dir=git_dir, limits=limits).decode("utf-8", "replace")
    head, _, message = raw.partition("\n\n")
    fields = {
        line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in head.splitlines() if line[:1].isalpha() and " " in line
    }
    when = _WHEN.search(fields.get("committer", ""))
    seconds = min(int(when[1]), _LAST_SECOND) if when else 0
    return Commit(oid=oid, tree=fields["tree"], time=seconds, subject=message.strip().partition("\n")[0][:200])


def tree(git_dir: Path, oid: str, limits: GitLimits, call: Call) -> list[TreeEntry]:
    """All files of a commit in git's order; raises RepositoryTooLarge past the limit of files.

    Paths that are not UTF-8 are kept with surrogate escapes, so that they can be reported.
    """
    entries = []
    for record in _records(["ls-tree", "-r", "-z", "-l", "--full-tree", oid], git_dir, limits, call):
        meta, _, path = record.partition(b"\t")
        mode, _, blob, size = meta.split()
        if size == b"BAD":  # so says ls-tree of a blob that is not there
            raise FetchFailed(*_LOST)
        size_bytes = int(size) if size != b"-" else 0
        entries.append(TreeEntry(mode.decode(), blob.decode(), size_bytes, path.decode("utf-8", "surrogateescape")))
        if len(entries) > limits.files:
            raise RepositoryTooLarge(
                f"The commit has more than {limits.files:,} files.", "The operator can raise CODE_INSIGHT_FILES_MAX."
            )
    return entries


def _records(arguments: list[str], git_dir: Path, limits: GitLimits, call: Call) -> Iterator[bytes]:
    with _Child(_command(arguments, git_dir), limits, call) as child:
        rest = b""
        while chunk := child.read(1 << 16):
            *records, rest = (rest + chunk).split(b"\0")
            yield from records
        child.check()


def blobs(git_dir: Path, oids: Iterable[str], limits: GitLimits, call: Call) -> Iterator[tuple[str, bytes]]:
    """The contents of blobs, in the order asked for; one git process for all of them."""
    wanted = list(oids)
    if not wanted:
        return
    with _Child(_command(["cat-file", "--batch"], git_dir), limits, call, with_stdin=True) as child:
        feeder = threading.Thread(target=child.write_and_close, args=("".join(f"{oid}\n" for oid in wanted).encode(),))
        feeder.start()
        try:
            for oid in wanted:
                header = child.readline()
                if not header.startswith(oid.encode() + b" blob "):
                    raise FetchFailed(*_LOST)
                data = child.read_exactly(int(header.split()[2]) + 1)
                yield oid, data[:-1]
        finally:
            child.kill()
            feeder.join()


# How git is run.


@dataclass(frozen=True, slots=True)
class _Network:
    """The one place that a git child may talk to."""

    url: CloneUrl
    addresses: tuple[str, ...]
    ca_file: str


_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "/bin/true",
    "SSH_ASKPASS": "/bin/true",
    "GIT_PROTOCOL_FROM_USER": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
}
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "credential.helper=",
    "core.bigFileThreshold=1m",
    "core.packedGitWindowSize=32m",
    "core.packedGitLimit=256m",
    "core.commitGraph=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "log.showSignature=false",
)
_NETWORK_SETTINGS = (
    "http.followRedirects=false",
    "http.proxy=",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=20",
    "transfer.fsckObjects=true",
    "transfer.bundleURI=false",
    "fetch.uriProtocols=",
    "fetch.unpackLimit=1",
    "pack.threads=1",
)


def _environment(network: _Network | None) -> dict[str, str]:
    environment = {**_ENVIRONMENT, "GIT_ALLOW_PROTOCOL": "https" if network else "none"}
    if network and network.ca_file:
        environment["GIT_SSL_CAINFO"] = network.ca_file
    return environment


def _command(arguments: list[str], git_dir: Path | None, network: _Network | None = None) -> list[str]:
    settings = list(_SETTINGS)
    if network:
        pinned = ",".join(f"[{address}]" if ":" in address else address for address in network.addresses)
        settings += [*_NETWORK_SETTINGS, f"http.curloptResolve={network.url.host}:{network.url.port}:{pinned}"]
    options = [option for setting in settings for option in ("-c", setting)]
    return ["git", *([f"--git-dir={git_dir}"] if git_dir else []), *options, *arguments]


def _run(
    arguments: list[str],
    *,
    limits: GitLimits,
    git_dir: Path | None = None,
    call: Call | None = None,
    network: _Network | None = None,
) -> bytes:
    """The whole output of one command; raises FetchFailed, TookTooLong, RepositoryTooLarge or Cancelled."""
    with _Child(_command(arguments, git_dir, network), limits, call or Call(), network=network) as child:
        output = bytearray()
        while chunk := child.read(1 << 16):
            output += chunk
            if len(output) > limits.output_bytes:
                raise RepositoryTooLarge("git printed more than this server reads.", "Index a smaller repository.")
        child.check()
        return bytes(output)


class _Child:
    """One git process: reads with a deadline, an ear for cancellation, and an end that leaves no process behind."""

    def __init__(
        self,
        command: list[str],
        limits: GitLimits,
        call: Call,
        *,
        network: _Network | None = None,
        with_stdin: bool = False,
    ) -> None:
        self._limits, self._call = limits, call
        self._waited_seconds = 0.0
        self._stderr = b""
        self._buffer = bytearray()
        self._process = _spawn(command, _environment(network), with_stdin)
        _limit(self._process.pid, limits)
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._selector = selectors.DefaultSelector()
        for pipe in (self._process.stdout, self._process.stderr):
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()

    def kill(self) -> None:
        """The process and its children have ended."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def write_and_close(self, data: bytes) -> None:
        """All of `data` has been written to the child, or the child has ended."""
        assert self._process.stdin
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(data)
            self._process.stdin.close()

    def read(self, most: int) -> bytes:
        """At most `most` bytes of the child's output; b"" at its end."""
        if not self._buffer:
            self._fill()
        chunk = bytes(self._buffer[:most])
        del self._buffer[:most]
        return chunk

    def readline(self) -> bytes:
        """One line, with its end; less when the output ends."""
        while b"\n" not in self._buffer and self._fill():
            pass
        end = self._buffer.find(b"\n") + 1 or len(self._buffer)
        return self.read(end)

    def read_exactly(self, count: int) -> bytes:
        """`count` bytes; raises FetchFailed when the output ends before."""
        while len(self._buffer) < count and self._fill():
            pass
        if len(self._buffer) < count:
            self.check()
            raise FetchFailed("git ended in the middle of a file.", "Add the repository again.")
        return self.read(count)

    def check(self) -> None:
        """The child has ended well; raises what its end means otherwise."""
        try:
            code = self._process.wait(timeout=self._limits.seconds)
        except subprocess.TimeoutExpired:
            raise TookTooLong("git said all it had to say, and did not end.", "Try again.") from None
        if code == 0:
            return
        raise _meaning(self._stderr)

    def _fill(self) -> bool:
        """More output stands in the buffer; False at its end."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        while self._selector.get_map():
            began = time.monotonic()
            for key, _ in self._selector.select(timeout=0.2):
                chunk = os.read(key.fd, 1 << 16)
                if not chunk:
                    self._selector.unregister(key.fileobj)
                elif key.fd == self._process.stderr.fileno():
                    self._hear(chunk)
                else:
                    self._buffer += chunk
            if self._call.cancelled():
                raise Cancelled("The call was cancelled.")
            self._waited_seconds += time.monotonic() - began
            if self._waited_seconds > self._limits.seconds:
                raise TookTooLong(
                    f"git took longer than {self._limits.seconds:.0f} s.", "Try again, or a smaller repository."
                )
            if self._buffer:
                return True
        return False

    def _hear(self, chunk: bytes) -> None:
        self._stderr = (self._stderr + chunk)[-1024:]
        for match in _PROGRESS.finditer(chunk):
            self._call.progress(match[1].decode(), int(match[2]))


def _spawn(command: list[str], environment: dict[str, str], with_stdin: bool) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE if with_stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            restore_signals=False,  # SIGXFSZ stays ignored: git then says "File too large" and cleans up
        )
    except FileNotFoundError:
        raise FetchFailed("git is not installed where this server runs.", "Install git.") from None


def _limit(pid: int, limits: GitLimits) -> None:
    """The child, which has hardly begun, is held to its limits (Linux only: prlimit(2))."""
    if not hasattr(resource, "prlimit"):
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        resource.prlimit(pid, resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


# git's words, and the fixed words that a caller sees instead: a reply of an internal service never leaves this room.
_LOST = "The repository has lost an object.", "Run `git fsck` in it, or add it again."
_PRIVATE = "The repository does not exist, or is private.", "Check owner and name."
_REDIRECTS = "The host redirects to another address.", "Give the address it redirects to."
_MEANINGS: tuple[tuple[bytes, type[InsightError], tuple[str, str]], ...] = (
    (b"could not resolve host", FetchFailed, ("The host cannot be resolved.", "Check the URL.")),
    (b"connection refused", FetchFailed, ("The host refuses connections.", "Check the URL, or try again later.")),
    (b"failed to connect", FetchFailed, ("The host cannot be reached.", "Check the URL, or try again later.")),
    (b"couldn't connect", FetchFailed, ("The host cannot be reached.", "Check the URL, or try again later.")),
    (b"timed out", FetchFailed, ("The host does not answer.", "Try again later.")),
    (b"terminal prompts disabled", FetchFailed, _PRIVATE),
    (b"authentication failed", FetchFailed, _PRIVATE),
    (b"returned error: 40", FetchFailed, _PRIVATE),
    (b"not found", FetchFailed, _PRIVATE),
    (b"returned error: 30", FetchFailed, _REDIRECTS),
    (b"unable to update url base from redirection", FetchFailed, _REDIRECTS),
    (b"certificate", FetchFailed, ("The host's TLS certificate is not trusted.", "Check the URL.")),
    (b"couldn't find remote ref", NotFound, ("The ref is gone.", "Add the repository again.")),
    (b"not our ref", NotFound, ("The repository has no such commit.", "Give a branch, a tag or another commit.")),
    (
        b"out of memory",
        RepositoryTooLarge,
        (
            "The repository needs more memory than git may use here.",
            "The operator can raise CODE_INSIGHT_GIT_MEMORY_BYTES_MAX.",
        ),
    ),
    (
        b"file too large",
        RepositoryTooLarge,
        ("The repository is larger than this server fetches.", "The operator can raise CODE_INSIGHT_CLONE_BYTES_MAX."),
    ),
    (
        b"no space left",
        StorageFailed,
        ("The server's disk is full.", "Free some space, then try again."),
    ),
    (b"fsck error", FetchFailed, ("The repository has objects that git's checks refuse.", "It cannot be indexed.")),
    (b"not a valid object name", FetchFailed, ("There is no such object.", "Add the repository again.")),
)
_UNKNOWN = "git could not read the repository.", "Check that the URL or folder is a git repository."


def _meaning(stderr: bytes) -> InsightError:
    lowered = stderr.lower()
    for words, error, sentences in _MEANINGS:
        if words in lowered:
            return error(*sentences)
    return FetchFailed(*_UNKNOWN)
