"""Which repositories are held, how they are named, which folders may become one."""

import json
import os
import threading
import time
from pathlib import Path

import pytest
from code_insight.catalog import Catalog
from code_insight.clone_url import ClonePolicy
from code_insight.errors import (
    Cancelled,
    FetchFailed,
    InvalidArgument,
    NotFound,
    RepositoryEmpty,
    StorageFailed,
    TookTooLong,
    UrlRejected,
)
from code_insight.git import Call, GitLimits
from code_insight.model import Repository as Held
from code_insight.store import IndexedCommit, Reader

from tests.server.git_server import GitHost
from tests.server.places import Repository, catalog_at

TEXT: dict[str, str | bytes] = {"a.txt": "hello\n"}


def _held(catalog: Catalog, *names: str) -> None:
    """The catalog holds repositories of these names, none of them indexed yet."""
    for name in names:
        home = catalog._home_of(Held(name, f"https://{name}"))
        home.mkdir(parents=True)
        (home / "repository.json").write_text(json.dumps({"name": name, "url": f"https://{name}"}))


def _add_text(catalog: Catalog, folder: Path) -> str:
    """The name of a repository with one text that was made in the folder and added."""
    Repository(folder).commit(TEXT)
    return catalog.add(str(folder)).indexed.repository.name


# Names.


def test_an_empty_catalog_says_how_to_fill_it(catalog: Catalog) -> None:
    assert (catalog.repositories(), catalog.newest()) == ([], [])
    with pytest.raises(NotFound, match=r"No repository 'flask'.*Add one with add_repository"):
        catalog.find("flask")


@pytest.mark.parametrize(
    "name",
    [
        "github.com/pallets/flask",
        "pallets/flask",
        "flask",
        " flask ",
        "https://github.com/pallets/flask",
        "https://github.com/pallets/flask.git",
        "https://github.com/pallets/flask.git/",
    ],
)
def test_a_repository_is_found_by_any_end_of_its_name(catalog: Catalog, name: str) -> None:
    _held(catalog, "github.com/pallets/flask", "github.com/pallets/jinja")
    with pytest.raises(NotFound, match=r"github\.com/pallets/flask is not indexed yet"):
        catalog.find(name)


@pytest.mark.parametrize("name", ["ask", "allets/flask", "github.com", "pallets", "", "/", "../flask"])
def test_an_end_of_a_name_begins_at_a_slash(catalog: Catalog, name: str) -> None:
    _held(catalog, "github.com/pallets/flask")
    with pytest.raises(NotFound, match="No repository"):
        catalog.find(name)


def test_a_name_that_several_have_is_answered_with_all_of_them(catalog: Catalog) -> None:
    _held(catalog, "github.com/one/tool", "github.com/two/tool")
    with pytest.raises(NotFound, match=r"'tool' may be any of github\.com/one/tool, github\.com/two/tool"):
        catalog.find("tool")


def test_a_whole_name_is_never_ambiguous(catalog: Catalog) -> None:
    _held(catalog, "a/b", "host/a/b")
    with pytest.raises(NotFound, match="a/b is not indexed yet"):
        catalog.find("a/b")


def test_an_unknown_name_is_answered_with_the_nearest_first(catalog: Catalog) -> None:
    _held(catalog, *(f"github.com/owner/a{number}" for number in range(15)), "github.com/django/django")
    with pytest.raises(NotFound, match=r"Known: github\.com/django/django, .* and 6 more"):
        catalog.find("djagno")


def test_repositories_are_listed_by_name(catalog: Catalog, tmp_path: Path) -> None:
    for name in ("zeta", "alpha"):
        _add_text(catalog, tmp_path / name)
    assert [held.name for held in catalog.repositories()] == ["local/alpha", "local/zeta"]
    assert [indexed.repository.name for indexed in catalog.newest()] == ["local/alpha", "local/zeta"]


