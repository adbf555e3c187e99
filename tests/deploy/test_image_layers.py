"""The server's files fall into layers by their own paths, so that one change touches one layer."""

import py_compile
import subprocess
import sys
from pathlib import Path

SPREAD = Path(__file__).parents[2] / "server" / "image" / "spread.py"
COUNT = 4


def spread(folder: Path, files: dict[str, str]) -> dict[str, str]:
    """The layer of each file, after `files` were written below `folder` and compiled."""
    for name, text in files.items():
        path = folder / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if path.suffix == ".py":
            py_compile.compile(str(path), doraise=True)
    target = folder / "out"
    subprocess.run([sys.executable, str(SPREAD), str(folder / "tree"), str(target), str(COUNT)], check=True)
    assert sorted(path.name for path in target.iterdir()) == [str(number) for number in range(COUNT)]
    found = (path.relative_to(target) for path in target.rglob("*") if path.is_file())
    return {str(path.relative_to(path.parts[0])): path.parts[0] for path in found}


def files(count: int) -> dict[str, str]:
    return {f"package/module_{number}.py": f"x = {number}\n" for number in range(count)}


def test_no_file_is_lost_and_bytecode_stays_with_its_source(tmp_path: Path) -> None:
    layers = spread(tmp_path, files(20) | {"package/query.scm": "(x)"})
    assert len(layers) == 41
    for number in range(20):
        tag = sys.implementation.cache_tag
        assert layers[f"package/__pycache__/module_{number}.{tag}.pyc"] == layers[f"package/module_{number}.py"]


def test_a_file_that_comes_moves_no_other(tmp_path: Path) -> None:
    before = spread(tmp_path / "before", files(20))
    after = spread(tmp_path / "after", files(21))
    assert {name: after[name] for name in before} == before
