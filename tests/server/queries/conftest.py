"""Places: one repository in many languages, written to be asked about."""

import pytest
from code_insight.store import IndexedCommit

from tests.server.indexed import index

README = """\
<div align="center">
  <img src="logo.svg" alt="logo">
  <h1>Bazaar</h1>

[![build](https://example.invalid/badge.svg)](https://example.invalid)
[Docs](https://example.invalid) • [Chat](https://example.invalid)
</div>

We are hiring people who like carts.

Bazaar is a shop with [many](https://example.invalid) doors. It sells `things`.
"""

FILES: dict[str, str | bytes] = {
    "README.md": README,
    "docs/index.md": "# Guide\n\nHow to open a door.\n\n## Doors\n\nA Door opens once.\n",
    "pyproject.toml": (
        '[project]\nname = "bazaar"\ndescription = "A shop."\nscripts = {bazaar = "bazaar.cli:main"}\n'
        "[tool.pytest.ini_options]\n"
    ),
    "src/bazaar/__init__.py": '"""The shop itself."""\n\nfrom bazaar.doors import Door as Door\n',
    "src/bazaar/__main__.py": "from bazaar.cli import main\n\nmain()\n",
    "src/bazaar/base.py": (
        "class Thing:\n"
        '    """What has a price."""\n\n'
        "    def price(self) -> int:\n        return 1\n\n"
        "    def get(self):\n        return self.price()\n"
    ),
    "src/bazaar/doors.py": (
        "from bazaar.base import Thing as Base\n\n"
        "LIMIT = 3\n\n\n"
        "class Door(Base):\n"
        '    """Opens once. Then it is open."""\n\n'
        "    def open(self, key: str) -> bool:\n"
        '        """Whether the key fits."""\n'
        "        return _fits(key) and self.price() < LIMIT\n\n\n"
        "def _fits(key: str) -> bool:\n    return key == 'secret-phrase'\n\n\n"
        "def knock(door: Door) -> None:\n    door.open('')\n"
    ),
    "src/bazaar/cli.py": (
        "from bazaar.doors import Door, knock\n\n\ndef main() -> None:\n    knock(Door())\n    {}.get('x')\n"
    ),
    "src/bazaar/window.py": "class Door:\n    pass\n",
    "tests/test_doors.py": (
        "from bazaar.doors import Door, knock\n\n\n"
        "class FakeDoor(Door):\n    pass\n\n\n"
        "def test_door_opens():\n    assert Door().open('secret-phrase')\n    knock(FakeDoor())\n"
    ),
    "examples/try.py": "from bazaar.doors import knock\n\n\ndef update(door):\n    knock(door)\n",
    "web/package.json": '{"name": "bazaar-web", "main": "shop.js", "scripts": {"test": "node --test", "build": "tsc"}}',
    "web/shop.js": "class Cart {\n  get(key) { return key; }\n}\n\n"
    "export function fill(cart) { return cart.get(1); }\n",
    "go/go.mod": "module example.invalid/stall\n\ngo 1.22\n",
    "go/cmd/stall/main.go": "package main\n\nfunc main() {}\n",
    "go/stall/stall.go": "// Package stall sells from a table.\npackage stall\n\n"
    "type Stall struct {\n\tName string\n}\n",
    "go/stall/sell.go": "package stall\n\n// Sell sells.\nfunc (s *Stall) Sell(count int) error {\n\treturn nil\n}\n",
    "c/box.h": "#ifndef BOX_H\n#define BOX_H\nint box_open(int key);\n#endif\n",
    "c/box.c": '#include "box.h"\n\nint box_open(int key)\n{\n  return key;\n}\n',
    "c/use.c": '#include "box.h"\n\nint use(void)\n{\n  return box_open(1);\n}\n',
    "deep/only/this/way/Down.java": "package way;\n\nclass Down {\n  Down() {}\n}\n",
    "logo.png": b"\x89PNG\0\0",
    "vendor/lib/door.py": "class Door:\n    pass\n",
}


@pytest.fixture(scope="session")
def bazaar(tmp_path_factory: pytest.TempPathFactory) -> IndexedCommit:
    """A shop with a Python package, its tests, and stalls in Go, C, JavaScript and Java."""
    return index(tmp_path_factory.mktemp("bazaar"), FILES)
