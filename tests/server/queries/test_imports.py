"""Which file an import means, by the rules of each language."""

from __future__ import annotations

from pathlib import Path

import pytest
from code_insight.queries.imports import Target, imports
from code_insight.store import Reader

from tests.server.places import Repository, catalog_at


def targets(folder: Path, files: dict[str, str]) -> dict[tuple[str, str, str], Target]:
    """(importing file, module, name) → what it means, in a repository with these files."""
    repository = Repository(folder / "repository")
    repository.commit(files, "first")
    indexed = catalog_at(folder).add(str(repository.folder)).indexed
    with Reader(indexed) as reader:
        return {(one.path, one.fact.module, one.fact.name): one.target for one in imports(reader)}


PYTHON = {
    "src/shop/__init__.py": "from .cart import Cart\n",
    "src/shop/cart.py": "from . import money\nfrom .money import Money as M\nimport json, requests\n"
    "from shop.db import models\n",
    "src/shop/money.py": "",
    "src/shop/db/__init__.py": "",
    "src/shop/db/models.py": "from ..cart import Cart\nfrom ... import nothing\n",
    "scripts/run.py": "import helper\nimport shop.cart\n",
    "scripts/helper.py": "",
    "scripts/json.py": "",
}


@pytest.mark.parametrize(
    ("path", "module", "name", "found", "is_module"),
    [
        ("src/shop/__init__.py", ".cart", "Cart", "src/shop/cart.py", False),
        ("src/shop/cart.py", ".", "money", "src/shop/money.py", True),
        ("src/shop/cart.py", ".money", "Money", "src/shop/money.py", False),
        ("src/shop/cart.py", "shop.db", "models", "src/shop/db/models.py", True),
        ("src/shop/db/models.py", "..cart", "Cart", "src/shop/cart.py", False),
        ("scripts/run.py", "helper", "", "scripts/helper.py", True),
        ("scripts/run.py", "shop.cart", "", "src/shop/cart.py", True),
    ],
)
def test_a_python_import_means_a_file_or_something_in_it(
    tmp_path: Path, path: str, module: str, name: str, found: str, is_module: bool
) -> None:
    assert targets(tmp_path, PYTHON)[path, module, name] == Target((found,), is_module=is_module)


def test_pythons_own_library_is_not_shadowed_by_a_script_elsewhere(tmp_path: Path) -> None:
    found = targets(tmp_path, PYTHON)
    assert found["src/shop/cart.py", "json", ""] == Target(package="json", is_standard=True)
    assert found["src/shop/cart.py", "requests", ""] == Target(package="requests")


def test_an_import_above_the_root_means_nothing(tmp_path: Path) -> None:
    assert targets(tmp_path, PYTHON)["src/shop/db/models.py", "...", "nothing"] == Target()


TYPESCRIPT = {
    "package.json": '{"name": "root", "workspaces": ["packages/*"]}',
    "tsconfig.json": '{\n  // where @ leads\n  "compilerOptions": {"baseUrl": ".", "paths": {"@/*": ["app/*"]},},\n}',
    "app/main.ts": 'import {a} from "./lib/a.js";\nimport x from "@/lib";\nimport fs from "node:fs";\n'
    'import {u} from "@x/ui";\n'
    'import {Button} from "@x/ui/button";\nimport React from "react";\nimport "./gone";\n',
    "app/lib/a.ts": "export const a = 1;\n",
    "app/lib/index.ts": 'export * from "./a";\n',
    "packages/ui/package.json": '{"name": "@x/ui"}',
    "packages/ui/src/index.ts": "export const u = 1;\n",
    "packages/ui/src/button.tsx": "export const Button = () => <b/>;\n",
}


@pytest.mark.parametrize(
    ("module", "name", "target"),
    [
        ("./lib/a.js", "a", Target(("app/lib/a.ts",))),
        ("@/lib", "default", Target(("app/lib/index.ts",))),
        ("node:fs", "default", Target(package="fs", is_standard=True)),
        ("@x/ui", "u", Target(("packages/ui/src/index.ts",))),
        ("@x/ui/button", "Button", Target(("packages/ui/src/button.tsx",))),
        ("react", "default", Target(package="react")),
        ("./gone", "", Target()),
    ],
)
def test_a_typescript_import_means_a_file(tmp_path: Path, module: str, name: str, target: Target) -> None:
    assert targets(tmp_path, TYPESCRIPT)["app/main.ts", module, name] == target


def test_a_go_import_means_the_files_of_a_folder_without_its_tests(tmp_path: Path) -> None:
    files = {
        "go.mod": "module example.org/shop\n\ngo 1.24\n",
        "main.go": 'package main\n\nimport (\n\t"fmt"\n\t"example.org/shop/cart"\n'
        '\t"github.com/spf13/pflag/v2/deep"\n)\n',
        "cart/cart.go": "package cart\n",
        "cart/money.go": "package cart\n",
        "cart/cart_test.go": "package cart\n",
    }
    found = targets(tmp_path, files)
    assert found["main.go", "example.org/shop/cart", ""] == Target(("cart/cart.go", "cart/money.go"))
    assert found["main.go", "fmt", ""] == Target(package="fmt", is_standard=True)
    assert found["main.go", "github.com/spf13/pflag/v2/deep", ""] == Target(package="github.com/spf13/pflag")


