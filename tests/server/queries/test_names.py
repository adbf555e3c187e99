"""Names in a file, and where they lead."""

from pathlib import Path

import pytest
from code_insight.errors import NotFound
from code_insight.queries.names import meant_at, names_that_lead
from code_insight.store import Reader

from tests.server.indexed import index

FILES: dict[str, str | bytes] = {
    "a.py": "from b import make\n\ndef work():\n    return make(unknown)\n",
    "b.py": "def make(x):\n    return x\n",
    "c.py": "class Other:\n    def make(self):\n        pass\n",
    "d.go": "package d\n\nfunc main() { make() }\n",
}


def test_a_name_leads_on_when_something_here_defines_it(tmp_path: Path) -> None:
    with Reader(index(tmp_path, FILES)) as reader:
        file = reader.file("a.py")
        assert file is not None
        found = {(use.name, use.line, use.column) for use in names_that_lead(reader, file.blob)}
    assert ("make", 4, 11) in found
    assert not [name for name, *_ in found if name == "unknown"]


def test_where_it_leads_is_told_by_evidence_and_else_by_the_name(tmp_path: Path) -> None:
    commit = index(tmp_path, FILES)
    assert meant_at(commit, "a.py", 4, 11).path == "b.py"
    assert meant_at(commit, "d.go", 3, 14).name == "make"


@pytest.mark.parametrize("place", [("a.py", 1, 99), ("a.py", 4, 16), ("nothing.py", 1, 1)])
def test_where_nothing_leads_on_is_not_found(tmp_path: Path, place: tuple[str, int, int]) -> None:
    with pytest.raises(NotFound):
        meant_at(index(tmp_path, FILES), *place)
