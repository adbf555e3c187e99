"""git as we run it: what it reads, what it refuses, how it ends."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from code_insight import git
from code_insight.clone_url import CloneUrl
from code_insight.errors import (
    Cancelled,
    FetchFailed,
    InsightError,
    InvalidArgument,
    NotFound,
    RepositoryEmpty,
    RepositoryTooLarge,
    TookTooLong,
)
from code_insight.git import Call, GitLimits, RemoteRef

from tests.server.git_server import SECRET, GitHost
from tests.server.places import Repository

LIMITS = GitLimits(seconds=20)
CALL = Call()


# A repository on this machine.


def test_a_ref_is_a_branch_a_tag_or_a_commit(repository: Repository) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.git("tag", "-a", "v1.0", "-m", "one")
    repository.git("branch", "feature/x")
    second = repository.commit({"a.txt": "a"})
    named = {ref: git.resolve(repository.git_dir, ref, LIMITS) for ref in ("", "main", "v1.0", "feature/x", first)}
    assert named == {"": second, "main": second, "v1.0": first, "feature/x": first, first: first}


def test_an_unknown_ref_is_answered_with_the_nearest(repository: Repository) -> None:
    repository.git("branch", "release-1.2")
    with pytest.raises(NotFound, match=r"no branch, tag or commit 'release-1\.3'.*nearest: release-1\.2"):
        git.resolve(repository.git_dir, "release-1.3", LIMITS)


@pytest.mark.parametrize("oid", ["0" * 40, "1" * 40])
def test_a_commit_that_is_not_there_is_not_found(repository: Repository, oid: str) -> None:
    with pytest.raises(NotFound):
        git.resolve(repository.git_dir, oid, LIMITS)


def test_a_tree_is_not_a_commit(repository: Repository) -> None:
    with pytest.raises(NotFound):
        git.resolve(repository.git_dir, repository.git("rev-parse", "HEAD^{tree}"), LIMITS)


def test_a_repository_without_a_commit_is_empty(tmp_path: Path) -> None:
    with pytest.raises(RepositoryEmpty):
        git.resolve(Repository(tmp_path / "new").git_dir, "", LIMITS)


def test_a_head_without_a_commit_is_answered_with_the_branches_that_have_one(repository: Repository) -> None:
    repository.git("symbolic-ref", "HEAD", "refs/heads/nothing-yet")
    with pytest.raises(NotFound, match="nearest: main"):
        git.resolve(repository.git_dir, "", LIMITS)


@pytest.mark.parametrize(
    "ref",
    [
        "--output=PWN",
        "-x",
        "HEAD@{1 year ago}",
        "@{-1}",
        "HEAD^{/re}",
        "HEAD^",
        "HEAD~1",
        "a..b",
        "main:README.md",
        ":/first",
        "HEAD\nHEAD",
        "main\n",
        "refs/heads/$(id)",
        "a b",
        "a\x00b",
        "../../etc/passwd",
        ".hidden",
        "a//b",
        "a.lock",
        "a.lock/b",
        "ä",
        "a" * 200,
    ],
)
def test_what_is_more_than_a_plain_name_is_no_ref(repository: Repository, ref: str) -> None:
    with pytest.raises(InvalidArgument, match="not the name of a branch"):
        git.resolve(repository.git_dir, ref, LIMITS)


def test_a_commit_says_who_it_is(repository: Repository) -> None:
    repository.git("commit", "-q", "--allow-empty", "-m", "A subject\n\nand a body")
    commit = git.commit(repository.git_dir, git.resolve(repository.git_dir, "", LIMITS), LIMITS)
    assert commit.tree == repository.git("rev-parse", "HEAD^{tree}")
    assert (commit.time, commit.subject) == (1767225600, "A subject")


@pytest.mark.parametrize(
    ("when", "time_"),
    [("99999999999999999999 +0000", 253_402_300_799), ("-5 +0000", 0), ("² +0000", 0), ("", 0), ("soon", 0)],
)
def test_a_commit_may_lie_about_its_time(repository: Repository, when: str, time_: int) -> None:
    tree = repository.git("rev-parse", "HEAD^{tree}")
    oid = repository.commit_object(f"tree {tree}\nauthor a <a> 1 +0000\ncommitter a <a> {when}\n\nx\n".encode())
    assert git.commit(repository.git_dir, oid, LIMITS).time == time_


def test_a_commit_may_have_a_message_that_is_not_utf8(repository: Repository) -> None:
    tree = repository.git("rev-parse", "HEAD^{tree}").encode()
    oid = repository.commit_object(b"tree %s\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\n\xff\xfe\n" % tree)
    assert git.commit(repository.git_dir, oid, LIMITS).subject == "\ufffd\ufffd"


def test_a_tree_is_listed_with_odd_paths(tmp_path: Path) -> None:
    odd = Repository(tmp_path / "odd")
    names = [b" a b", b'"quoted"', b"a\tb", b"new\nline", b"z\xff\xfe.py", "é.py".encode()]
    commit = odd.commit_tree(*(("100644", odd.blob(b"x"), name) for name in names))
    entries = git.tree(odd.git_dir, commit, LIMITS, CALL)
    written_out = [" a b", '"quoted"', "a\tb", "new\nline", "z\ufffdff\ufffdfe.py", "é.py"]
    assert [entry.path for entry in entries] == written_out
    assert {entry.size_bytes for entry in entries} == {1}


def test_a_tree_is_listed_with_symlinks_and_submodules(tmp_path: Path) -> None:
    odd = Repository(tmp_path / "odd")
    target = odd.blob(b"/etc/passwd")
    commit = odd.commit_tree(("120000", target, b"link"), ("160000", "1" * 40, b"module"))
    listed = [(entry.mode, entry.oid, entry.size_bytes) for entry in git.tree(odd.git_dir, commit, LIMITS, CALL)]
    assert listed == [("120000", target, 11), ("160000", "1" * 40, 0)]


def test_a_commit_with_more_files_than_allowed_is_too_large(repository: Repository) -> None:
    commit = repository.git("rev-parse", "HEAD")
    with pytest.raises(RepositoryTooLarge, match=r"more than 2 files.*CODE_INSIGHT_FILES_MAX"):
        git.tree(repository.git_dir, commit, GitLimits(files=2), CALL)


def test_a_tree_of_a_hundred_million_files_is_too_large_at_once(tmp_path: Path) -> None:
    """A pack of 700 bytes is enough: ten trees, each of which has the one before under ten names."""
    bomb = Repository(tmp_path / "bomb")
    mode, oid = "100644", bomb.blob(b"bomb")
    for _ in range(8):
        entries = b"".join(mode.encode() + b" d%d\0" % number + bytes.fromhex(oid) for number in range(10))
        oid, mode = bomb.git("hash-object", "-t", "tree", "-w", "--stdin", stdin=entries), "40000"
    commit = bomb.commit_object(f"tree {oid}\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\nx\n".encode())
    with pytest.raises(RepositoryTooLarge):
        git.tree(bomb.git_dir, commit, GitLimits(files=5_000), CALL)


def test_a_file_whose_content_is_lost_is_an_error_of_the_repository(tmp_path: Path) -> None:
    broken = Repository(tmp_path / "broken")
    commit = broken.commit_tree(("100644", "1" * 40, b"lost.py"))
    with pytest.raises(FetchFailed, match="lost an object"):
        git.tree(broken.git_dir, commit, LIMITS, CALL)
    with pytest.raises(FetchFailed, match="lost an object"):
        list(git.blobs(broken.git_dir, ["1" * 40], LIMITS, CALL))


def test_blobs_come_in_the_order_asked_for(repository: Repository) -> None:
    contents = [b"", b"\n", b"no end", b"\0binary\n\n", b"x" * 300_000]
    oids = [repository.blob(content) for content in contents]
    asked = [*oids, *reversed(oids)]
    got = list(git.blobs(repository.git_dir, asked, LIMITS, CALL))
    assert got == list(zip(asked, [*contents, *reversed(contents)], strict=True))


def test_ten_thousand_blobs_take_one_process(repository: Repository) -> None:
    """More is asked than a pipe holds: who writes all questions before he reads an answer waits for ever."""
    oid = repository.blob(b"text" * 100)
    assert sum(1 for _ in git.blobs(repository.git_dir, [oid] * 10_000, LIMITS, CALL)) == 10_000


def test_blobs_that_nobody_reads_any_more_leave_no_process(repository: Repository) -> None:
    blobs = git.blobs(repository.git_dir, [repository.blob(b"x" * 100_000)] * 100, LIMITS, CALL)
    next(blobs)
    assert _children()
    blobs.close()  # type: ignore[attr-defined]
    assert not _children()


def test_what_git_prints_is_bounded(repository: Repository) -> None:
    with pytest.raises(RepositoryTooLarge, match="printed more"):
        git.commit(repository.git_dir, git.resolve(repository.git_dir, "", LIMITS), GitLimits(output_bytes=10))


def test_a_folder_without_git_is_not_a_repository(repository: Repository, tmp_path: Path) -> None:
    (repository.folder / "src").mkdir(exist_ok=True)
    for folder in (tmp_path, repository.folder / "src"):
        with pytest.raises(NotFound, match="not a git repository"):
            git.git_dir_of(folder)


def test_a_bare_repository_and_a_linked_work_tree_are_repositories(repository: Repository, tmp_path: Path) -> None:
    repository.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    repository.git("worktree", "add", "-q", str(tmp_path / "linked"))
    heads = {git.resolve(git.git_dir_of(tmp_path / name), "", LIMITS) for name in ("flask", "bare.git", "linked")}
    assert heads == {repository.git("rev-parse", "HEAD")}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_repository_may_belong_to_somebody_else(repository: Repository) -> None:
    os.chown(repository.folder, 12345, 12345)
    os.chown(repository.git_dir, 12345, 12345)
    assert git.resolve(repository.git_dir, "main", LIMITS)


def test_a_hostile_configuration_runs_nothing(repository: Repository, tmp_path: Path) -> None:
    """Each of these is a program that git runs of its own accord for one command or another."""
    proof = tmp_path / "proof"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho ran >> {proof}\ncat\n")
    program.chmod(0o755)
    for hook in ("post-checkout", "reference-transaction", "post-index-change", "fsmonitor-watchman"):
        (repository.git_dir / "hooks").mkdir(exist_ok=True)
        (repository.git_dir / "hooks" / hook).write_bytes(program.read_bytes())
        (repository.git_dir / "hooks" / hook).chmod(0o755)
    for name, value in {
        "core.fsmonitor": str(program),
        "core.pager": str(program),
        "pager.cat-file": "true",
        "core.sshCommand": str(program),
        "core.alternateRefsCommand": str(program),
        "gpg.program": str(program),
        "log.showSignature": "true",
        "diff.external": str(program),
        "diff.odd.textconv": str(program),
        "filter.odd.smudge": str(program),
        "filter.odd.process": str(program),
        "alias.ls-tree": f"!{program}",
        "alias.cat-file": f"!{program}",
        "remote.origin.url": f"ext::{program}",
        "remote.origin.promisor": "true",
        "remote.origin.partialclonefilter": "blob:none",
        "extensions.partialClone": "origin",
        "protocol.ext.allow": "always",
        "protocol.allow": "always",
    }.items():
        repository.git("config", name, value)
    (repository.git_dir / "info" / "attributes").write_text("* diff=odd filter=odd\n")

    commit = git.resolve(repository.git_dir, "main", LIMITS)
    git.commit(repository.git_dir, commit, LIMITS)
    oids = [entry.oid for entry in git.tree(repository.git_dir, commit, LIMITS, CALL)]
    assert len(list(git.blobs(repository.git_dir, oids, LIMITS, CALL))) == 3
    with pytest.raises(InsightError):  # a promised object would be fetched from the remote, through the program
        list(git.blobs(repository.git_dir, ["1" * 40], LIMITS, CALL))
    with pytest.raises(InsightError):
        git.resolve(repository.git_dir, "2" * 40, LIMITS)
    assert not proof.exists()


def test_the_callers_environment_has_no_effect(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "GIT_DIR": "/nonexistent",
        "GIT_OBJECT_DIRECTORY": "/nonexistent",
        "GIT_NAMESPACE": "other",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.bare",
        "GIT_CONFIG_VALUE_0": "nonsense",
        "GIT_TRACE": "1",
        "LD_PRELOAD": "",
        "LANG": "de_DE.UTF-8",
    }.items():
        monkeypatch.setenv(name, value)
    assert git.resolve(repository.git_dir, "main", LIMITS)


def test_a_repository_with_sha256_names_is_read_from_a_folder(tmp_path: Path) -> None:
    modern = Repository(tmp_path / "modern", "--object-format=sha256")
    modern.commit({"a.txt": "hello"})
    commit = git.resolve(modern.git_dir, "", LIMITS)
    [entry] = git.tree(modern.git_dir, commit, LIMITS, CALL)
    assert list(git.blobs(modern.git_dir, [entry.oid], LIMITS, CALL)) == [(entry.oid, b"hello")]


# A repository at a host.


class _Clone:
    """What is needed to ask a git host, and a bare repository for what it sends."""

    def __init__(self, host: GitHost, git_dir: Path) -> None:
        self.host, self.git_dir = host, git_dir
        self.addresses: tuple[str, ...] = ("127.0.0.1",)
        self.ca_file = str(host.ca_file)

    def url(self, path: str) -> CloneUrl:
        return CloneUrl("localhost", self.host.server_port, f"/{path}")

    def ask(self, path: str, ref: str = "", limits: GitLimits = LIMITS, call: Call = CALL) -> RemoteRef:
        return git.remote_ref(self.url(path), self.addresses, ref, limits, call, self.ca_file)

    def fetch(self, path: str, ref: str = "", limits: GitLimits = LIMITS, call: Call = CALL) -> str:
        git.create_bare(self.git_dir, LIMITS)
        known = self.ask(path.removeprefix("cut/"), ref)
        return git.fetch(self.git_dir, self.url(path), self.addresses, known, limits, call, self.ca_file)


@pytest.fixture
def clone(host: GitHost, tmp_path: Path) -> _Clone:
    return _Clone(host, tmp_path / "objects.git")


def test_a_remote_says_what_a_ref_names(clone: _Clone, hosted: Repository) -> None:
    name, first = hosted.folder.name, hosted.git("rev-parse", "HEAD")
    hosted.git("tag", "-a", "v1.0", "-m", "one")
    hosted.git("tag", "light")
    second = hosted.commit({"b.txt": "b"})
    assert clone.ask(name) == RemoteRef("HEAD", second)
    assert clone.ask(name, "main") == RemoteRef("refs/heads/main", second)
    assert clone.ask(name, "v1.0") == RemoteRef("refs/tags/v1.0", first)
    assert clone.ask(name, "light") == RemoteRef("refs/tags/light", first)
    assert clone.ask(name, first) == RemoteRef(first, first)


def test_an_unknown_ref_of_a_remote_is_answered_with_the_nearest(clone: _Clone, hosted: Repository) -> None:
    hosted.git("branch", "develop")
    with pytest.raises(NotFound, match=r"no branch or tag 'devlop'.*nearest: develop"):
        clone.ask(hosted.folder.name, "devlop")


def test_a_remote_without_a_commit_is_empty(clone: _Clone, tmp_path: Path) -> None:
    new = Repository(clone.host.root / tmp_path.name)
    with pytest.raises(RepositoryEmpty):
        clone.ask(new.folder.name)


@pytest.mark.parametrize("ref", ["", "main", "v1.0"])
def test_a_fetch_brings_one_commit_without_its_history(clone: _Clone, hosted: Repository, ref: str) -> None:
    first = hosted.git("rev-parse", "HEAD")
    second = hosted.commit({"b.txt": "b"})
    hosted.git("tag", "-a", "v1.0", "-m", "one")
    assert clone.fetch(hosted.folder.name, ref) == second
    assert [entry.path for entry in git.tree(clone.git_dir, second, LIMITS, CALL)] == ["README.txt", "b.txt"]
    with pytest.raises(NotFound):
        git.resolve(clone.git_dir, first, LIMITS)


def test_a_commit_can_be_fetched_by_its_name(clone: _Clone, hosted: Repository) -> None:
    first = hosted.git("rev-parse", "HEAD")
    hosted.commit({"b.txt": "b"})
    assert clone.fetch(hosted.folder.name, first) == first


def test_a_commit_that_the_remote_does_not_have_is_not_found(clone: _Clone, hosted: Repository) -> None:
    with pytest.raises(NotFound, match="no such commit"):
        clone.fetch(hosted.folder.name, "1" * 40)


def test_a_fetch_reports_its_progress(clone: _Clone, hosted: Repository) -> None:
    heard: list[tuple[str, int]] = []
    clone.fetch(hosted.folder.name, call=Call(progress=lambda phase, percent: heard.append((phase, percent))))
    assert ("Receiving objects", 100) in heard or ("Counting objects", 100) in heard


def test_the_pinned_address_is_used_and_no_other(clone: _Clone, hosted: Repository) -> None:
    """Nobody can resolve this name; only who goes to the pinned address gets an answer."""
    url = CloneUrl("git.example.invalid", clone.host.server_port, f"/{hosted.folder.name}")
    assert git.remote_ref(url, ("127.0.0.1",), "", LIMITS, CALL, clone.ca_file).name == "HEAD"
    with pytest.raises(FetchFailed):
        git.remote_ref(url, ("127.0.0.2",), "", LIMITS, CALL, clone.ca_file)


def test_a_redirect_is_not_followed(clone: _Clone, hosted: Repository) -> None:
    clone.host.requests.clear()
    with pytest.raises(FetchFailed, match="redirects"):
        clone.ask(f"redirect/{hosted.folder.name}")
    assert not [request for request in clone.host.requests if "redirected" in request]


def test_who_asks_for_a_password_gets_none(clone: _Clone) -> None:
    with pytest.raises(FetchFailed, match="does not exist, or is private"):
        clone.ask("private/repository")


def test_a_repository_that_is_not_there_fails(clone: _Clone) -> None:
    with pytest.raises(FetchFailed, match="does not exist, or is private"):
        clone.ask("missing")


def test_a_page_is_not_a_repository_and_its_words_go_nowhere(clone: _Clone) -> None:
    with pytest.raises((FetchFailed, RepositoryEmpty)) as error:
        clone.ask("page/internal")
    assert SECRET not in str(error.value)


def test_a_certificate_of_a_stranger_is_refused(clone: _Clone, hosted: Repository) -> None:
    clone.ca_file = ""
    with pytest.raises(FetchFailed, match="certificate is not trusted"):
        clone.ask(hosted.folder.name)


def test_a_port_where_nobody_listens_fails(clone: _Clone) -> None:
    with pytest.raises(FetchFailed, match=r"refuses connections|cannot be reached"):
        git.remote_ref(CloneUrl("localhost", 1, "/a"), ("127.0.0.1",), "", LIMITS, CALL, clone.ca_file)


def test_a_remote_with_sha256_names_is_refused_with_that_reason(clone: _Clone, tmp_path: Path) -> None:
    modern = Repository(clone.host.root / tmp_path.name, "--object-format=sha256")
    modern.commit({"a.txt": "hello"})
    for ref in ("", "main", "other"):
        with pytest.raises(FetchFailed, match="SHA-256"):
            clone.ask(modern.folder.name, ref)


@pytest.mark.parametrize("manner", ["hang", "drip"])
def test_a_host_that_never_answers_costs_the_limit_and_no_process(clone: _Clone, manner: str) -> None:
    began = time.monotonic()
    with pytest.raises(TookTooLong, match="longer than 1 s"):
        clone.ask(f"{manner}/repository", limits=GitLimits(seconds=1.0))
    assert time.monotonic() - began < 3
    assert not _children()


def test_refs_without_end_end_at_a_limit(clone: _Clone) -> None:
    limits = GitLimits(seconds=10, memory_bytes=200 << 20, output_bytes=1 << 20)
    with pytest.raises((RepositoryTooLarge, TookTooLong)):
        clone.ask("endless/repository", limits=limits)
    assert not _children()


def test_cancelling_a_fetch_ends_it_at_once(clone: _Clone) -> None:
    cancelled = threading.Event()
    threading.Timer(0.3, cancelled.set).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        clone.ask("hang/repository", call=Call(cancelled=cancelled.is_set))
    assert time.monotonic() - began < 2
    assert not _children()


def test_the_child_has_our_environment_and_nothing_else(clone: _Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSL_NO_VERIFY", "1")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    with _hanging(clone) as child:
        pairs = Path(f"/proc/{child}/environ").read_bytes().rstrip(b"\0").split(b"\0")
    assert dict(pair.decode().split("=", 1) for pair in pairs) == {
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
        "GIT_ALLOW_PROTOCOL": "https",
        "GIT_SSL_CAINFO": clone.ca_file,
    }


def test_the_child_is_held_to_its_limits(clone: _Clone) -> None:
    with _hanging(clone) as child:
        limits = Path(f"/proc/{child}/limits").read_text()
    found = {line[:26].strip(): line[26:].split()[0] for line in limits.splitlines()}
    assert found["Max address space"] == str(1 << 30)
    assert found["Max file size"] == str(1 << 30)
    assert found["Max core file size"] == "0"


def test_a_pack_that_is_larger_than_allowed_is_refused(clone: _Clone, hosted: Repository) -> None:
    hosted.commit({"noise.bin": os.urandom(300_000)})
    with pytest.raises(RepositoryTooLarge, match="CODE_INSIGHT_CLONE_BYTES_MAX"):
        clone.fetch(hosted.folder.name, limits=GitLimits(file_bytes=100_000))
    assert _garbage(clone.git_dir) == []


def test_a_pack_that_needs_more_memory_than_allowed_is_refused(clone: _Clone, hosted: Repository) -> None:
    """A delta bomb: 20 kB on the wire, 800 MB when the delta is applied."""
    _serve_delta_bomb(hosted)
    with pytest.raises(RepositoryTooLarge, match="memory"):
        clone.fetch(hosted.folder.name, limits=GitLimits(memory_bytes=300 << 20))
    assert _garbage(clone.git_dir) == []


@pytest.mark.parametrize("name", [b"..", b".git", b"a/b"])
def test_a_tree_with_a_name_that_breaks_checkouts_is_refused(clone: _Clone, hosted: Repository, name: bytes) -> None:
    hosted.commit_tree(("100644", hosted.blob(b"evil"), name))
    with pytest.raises(FetchFailed, match="git's checks refuse"):
        clone.fetch(hosted.folder.name)


def test_a_connection_that_ends_in_the_middle_fails_and_leaves_no_garbage(clone: _Clone, hosted: Repository) -> None:
    hosted.commit({"noise.bin": os.urandom(300_000)})
    with pytest.raises(FetchFailed):
        clone.fetch(f"cut/{hosted.folder.name}")
    assert _garbage(clone.git_dir) == []
    assert clone.fetch(hosted.folder.name)


def test_what_a_killed_fetch_left_does_not_stand_in_the_way(clone: _Clone, hosted: Repository) -> None:
    """git that is killed leaves its locks and half a pack; nobody else fetches here, so they are dead."""
    clone.fetch(hosted.folder.name)
    for name in ("shallow.lock", "packed-refs.lock", "refs/code-insight/fetched.lock", "objects/pack/tmp_pack_abc"):
        (clone.git_dir / name).touch()
    second = hosted.commit({"b.txt": "b"})
    assert clone.fetch(hosted.folder.name) == second
    assert _garbage(clone.git_dir) == []


def test_a_tag_of_something_else_than_a_commit_is_not_found(clone: _Clone, hosted: Repository) -> None:
    hosted.git("tag", "key", hosted.blob(b"a public key"))
    with pytest.raises(NotFound, match=r"refs/tags/key .* is not a commit"):
        clone.fetch(hosted.folder.name, "key")


def test_a_submodule_is_never_fetched(clone: _Clone, hosted: Repository, tmp_path: Path) -> None:
    modules = f'[submodule "m"]\n\tpath = m\n\turl = {clone.host.url("other")}\n'
    hosted.commit_tree(("100644", hosted.blob(modules.encode()), b".gitmodules"), ("160000", "1" * 40, b"m"))
    clone.host.requests.clear()
    clone.fetch(hosted.folder.name)
    assert not [request for request in clone.host.requests if "other" in request]


@contextlib.contextmanager
def _hanging(clone: _Clone) -> Iterator[int]:
    """The number of a git process that waits for a host; ended afterwards."""
    cancelled = threading.Event()

    def ask() -> None:
        with contextlib.suppress(Cancelled):
            clone.ask("hang/repository", call=Call(cancelled=cancelled.is_set))

    clone.host.requests.clear()
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not clone.host.requests and time.monotonic() < deadline:
            time.sleep(0.01)
        yield _children()[0]
    finally:
        cancelled.set()
        thread.join()


def _children() -> list[int]:
    """git processes that descend from this one, or did when they began (each leads a session of its own)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().split(b"\0")
            if int(fields[1]) == os.getpid() and command[0] == b"git" and b"core.fsmonitor=false" in command:
                found.append(int(folder.name))
    return found


