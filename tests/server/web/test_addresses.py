"""URLs: made and taken apart."""

import pytest
from code_insight.web.pages.addresses import Addresses, parted, revision_of

OID = "0123456789" * 4
FLASK = Addresses("github.com/pallets/flask")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (FLASK.repository, "/repositories/github.com/pallets/flask"),
        (FLASK.at(OID).tree("src"), f"/repositories/github.com/pallets/flask@{OID}/-/tree/src"),
        (FLASK.tree(), "/repositories/github.com/pallets/flask/-/tree"),
        (FLASK.file("a b/#?%.py", 7), "/repositories/github.com/pallets/flask/-/file/a%20b/%23%3F%25.py#L7"),
        (FLASK.file("x.py", 2_001), "/repositories/github.com/pallets/flask/-/file/x.py?page=2#L2001"),
        (FLASK.file("\u202e\n.py"), "/repositories/github.com/pallets/flask/-/file/%E2%80%AE%0A.py"),
        (FLASK.search("a&b"), "/repositories/github.com/pallets/flask/-/search?q=a%26b"),
        (Addresses("local/a@b").repository, "/repositories/local/a@b"),
    ],
)
def test_a_url_names_repository_commit_view_and_path(url: str, expected: str) -> None:
    assert url == expected


def test_a_url_is_taken_apart_at_the_first_dash_between_slashes() -> None:
    first, *others = parted(f"github.com/pallets/flask@{OID}/-/file/docs/-/x.md")
    assert (first.repository, first.view, first.path) == (f"github.com/pallets/flask@{OID}", "file", "docs/-/x.md")
    assert [other.view for other in others] == ["x.md", ""]


def test_a_repository_may_be_called_dash() -> None:
    readings = [(asked.repository, asked.view, asked.path) for asked in parted("local/-/-/tree/src")]
    assert ("local/-", "tree", "src") in readings


@pytest.mark.parametrize(
    ("asked", "name", "revision"),
    [
        ("flask", "github.com/pallets/flask", ""),
        ("pallets/flask@main", "github.com/pallets/flask", "main"),
        ("flask@feature/a@b", "github.com/pallets/flask", "feature/a@b"),
        ("local/a@b", "local/a@b", ""),
        ("local/a@b@1234567", "local/a@b", "1234567"),
    ],
)
def test_the_commit_in_a_url_is_what_follows_the_name(asked: str, name: str, revision: str) -> None:
    assert revision_of(asked, name) == revision