def test_a_revision_is_a_ref_or_the_beginning_of_a_commit(catalog: Catalog, repository: Repository) -> None:
    folder = str(repository.folder)
    first = catalog.add(folder).indexed.commit.oid
    repository.git("branch", "feature/x@2")
    repository.commit(TEXT)
    second = catalog.add(folder).indexed.commit.oid
    catalog.add(folder, "feature/x@2")
    assert catalog.find("flask").commit.oid == second
    for revision in (first, first[:7], "feature/x@2"):
        assert catalog.find(f"flask@{revision}").commit.oid == first


@pytest.mark.parametrize("revision", ["main", "abc", "0000000"])
def test_a_revision_that_is_not_indexed_is_answered_with_those_that_are(
    catalog: Catalog, repository: Repository, revision: str
) -> None:
    oid = catalog.add(str(repository.folder)).indexed.commit.oid
    with pytest.raises(NotFound, match=f"No commit '{revision}' of local/flask.*Indexed: {oid[:12]}"):
        catalog.find(f"flask@{revision}")


def test_a_folder_may_have_an_at_sign_in_its_name(catalog: Catalog, tmp_path: Path) -> None:
    name = _add_text(catalog, tmp_path / "site@2")
    assert catalog.find(name).repository.name == catalog.find("site@2").repository.name == "local/site@2"
    assert catalog.find("site@2@" + catalog.find(name).commit.oid).repository.name == "local/site@2"


def test_a_name_may_be_longer_than_a_file_system_takes(catalog: Catalog, tmp_path: Path) -> None:
    names = [_add_text(catalog, tmp_path / ("é" * 90 + end)) for end in "ab"]
    assert [held.name for held in catalog.repositories()] == names
    assert catalog.find(names[1]).repository.name == names[1]


def test_a_folder_that_is_no_repository_of_ours_is_not_listed(catalog: Catalog) -> None:
    for content in ("", "{}", "[]", "null", '{"url": "x"}'):
        home = catalog.folder / "repositories" / f"strange{content}".replace("/", "")
        home.mkdir(parents=True)
        (home / "repository.json").write_text(content)
    assert catalog.repositories() == []


# Folders.


def test_a_folder_below_an_allowed_one_is_added(catalog: Catalog, repository: Repository) -> None:
    added = catalog.add(str(repository.folder))
    assert (added.indexed.repository.name, added.indexed.repository.url) == ("local/flask", str(repository.folder))


@pytest.mark.parametrize("folder", ["/etc", "/", "~", "./x", "../x", ".", "/nonexistent/x"])
def test_other_folders_are_refused(catalog: Catalog, folder: str) -> None:
    with pytest.raises(UrlRejected, match="not below an allowed one"):
        catalog.add(folder)


def test_no_folder_is_allowed_by_default(tmp_path: Path, repository: Repository) -> None:
    with pytest.raises(UrlRejected, match="not indexed by this server"):
        catalog_at(tmp_path, local_folders=()).add(str(repository.folder))


def test_an_allowed_folder_does_not_allow_its_namesakes(tmp_path: Path) -> None:
    (tmp_path / "allowed").mkdir()
    Repository(tmp_path / "allowed-not").commit(TEXT)
    with pytest.raises(UrlRejected):
        catalog_at(tmp_path, local_folders=(tmp_path / "allowed",)).add(str(tmp_path / "allowed-not"))


@pytest.mark.parametrize("folder", ["/a\0b", "~nobody-of-this-name/x", "/a\ud800", "/" + "a" * 5000, "{root}/loop"])
def test_what_cannot_be_a_folder_is_refused(catalog: Catalog, tmp_path: Path, folder: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UrlRejected):
        catalog.add(folder.replace("{root}", str(tmp_path)))


@pytest.fixture
def secret(tmp_path: Path) -> Repository:
    """A repository beside the folder `allowed`, which is the only one allowed."""
    (tmp_path / "allowed" / "way").mkdir(parents=True)
    made = Repository(tmp_path / "secret")
    made.commit(TEXT)
    return made