def _garbage(git_dir: Path) -> list[str]:
    """Half-written packs and locks in a bare repository."""
    return sorted(
        str(path.relative_to(git_dir)) for path in git_dir.rglob("*") if path.match("tmp_*") or path.match("*.lock")
    )


def _serve_delta_bomb(repository: Repository) -> None:
    """main is a commit with a 16 MB blob of zeros, and one that a delta makes of 48 copies of it."""
    import hashlib
    import struct
    import zlib

    def header(kind: int, size: int) -> bytes:
        first, rest = (kind << 4) | (size & 15), size >> 4
        return bytes([first | 0x80]) + number(rest) if rest else bytes([first])

    def number(value: int) -> bytes:
        low, rest = value & 127, value >> 7
        return bytes([low | 0x80]) + number(rest) if rest else bytes([low])

    def name(kind: str, *parts: bytes) -> bytes:
        digest = hashlib.sha1(f"{kind} {sum(map(len, parts))}\0".encode())
        for part in parts:
            digest.update(part)
        return digest.digest()

    copies, base = 48, bytes(0xFFFFFF)
    delta = number(len(base)) + number(len(base) * copies) + (b"\xf0\xff\xff\xff") * copies
    small, large = name("blob", base), name("blob", *[base] * copies)
    tree = b"100644 a\0" + small + b"100644 b\0" + large
    commit = f"tree {name('tree', tree).hex()}\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\nx\n".encode()
    objects = [(3, base, b""), (7, delta, small), (2, tree, b""), (1, commit, b"")]
    pack = b"PACK" + struct.pack(">II", 2, len(objects))
    for kind, raw, based_on in objects:
        pack += header(kind, len(raw)) + based_on + zlib.compress(raw, 9)
    pack += hashlib.sha1(pack).digest()
    file = repository.git_dir / "objects" / "pack" / f"pack-{pack[-20:].hex()}.pack"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(pack)
    repository.git("index-pack", str(file))
    repository.git("update-ref", "refs/heads/main", name("commit", commit).hex())
