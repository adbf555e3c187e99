"""What a call means in C and C++: of the file itself, of an included header, or of a named class; else nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from code_insight.queries.dependencies import dependencies
from code_insight.queries.graph import Certainty, used, users
from code_insight.queries.resolving import Defined, Resolver
from code_insight.queries.symbols import definition, find
from code_insight.store import IndexedCommit, Reader

from tests.server.indexed import index
from tests.server.queries.claims import claims_in, meanings

# A comment at the end of a line names one of its names, and what that means.
FILES: dict[str, str] = {
    "include/box.h": """\
#ifndef BOX_H
#define BOX_H
#include "deep.h"
int box_open(int key);
static inline int box_key(void) { return 1; }
#define BOX_MAX(a) ((a) + 1)
#endif
""",
    "include/deep.h": "int deep_dive(int);\n",
    "src/box.c": """\
#include "box.h"

static int turn(int key) { return key; }
static int init(void) { return 0; }

int box_open(int key)
{
  init();  // init: src/box.c init
  return turn(key);  // turn: src/box.c turn
}
""",
    "src/deep.c": "int deep_dive(int n) { return n ? deep_dive(n - 1) : 0; }  // deep_dive: src/deep.c deep_dive\n",
    "src/use.c": """\
#include <stdlib.h>
#include "box.h"

static int init(void) { return 1; }

int use(struct ops *ops, int (*deep_dive)(int))
{
  init();  // init: src/use.c init
  ops->box_open(1);  // box_open: unknown
  malloc(1);  // malloc: unknown
  turn(1);  // turn: outside
  deep_dive(1);  // deep_dive: unknown
  return box_open(box_key());  // box_open: src/box.c box_open
}

int other(void)
{
  deep_dive(2);  // deep_dive: src/deep.c deep_dive
  twice(3);  // twice: unknown
  return BOX_MAX(box_key());  // BOX_MAX: unknown
}
""",
    "src/held.c": """\
#include "box.h"
static int (*box_open)(int);
int held(void) { return box_open(1); }  // box_open: unknown
""",
    "src/alone.c": "int alone(void) { return box_open(2); }  // box_open: unknown\n",
    "deps/copy/box.h": "int box_open(int key);\n",
    "deps/copy/box.c": '#include "box.h"\nint box_open(int key) { return key; }\n',
    "deps/copy/use.c": """\
#include "box.h"
int use_copy(void) { return box_open(1); }  // box_open: deps/copy/box.c box_open
""",
    "src/linux/twice.c": "int twice(int n) { return n; }\n",
    "src/windows/twice.c": "int twice(int n) { return n; }\n",
    "include/cart.hpp": """\
#include "cart.hpp"
namespace shop {
class Base { public: virtual int weigh(); };
class Cart : public Base { public: static int total(int n); int weigh() override; };
}
""",
    "src/cart.cpp": """\
#include "cart.hpp"

namespace shop {
int Cart::total(int n) { return n; }
int Cart::weigh() { return Base::weigh(); }  // weigh: include/cart.hpp shop.Base.weigh
}
""",
    "src/till.cpp": """\
#include "cart.hpp"

int total(int n) { return n; }

int till(shop::Cart cart)
{
  cart.weigh();  // weigh: unknown
  total(1);  // total: unknown
  return shop::Cart::total(1);  // total: src/cart.cpp shop.Cart.total
}
""",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> IndexedCommit:
    return index(tmp_path_factory.mktemp("c"), {**FILES})


@pytest.mark.parametrize("claim", claims_in(FILES), ids=lambda claim: f"{claim.path}:{claim.line}:{claim.name}")
def test_a_call_means_what_is_evident(shop: IndexedCommit, claim: object) -> None:
    with Reader(shop) as reader:
        assert meanings(reader, claim) == {claim.meaning}  # type: ignore[attr-defined, arg-type]


def test_users_of_a_static_function_are_of_its_file(shop: IndexedCommit) -> None:
    found = users(shop, "init", "src/box.c")
    assert [(use.occurrence.path, use.certainty) for use in found.uses] == [("src/box.c", Certainty.EXACT)]
    assert found.elsewhere == 1


def test_users_through_a_header_are_exact_and_what_nothing_tells_is_not(shop: IndexedCommit) -> None:
    found = users(shop, "box_open", "src").uses
    certainties = {(use.occurrence.path, use.occurrence.line): str(use.certainty) for use in found}
    assert certainties["src/use.c", 13] == "exact"
    assert {certainties["src/alone.c", 1], certainties["src/use.c", 9]} == {"name"}
    assert not any(path.startswith("deps/") for path, _ in certainties)


def test_what_a_function_calls_is_exact(shop: IndexedCommit) -> None:
    _, names = used(shop, "other")
    exact = {name.name: name.definitions[0].path for name in names if name.certainty is Certainty.EXACT}
    assert exact["deep_dive"] == "src/deep.c"


def test_classes_know_their_bases_and_what_is_derived_from_them(shop: IndexedCommit) -> None:
    cart = definition(shop, find(shop, "shop.Cart")[0])
    assert [(name, base and base.path) for name, base in cart.bases] == [("Base", "include/cart.hpp")]
    base = definition(shop, find(shop, "shop.Base")[0])
    assert [derived.qualified_name for derived in base.derived] == ["shop.Cart"]


def test_includes_are_imports_of_files_here_and_the_rest_is_from_outside(shop: IndexedCommit) -> None:
    found = dependencies(shop, "src/use.c")
    assert [edge.path for edge in found.imports] == ["include/box.h"]
    assert [edge.path for edge in dependencies(shop, "include/deep.h").imported_by] == ["include/box.h"]


def test_a_line_of_a_machine_costs_no_more_than_another(tmp_path: Path) -> None:
    calls = "int go(void) { return 1; }\nint use(void) { return " + "a" * 15_000 + " + " + "go() + " * 300 + "0; }\n"
    with Reader(index(tmp_path, {"a.c": calls})) as reader:
        resolver = Resolver(reader)
        assert {type(resolver.meaning(use)) for use in reader.occurrences("go")} == {Defined}


def test_headers_that_include_each_other_have_an_end(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "a.h": '#include "b.h"\nint go(void);\n',
        "b.h": '#include "a.h"\n#include "b.h"\n',
        "a.c": "int go(void) { return 1; }\n",
        "use.c": '#include "b.h"\nint use(void) { return go(); }\n',
    }
    (use,) = [use for use in users(index(tmp_path, files), "go").uses if use.occurrence.path == "use.c"]
    assert use.certainty is Certainty.EXACT