@pytest.mark.parametrize(
    "way", ["link", "linked .git", ".git file", "linked objects", "dots", "common folder", "alternates"]
)
def test_no_way_leads_out_of_the_allowed_folder(tmp_path: Path, secret: Repository, way: str) -> None:
    allowed = tmp_path / "allowed"
    folder = allowed / "way"
    match way:
        case "link":
            folder = allowed / "link"
            folder.symlink_to(secret.folder)
        case "linked .git":
            (folder / ".git").symlink_to(secret.git_dir)
        case ".git file":
            (folder / ".git").write_text(f"gitdir: {secret.git_dir}\n")
        case "linked objects":
            inside = Repository(folder)
            (inside.git_dir / "refs/heads/main").write_text(secret.git("rev-parse", "HEAD") + "\n")
            (inside.git_dir / "objects").rename(allowed / "objects")
            (inside.git_dir / "objects").symlink_to(secret.git_dir / "objects")
        case "alternates":
            inside = Repository(folder)
            (inside.git_dir / "refs/heads/main").write_text(secret.git("rev-parse", "HEAD") + "\n")
            (inside.git_dir / "objects/info/alternates").write_text(f"{secret.git_dir}/objects\n")
        case "dots":
            folder = allowed / ".." / "secret"
        case "common folder":
            (folder / "objects").mkdir()
            (folder / "HEAD").write_text("ref: refs/heads/main\n")
            (folder / "commondir").write_text(f"{secret.git_dir}\n")
    catalog = catalog_at(tmp_path, local_folders=(allowed,))
    with pytest.raises(UrlRejected):
        catalog.add(str(folder))
    assert catalog.repositories() == []


def test_a_link_to_an_allowed_folder_is_followed(tmp_path: Path) -> None:
    Repository(tmp_path / "real" / "tool").commit(TEXT)
    (tmp_path / "link").symlink_to("real")
    catalog = catalog_at(tmp_path, local_folders=(tmp_path / "link",))
    assert catalog.add(str(tmp_path / "link" / "tool")).indexed.repository.name == "local/tool"


def test_a_linked_work_tree_below_an_allowed_folder_is_added(catalog: Catalog, repository: Repository) -> None:
    repository.git("worktree", "add", "-q", "../linked")
    assert catalog.add(str(repository.folder.parent / "linked")).indexed.repository.name == "local/linked"


def test_two_folders_of_one_name_are_two_repositories(catalog: Catalog, tmp_path: Path) -> None:
    one, two = (_add_text(catalog, tmp_path / parent / "tool") for parent in ("one", "two"))
    assert one == "local/tool"
    assert two.startswith("local/tool-")
    assert catalog.add(str(tmp_path / "two" / "tool")).indexed.repository.name == two
    assert len(catalog.repositories()) == 2


@pytest.mark.parametrize("folder", ["new", "plain", "missing"])
def test_what_cannot_be_indexed_is_not_held(catalog: Catalog, tmp_path: Path, folder: str) -> None:
    Repository(tmp_path / "new")
    (tmp_path / "plain").mkdir()
    with pytest.raises((NotFound, RepositoryEmpty)):
        catalog.add(str(tmp_path / folder))
    assert catalog.repositories() == []


def test_a_hostile_ref_is_refused_before_any_work(catalog: Catalog, repository: Repository) -> None:
    with pytest.raises(InvalidArgument):
        catalog.add(str(repository.folder), "--upload-pack=x")
    assert not catalog.folder.exists()


# Hosts.


def test_a_repository_is_cloned_once_and_then_only_asked(cloning: Catalog, hosted: Repository, host: GitHost) -> None:
    url = host.url(hosted.folder.name)
    assert not cloning.add(url + ".git").was_known
    host.requests.clear()
    assert cloning.add(url).was_known
    assert len(host.requests) == 2, "the capabilities and the refs, and no object"


