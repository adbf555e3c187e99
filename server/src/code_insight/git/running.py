"""How git is run: an environment made from nothing, its own process group, limits on memory, output and time.

Why each setting stands here: docs/operating.md, "How git is run".
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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from code_insight.clone_url import CloneUrl
from code_insight.errors import (
    Cancelled,
    FetchFailed,
    InsightError,
    NotFound,
    RepositoryTooLarge,
    StorageFailed,
    TookTooLong,
)

NO_CHARACTER = "\ufffd"
_NO_TEXT = re.compile("[\udc80-\udcff\ufffd]")
_PROGRESS = re.compile(rb"(?:remote: )?([A-Z][a-z ]+):\s+(\d{1,3})%")


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
class Network:
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
    "core.deltaBaseCacheLimit=8m",
    "core.packedGitWindowSize=4m",
    "core.packedGitLimit=8m",
    "core.commitGraph=false",
    "pack.threads=1",
    "pack.windowMemory=64m",
    "pack.deltaCacheSize=32m",
    "repack.writeBitmaps=false",
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
)


def _environment(network: Network | None) -> dict[str, str]:
    environment = {**_ENVIRONMENT, "GIT_ALLOW_PROTOCOL": "https" if network else "none"}
    if network and network.ca_file:
        environment["GIT_SSL_CAINFO"] = network.ca_file
    return environment


def command(arguments: list[str], git_dir: Path | None, network: Network | None = None) -> list[str]:
    settings = list(_SETTINGS)
    if network:
        pinned = ",".join(f"[{address}]" if ":" in address else address for address in network.addresses)
        settings += [*_NETWORK_SETTINGS, f"http.curloptResolve={network.url.host}:{network.url.port}:{pinned}"]
    options = [option for setting in settings for option in ("-c", setting)]
    return ["git", *([f"--git-dir={git_dir}"] if git_dir else []), *options, *arguments]


def path_text(raw: bytes) -> str:
    """A path as text: bytes that are not UTF-8, and U+FFFD itself, as U+FFFD and two digits each.

    So two paths are never one text, and a text with U+FFFD in it is no path as it stands.
    """
    return _NO_TEXT.sub(lambda match: _written_out(match[0]), raw.decode("utf-8", "surrogateescape"))


def _written_out(character: str) -> str:
    raw = character.encode("utf-8", "surrogateescape")
    return "".join(f"{NO_CHARACTER}{byte:02x}" for byte in raw)


def records(
    arguments: list[str], git_dir: Path, limits: GitLimits, call: Call, stdin: bytes | None = None
) -> Iterator[bytes]:
    """What a command prints, parted at the NULs; raises what its end means."""
    with Child(command(arguments, git_dir), limits, call, with_stdin=stdin is not None) as child:
        if stdin is not None:
            child.feed(stdin)
        rest = b""
        while chunk := child.read(1 << 16):
            *whole, rest = (rest + chunk).split(b"\0")
            yield from whole
        child.check()


def run(
    arguments: list[str],
    *,
    limits: GitLimits,
    git_dir: Path | None = None,
    call: Call | None = None,
    network: Network | None = None,
) -> bytes:
    """The whole output of one command; raises FetchFailed, TookTooLong, RepositoryTooLarge or Cancelled."""
    with Child(command(arguments, git_dir, network), limits, call or Call(), network=network) as child:
        output = bytearray()
        while chunk := child.read(1 << 16):
            output += chunk
            if len(output) > limits.output_bytes:
                raise RepositoryTooLarge("git printed more than this server reads.", "Index a smaller repository.")
        child.check()
        return bytes(output)


class Child:
    """One git process: reads with a deadline, an ear for cancellation, and an end that leaves no process behind."""

    def __init__(
        self,
        command: list[str],
        limits: GitLimits,
        call: Call,
        *,
        network: Network | None = None,
        with_stdin: bool = False,
    ) -> None:
        self._limits, self._call = limits, call
        self._waited_seconds = 0.0
        self._stderr = b""
        self._buffer = bytearray()
        self._feeder: threading.Thread | None = None
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
        if self._feeder:
            self._feeder.join()
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

    def feed(self, data: bytes) -> None:
        """All of `data` is on its way to the child, and then the end of its input."""
        self._feeder = threading.Thread(target=self._write_and_close, args=(data,))
        self._feeder.start()

    def _write_and_close(self, data: bytes) -> None:
        assert self._process.stdin
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(data)
            self._process.stdin.close()

    def write(self, data: bytes) -> None:
        """A request of a few bytes has been written to the child, or the child has ended."""
        assert self._process.stdin
        with contextlib.suppress(OSError):
            self._process.stdin.write(data)
            self._process.stdin.flush()

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

    def skip(self, count: int) -> None:
        """The next `count` bytes are left out."""
        while count > 0:
            count -= len(self.read_exactly(min(count, 1 << 16)))

    def check(self) -> None:
        """The child has ended well; raises what its end means otherwise."""
        try:
            code = self._process.wait(timeout=self._limits.seconds)
        except subprocess.TimeoutExpired:
            raise TookTooLong("git said all it had to say, and did not end.", "Try again.") from None
        if code == 0:
            return
        if code == -signal.SIGKILL:  # not by us, so by the kernel: the machine's own memory came to its end
            raise RepositoryTooLarge(*_NO_MEMORY)
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
    """The child, which has hardly begun, is held to its limits (Linux only: prlimit(2), proc(5))."""
    if not hasattr(resource, "prlimit"):
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        resource.prlimit(pid, resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # when memory runs out, it is the first to go, and not this server
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000")


# git's words, and the fixed words that a caller sees instead: a reply of an internal service never leaves this room.
LOST = "The repository has lost an object.", "Run `git fsck` in it, or add it again."
_PRIVATE = "The repository does not exist, or is private.", "Check owner and name."
_REDIRECTS = "The host redirects to another address.", "Give the address it redirects to."
_NO_MEMORY = (
    "The repository needs more memory than git may use here.",
    "The operator can raise CODE_INSIGHT_GIT_MEMORY_BYTES_MAX, or give the machine more.",
)
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
    (b"out of memory", RepositoryTooLarge, _NO_MEMORY),
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
    if b"invalid index-pack output" in lowered and lowered.count(b"fatal: ") == 1:
        return RepositoryTooLarge(*_NO_MEMORY)  # what unpacks ended without a word: the kernel has killed it
    return FetchFailed(*_UNKNOWN)
