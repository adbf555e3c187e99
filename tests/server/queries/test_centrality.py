"""Which symbols matter most, where names alone would mislead."""

from pathlib import Path

from code_insight.queries.centrality import central
from code_insight.store import Reader

from tests.server.indexed import index

FILES: dict[str, str | bytes] = {
    "go.mod": "module example.com/shop\n",
    "shop.go": "package shop\n\ntype Engine struct{}\n\ntype CartError struct{}\n",
    "text/text.go": "package text\n\ntype String struct{}\n",
    **{f"part{n}.go": f"package shop\n\nfunc o{n}(e *Engine, x CartError) {{ e.String() }}\n" for n in range(4)},
    "values.go": "package shop\n\ntype Value struct{}\n\nfunc (Value) String() string { return \"\" }\n",
    "use.go": (
        'package shop\n\nimport "example.com/shop/text"\n\n'
        "func use(v Value, s text.String) string { return v.String() }\n"
    ),
}  # fmt: skip


def test_a_symbol_has_the_users_that_mean_it_and_not_those_of_its_name(tmp_path: Path) -> None:
    with Reader(index(tmp_path, FILES)) as reader:
        users = {symbol.qualified_name: count for symbol, count in central(reader)}
    assert users["Engine"] == 4
    assert users["String"] == 1


def test_what_everybody_raises_comes_after_what_everybody_uses(tmp_path: Path) -> None:
    with Reader(index(tmp_path, FILES)) as reader:
        names = [symbol.name for symbol, _ in central(reader)]
    assert names.index("Engine") < names.index("CartError")


def test_of_many_users_some_are_looked_into_and_the_rest_is_taken_to_be_alike(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"shop/cart.py": "class Cart: ...\n", "shop/other.py": "class Cart: ...\n"}
    files |= {f"shop/use{n}.py": f"from shop.cart import Cart\n\nx{n} = Cart()\n" for n in range(90)}
    with Reader(index(tmp_path, files)) as reader:
        assert [(symbol.path, count) for symbol, count in central(reader)] == [("shop/cart.py", 90)]