def test_what_is_new_is_fetched(cloning: Catalog, hosted: Repository, host: GitHost) -> None:
    url = host.url(hosted.folder.name)
    cloning.add(url)
    second = hosted.commit({"b.txt": "more\n"})
    added = cloning.add(url)
    assert (added.indexed.commit.oid, added.blobs_parsed) == (second, 1)


def test_branches_and_tags_of_a_host_are_kept_apart(cloning: Catalog, hosted: Repository, host: GitHost) -> None:
    url, first = host.url(hosted.folder.name), hosted.git("rev-parse", "HEAD")
    hosted.git("tag", "-a", "v1.0", "-m", "one")
    second = hosted.commit({"b.txt": "more\n"})
    assert cloning.add(url).indexed.commit.oid == second
    assert cloning.add(url, "v1.0").indexed.commit.oid == first
    assert cloning.add(url, first).was_known
    assert cloning.find(f"{hosted.folder.name}@v1.0").commit.oid == first
    assert cloning.find(hosted.folder.name).commit.oid == second


def test_lost_objects_are_fetched_again(cloning: Catalog, hosted: Repository, host: GitHost) -> None:
    import shutil

    url = host.url(hosted.folder.name)
    home = cloning.add(url).indexed.index.parent
    shutil.rmtree(home / "objects.git")
    assert cloning.add(url).was_known


@pytest.mark.parametrize("path", ["redirect/x", "private/x", "page/x", "missing"])
def test_what_cannot_be_fetched_is_not_held(cloning: Catalog, host: GitHost, path: str) -> None:
    with pytest.raises((FetchFailed, RepositoryEmpty)):
        cloning.add(host.url(path))
    assert cloning.repositories() == []


def test_a_host_that_fails_leaves_the_old_index(cloning: Catalog, hosted: Repository, host: GitHost) -> None:
    url = host.url(hosted.folder.name)
    first = cloning.add(url).indexed.commit.oid
    hosted.git_dir.rename(hosted.folder / "gone")
    with pytest.raises(FetchFailed):
        cloning.add(url)
    assert cloning.find(hosted.folder.name).commit.oid == first


def test_a_private_address_is_refused_before_git_runs(tmp_path: Path, host: GitHost) -> None:
    host.requests.clear()
    with pytest.raises(UrlRejected, match="not public"):
        catalog_at(tmp_path, clone=ClonePolicy((host.authority,))).add(host.url("x"))
    assert host.requests == []


# Bounds.


def test_there_is_a_most_of_repositories(tmp_path: Path) -> None:
    catalog = catalog_at(tmp_path, repositories=1)
    _add_text(catalog, tmp_path / "one")
    with pytest.raises(StorageFailed, match="as many repositories as it may"):
        _add_text(catalog, tmp_path / "two")
    assert catalog.add(str(tmp_path / "one")).was_known


def test_adding_takes_no_longer_than_allowed(tmp_path: Path, host: GitHost) -> None:
    policy = ClonePolicy((host.authority,), private_addresses=True)
    catalog = catalog_at(tmp_path, clone=policy, ca_file=str(host.ca_file), job_seconds=0.5)
    with pytest.raises(TookTooLong):
        catalog.add(host.url("hang/x"))


def test_who_waits_for_a_place_hears_of_it_and_may_give_up(tmp_path: Path, host: GitHost) -> None:
    policy = ClonePolicy((host.authority,), private_addresses=True)
    catalog = catalog_at(tmp_path, clone=policy, ca_file=str(host.ca_file), jobs=1, git=GitLimits(seconds=20))
    gave_up, heard = threading.Event(), threading.Event()
    errors: list[Exception] = []

    def hang() -> None:
        try:
            catalog.add(host.url("hang/x"), call=Call(cancelled=gave_up.is_set, progress=lambda *_: heard.set()))
        except Cancelled as error:
            errors.append(error)

    thread = threading.Thread(target=hang)
    thread.start()
    assert heard.wait(10)
    Repository(tmp_path / "second").commit(TEXT)
    phases: list[str] = []
    call = Call(cancelled=lambda: bool(phases), progress=lambda phase, _: phases.append(phase))
    with pytest.raises(Cancelled):
        catalog.add(str(tmp_path / "second"), call=call)
    assert phases == ["Waiting for other repositories"]
    gave_up.set()
    thread.join(10)
    assert len(errors) == 1