def test_a_rust_use_means_the_deepest_module(tmp_path: Path) -> None:
    files = {
        "Cargo.toml": '[package]\nname = "my-shop"\nversion = "0.1.0"\n',
        "src/lib.rs": "mod cart;\nuse crate::cart::money::Money;\nuse std::fmt;\nuse serde::Serialize;\n",
        "src/cart/mod.rs": "pub mod money;\nuse super::helper;\n",
        "src/cart/money.rs": "pub struct Money;\n",
        "tests/all.rs": "use my_shop::cart::money::Money;\n",
    }
    found = targets(tmp_path, files)
    assert found["src/lib.rs", "crate::cart::money", "Money"] == Target(("src/cart/money.rs",))
    assert found["src/lib.rs", "self", "cart"] == Target(("src/cart/mod.rs",))
    assert found["tests/all.rs", "my_shop::cart::money", "Money"] == Target(("src/cart/money.rs",))
    assert found["src/lib.rs", "std", "fmt"] == Target(package="std", is_standard=True)
    assert found["src/lib.rs", "serde", "Serialize"] == Target(package="serde")


def test_a_java_import_means_the_file_of_the_class(tmp_path: Path) -> None:
    files = {
        "src/main/java/org/shop/Cart.java": "package org.shop;\nimport org.shop.money.Money;\nimport java.util.List;\n"
        "import static org.shop.money.Money.of;\nimport org.shop.money.*;\nimport com.google.gson.Gson;\n"
        "class Cart {}\n",
        "src/main/java/org/shop/money/Money.java": "package org.shop.money;\npublic class Money {}\n",
    }
    found = {key[1:]: target for key, target in targets(tmp_path, files).items()}
    money = Target(("src/main/java/org/shop/money/Money.java",))
    assert (
        found["org.shop.money", "Money"] == found["org.shop.money.Money", "of"] == found["org.shop.money", "*"] == money
    )
    assert found["java.util", "List"] == Target(package="java.util", is_standard=True)
    assert found["com.google.gson", "Gson"] == Target(package="com.google.gson")


def test_an_include_means_a_file_beside_or_below_a_folder_of_headers(tmp_path: Path) -> None:
    files = {
        "src/main.c": '#include <stdio.h>\n#include "util.h"\n#include <shop/cart.h>\n#include <zlib.h>\n',
        "src/util.h": "",
        "include/shop/cart.h": "",
    }
    found = {key[1]: target for key, target in targets(tmp_path, files).items()}
    assert found["util.h"] == Target(("src/util.h",))
    assert found["shop/cart.h"] == Target(("include/shop/cart.h",))
    assert found["stdio.h"] == Target(package="stdio.h", is_standard=True)
    assert found["zlib.h"] == Target(package="zlib.h")


def test_a_csharp_using_means_the_files_that_declare_the_namespace(tmp_path: Path) -> None:
    files = {
        "Shop/Cart.cs": "using System.Linq;\nusing Shop.Money;\nusing Newtonsoft.Json.Linq;\n"
        "namespace Shop { class Cart {} }\n",
        "Shop/Money/Coin.cs": "namespace Shop.Money { class Coin {} }\n",
    }
    found = {key[1]: target for key, target in targets(tmp_path, files).items()}
    assert found["Shop.Money"] == Target(("Shop/Money/Coin.cs",))
    assert found["System.Linq"] == Target(package="System.Linq", is_standard=True)
    assert found["Newtonsoft.Json.Linq"] == Target(package="Newtonsoft.Json")


def test_ruby_php_and_shell_find_their_files(tmp_path: Path) -> None:
    files = {
        "lib/shop.rb": 'require_relative "shop/cart"\nrequire "shop/cart"\nrequire "rack"\n',
        "lib/shop/cart.rb": "",
        "src/Shop/Cart.php": "<?php\nnamespace Shop;\nuse Shop\\Money\\Coin;\nuse Psr\\Log\\LoggerInterface;\n"
        "class Cart {}\n",
        "src/Shop/Money/Coin.php": "<?php\nnamespace Shop\\Money;\nclass Coin {}\n",
        "bin/run.sh": "source ./lib.sh\n",
        "bin/lib.sh": "",
    }
    found = targets(tmp_path, files)
    assert found["lib/shop.rb", "shop/cart", ""] == Target(("lib/shop/cart.rb",))
    assert found["lib/shop.rb", "rack", ""] == Target(package="rack")
    assert found["src/Shop/Cart.php", "Shop\\Money", "Coin"] == Target(("src/Shop/Money/Coin.php",))
    assert found["src/Shop/Cart.php", "Psr\\Log", "LoggerInterface"] == Target(package="Psr\\Log")
    assert found["bin/run.sh", "./lib.sh", ""] == Target(("bin/lib.sh",))