def test_closing_ends_the_jobs_that_run(tmp_path: Path, host: GitHost) -> None:
    policy = ClonePolicy((host.authority,), private_addresses=True)
    catalog = catalog_at(tmp_path, clone=policy, ca_file=str(host.ca_file), jobs=1)
    started = threading.Event()
    errors: list[Exception] = []

    def hang() -> None:
        try:
            catalog.add(host.url("hang/x"), call=Call(progress=lambda *_: started.set()))
        except Cancelled as error:
            errors.append(error)

    thread = threading.Thread(target=hang)
    thread.start()
    assert started.wait(10)
    catalog.close()
    thread.join(10)
    assert len(errors) == 1
    assert catalog.repositories() == []


def test_the_callers_folder_of_the_moment_does_not_matter(
    catalog: Catalog, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository.folder)
    assert catalog.add(os.curdir).indexed.repository.name == "local/flask"


def test_the_first_commit_is_surveyed_at_once_and_a_small_change_takes_that_over(
    catalog: Catalog, repository: Repository
) -> None:
    files: dict[str, str | bytes] = {f"use{n}.py": f"from cart import Cart\n\nx{n} = Cart()\n" for n in range(3)}
    repository.commit(files | {"cart.py": "class Cart: ...\n"})
    with Reader(catalog.add(str(repository.folder)).indexed) as reader:
        assert reader.is_surveyed()
        assert ("Cart", 3) in [(symbol.name, users) for symbol, users in reader.central(5)]
    repository.commit({"cart.py": "\nx = 1\nclass Cart: ...\n", "use3.py": "from cart import Cart\n\nx = Cart()\n"})
    changed = catalog.add(str(repository.folder)).indexed
    with Reader(changed) as reader:
        assert not reader.is_surveyed()
        assert ("Cart", 3, 3) in [(symbol.name, symbol.start_line, users) for symbol, users in reader.central(5)]
    catalog.survey(changed)
    with Reader(changed) as reader:
        assert reader.is_surveyed()
        assert ("Cart", 3, 4) in [(symbol.name, symbol.start_line, users) for symbol, users in reader.central(5)]


def test_a_survey_is_handed_on_when_the_commit_that_had_it_is_gone(catalog: Catalog, repository: Repository) -> None:
    repository.commit({"cart.py": "class Cart: ...\n", "use.py": "from cart import Cart\n\nx = Cart()\n"})
    catalog.add(str(repository.folder))
    for number in range(catalog.limits.commits + 2):
        repository.commit({"more.py": f"x = {number}\n"})
        changed = catalog.add(str(repository.folder)).indexed
    with Reader(changed) as reader:
        assert not reader.is_surveyed()
        assert "Cart" in [symbol.name for symbol, _ in reader.central(5)]


def test_of_many_changes_only_the_last_is_surveyed_once_it_is_quiet(
    catalog: Catalog, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("code_insight.catalog._QUIET_SECONDS", 0.5)
    catalog.add(str(repository.folder))
    changes = []
    for number in range(2):
        repository.commit({"more.py": f"x = {number}\n"})
        changes.append(catalog.add(str(repository.folder)))
    for added in changes:
        catalog.deepen_later(added)
    deadline = time.monotonic() + 20
    while not _is_surveyed(changes[-1].indexed) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [_is_surveyed(added.indexed) for added in changes] == [False, True]


def _is_surveyed(indexed: IndexedCommit) -> bool:
    with Reader(indexed) as reader:
        return reader.is_surveyed()
