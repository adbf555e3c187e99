"""What is defined, used and imported in each language: small trees in tests/samples, and single claims."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from code_insight.languages import (
    LANGUAGES,
    Language,
    by_name,
    is_generated,
    is_test_path,
    is_vendored,
    language_of,
    query_text,
)
from code_insight.model import Facts, ReferenceKind, SymbolFact
from code_insight.parsing import parse

SAMPLES = Path(__file__).parent.parent / "samples"


def facts_of(source: str, language: str) -> Facts:
    return parse(by_name()[language], source.encode())


def symbols_of(source: str, language: str) -> list[SymbolFact]:
    return list(facts_of(source, language).symbols)


def symbol_of(source: str, language: str, name: str) -> SymbolFact:
    return next(symbol for symbol in symbols_of(source, language) if symbol.name == name)


def sample(path: str) -> Facts:
    text = (SAMPLES / path).read_bytes()
    language = language_of(path, text.decode())
    assert language is not None
    return parse(language, text)


def in_sample(path: str, name: str) -> SymbolFact:
    return next(symbol for symbol in sample(path).symbols if symbol.name == name)


def uses(facts: Facts, kind: ReferenceKind) -> set[str]:
    return {reference.name for reference in facts.references if reference.kind is kind}


def calls_in(facts: Facts, symbol: str) -> list[str]:
    """The names called in the symbols of this name, in document order."""
    return [
        reference.name
        for reference in facts.references
        if reference.kind is ReferenceKind.CALL
        and reference.symbol >= 0
        and facts.symbols[reference.symbol].name == symbol
    ]


def imports_of(facts: Facts) -> list[tuple[str, str, str]]:
    return [(each.module, each.name, each.alias) for each in facts.imports]


# Kind, path and lines of every definition, in the order in which they begin.
SYMBOLS = {
    "bash/deploy.sh": """
        constant TARGET 8-8
        constant LIMIT 9-9
        constant REGION 10-10
        variable verbose 11-11
        function log 16-19
        function build 21-25
        function deploy_all 27-31
        function main 33-39
        function main.helper 34-34
    """,
    "c/cart.c": """
        variable default_limit 3-3
        variable cart_debug 4-4
        variable cart_trace 4-4
        variable names 5-5
        variable handler 6-6
        function cart_new 12-17
        function cart_names 19-19
        function grow 21-28
        function cart_add 30-34
    """,
    "c/cart.h": """
        macro CART_LIMIT 7-7
        macro CART_MAX 8-9
        enum cart_size 12-12
        constant cart_size.CART_SMALL 12-12
        constant cart_size.CART_LARGE 12-12
        type cart_t 15-20
        struct cart 15-20
        field cart.items 16-16
        field cart.count 17-17
        field cart.limit 17-17
        field cart.compare 18-18
        field cart.value 19-19
        field cart.a 19-19
        field cart.b 19-19
        struct point 22-22
        field point.x 22-22
        type cart_visitor 23-23
        type cart_id 24-24
        type cart_id_ptr 24-24
        variable cart_debug 26-26
        function cart_new 29-29
        function cart_add 30-30
        function cart_remove 31-31
    """,
    "cpp/cart.cpp": """
        namespace shop 3-31
        variable shop.hidden 5-5
        function shop.helper 6-6
        method shop.v1.Cart.~Cart 9-12
        method shop.v1.Cart.at 14-21
        function shop.operator<< 24-24
        constructor shop.Printer.Printer 26-26
        method shop.Printer.operator int 27-27
        field shop.Printer.instances 28-28
        method shop.Printer.Table.row 29-29
        function shop_main 33-33
    """,
    "cpp/cart.hpp": """
        macro SHOP_API 5-5
        namespace shop::v1 7-66
        type shop.v1.Items 9-9
        type shop.v1.Count 10-10
        enum shop.v1.Size 14-14
        constant shop.v1.Size.Small 14-14
        constant shop.v1.Size.Large 14-14
        class shop.v1.Store 17-21
        method shop.v1.Store.~Store 19-19
        method shop.v1.Store.size 20-20
        class shop.v1.Cart 26-54
        field shop.v1.Cart.kLimit 29-29
        constructor shop.v1.Cart.Cart 32-32
        method shop.v1.Cart.~Cart 33-33
        method shop.v1.Cart.size 35-35
        method shop.v1.Cart.at 36-36
        method shop.v1.Cart.find 37-37
        method shop.v1.Cart.operator== 38-38
        method shop.v1.Cart.operator bool 39-39
        method shop.v1.Cart.each 41-44
        struct shop.v1.Cart.Line 46-48
        field shop.v1.Cart.Line.count 47-47
        field shop.v1.Cart.Line.number 47-47
        field shop.v1.Cart.limit_ 52-52
        field shop.v1.Cart.items_ 53-53
        field shop.v1.Cart.last_ 53-53
        struct shop.v1.Hash 56-59
        method shop.v1.Hash.operator() 58-58
        type shop.v1.Priced 61-62
        variable shop.v1.total 64-64
    """,
    "csharp/Cart.cs": """
        namespace Example.Shop 6-53
        enum Example.Shop.Size 9-9
        constant Example.Shop.Size.Small 9-9
        constant Example.Shop.Size.Large 9-9
        type Example.Shop.Changed 11-11
        interface Example.Shop.IStore 13-17
        field Example.Shop.IStore.Count 15-15
        method Example.Shop.IStore.Add 16-16
        class Example.Shop.Cart 20-53
        constant Example.Shop.Cart.Limit 24-24
        field Example.Shop.Cart._items 25-25
        field Example.Shop.Cart._removed 25-25
        field Example.Shop.Cart.OnChanged 26-26
        field Example.Shop.Cart.Name 28-28
        field Example.Shop.Cart.Count 29-29
        constructor Example.Shop.Cart.Cart 31-34
        method Example.Shop.Cart.Add 37-45
        function Example.Shop.Cart.Add.Check 40-40
        struct Example.Shop.Cart.Line 47-50
        field Example.Shop.Cart.Line.Number 49-49
        class Example.Shop.Cart.Price 52-52
        field Example.Shop.Cart.Price.Amount 52-52
        field Example.Shop.Cart.Price.Currency 52-52
    """,
    "go/shop/cart.go": """
        constant Limit 13-13
        constant Small 17-17
        constant Medium 18-18
        constant Large 19-19
        constant Huge 19-19
        variable registry 23-23
        variable ErrFull 27-27
        variable ErrEmpty 27-27
        type Size 30-30
        type Alias 32-32
        type Handler 34-34
        struct Item 37-42
        field Item.Name 40-40
        field Item.Label 40-40
        field Item.Price 41-41
        interface Store 45-50
        method Store.Add 48-48
        struct Cart 52-54
        field Cart.items 53-53
        method Cart.Add 59-67
        method Item.String 69-69
        function New 71-76
        struct New.private 74-74
        field New.private.a 74-74
    """,
    "java/shop/Cart.java": """
        class Cart 12-68
        constant Cart.LIMIT 15-15
        constant Cart.SMALL 15-15
        field Cart.items 16-16
        field Cart.count 17-17
        constructor Cart.Cart 23-26
        method Cart.add 29-45
        method Cart.add.toString 38-41
        method Cart.size 47-47
        class Cart.Line 50-52
        field Cart.Line.number 51-51
        enum Cart.Size 54-67
        constant Cart.Size.SMALL 55-55
        constant Cart.Size.LARGE 56-60
        method Cart.Size.LARGE.extra 57-59
        field Cart.Size.value 62-62
        constructor Cart.Size.Size 64-66
        interface Named 70-78
        constant Named.VERSION 71-71
        method Named.name 73-73
        method Named.label 75-77
        class Price 80-84
        field Price.amount 80-80
        field Price.currency 80-80
        constructor Price.Price 81-83
        interface Audited 86-88
        method Audited.value 87-87
    """,
    "javascript/src/cart.js": """
        constant LIMIT 6-6
        variable counter 7-7
        variable total 7-7
        class Item 12-35
        field Item.count 13-13
        field Item.#price 14-14
        constructor Item.constructor 16-19
        method Item.price 21-23
        method Item.load 25-28
        method Item.onChange 32-34
        function sum 38-38
        constant cart 40-48
        function cart.add 42-44
        function cart.clear 45-47
        function walk 50-55
        function walk.inner 51-53
        function Shop 57-57
        method Shop.open 59-61
        function describe 64-66
        function pay 68-70
        function visible 74-74
    """,
    "javascript/src/page.jsx": """
        function Page 7-15
        constant Fast 17-19
        function Fast.FastPage 17-19
    """,
    "markdown/guide.md": """
        heading The shop guide 3-21
        heading The shop guide.Install shop now 7-16
        heading The shop guide.Install shop now.On Linux 13-16
        heading The shop guide.Use 17-18
        heading The shop guide.A heading with a line below 19-21
        heading Appendix 22-24
        heading Appendix.Quoted 24-24
    """,
    "php/src/Cart.php": """
        namespace Example\\Shop 5-80
        constant Example.Shop.LIMIT 15-15
        constant Example.Shop.SHOP_DEBUG 16-16
        interface Example.Shop.Store 21-24
        method Example.Shop.Store.add 23-23
        trait Example.Shop.Logs 26-31
        field Example.Shop.Logs.logger 28-28
        method Example.Shop.Logs.name 30-30
        enum Example.Shop.Size 33-39
        constant Example.Shop.Size.Small 35-35
        constant Example.Shop.Size.Large 36-36
        constant Example.Shop.Size.DEFAULT 38-38
        class Example.Shop.Cart 44-72
        constant Example.Shop.Cart.KIND 49-49
        field Example.Shop.Cart.items 50-50
        field Example.Shop.Cart.removed 50-50
        field Example.Shop.Cart.count 51-51
        constructor Example.Shop.Cart.__construct 53-56
        field Example.Shop.Cart.owner 53-53
        method Example.Shop.Cart.add 59-69
        method Example.Shop.Cart.size 71-71
        function Example.Shop.total 74-78
        function Example.Shop.total.nested 76-76
        variable Example.Shop.cart 80-80
    """,
    "python/shop/cart.py": """
        constant T 17-17
        constant MAX_ITEMS 20-20
        variable vat 22-22
        variable low 23-23
        variable high 23-23
        variable override 26-26
        variable uvloop 31-31
        class CartError 34-35
        class Repository 38-53
        field Repository.table 44-44
        method Repository.name 46-49
        method Repository.open 51-53
        class Cart 56-75
        field Cart.items 58-58
        constant Cart.LIMIT 59-59
        constructor Cart.__init__ 61-62
        method Cart.total 64-72
        function Cart.total.price 68-69
        class Cart.Line 74-75
        field Cart.Line.count 75-75
        type Prices 78-78
        function load 81-83
        variable key 86-86
    """,
    "ruby/lib/cart.rb": """
        variable $debug 8-8
        module Shop 11-70
        constant Shop.VERSION 12-12
        class Shop.Cart 15-63
        constant Shop.Cart.LIMITS 19-19
        field Shop.Cart.items 20-20
        field Shop.Cart.owner 20-20
        field Shop.Cart.name 21-21
        method Shop.Cart.open 24-26
        method Shop.Cart.empty 29-29
        constructor Shop.Cart.initialize 31-33
        method Shop.Cart.add! 36-40
        method Shop.Cart.== 42-44
        method Shop.Cart.empty? 46-46
        method Shop.Cart.size 48-48
        method Shop.Cart.push 49-49
        method Shop.Cart.clear 50-50
        method Shop.Cart.secret 52-54
        class Shop.Cart.Line 56-60
        method Shop.Cart.Line.total 57-59
        class Shop.Cart.Full 62-62
        method Shop.helper 67-69
        class Shop.Clerk 72-73
        function main 75-77
    """,
    "rust/src/lib.rs": """
        constant LIMIT 12-12
        variable COUNTER 13-13
        type Result 15-15
        struct Cart 20-25
        field Cart.items 23-23
        field Cart.owner 24-24
        struct Pair 27-27
        enum Error 29-34
        constant Error.Full 31-31
        constant Error.Unknown 32-32
        constant Error.Invalid 33-33
        field Error.code 33-33
        struct Bits 36-38
        field Bits.whole 37-37
        trait Store 40-47
        type Store.Key 41-41
        constant Store.NAME 42-42
        method Store.get 43-43
        method Store.size 44-46
        constant Cart.EMPTY 50-50
        method Cart.new 53-56
        method Cart.add 58-66
        function Cart.add.check 59-61
        method Cart.fmt 70-72
        type elsewhere.Depot.Key 76-76
        macro cart 79-82
        module tests 84-89
        function tests.adds 85-88
        function external 92-92
    """,
    "tsx/src/page.tsx": """
        interface PageProps 4-7
        field PageProps.cart 5-5
        field PageProps.onPay 6-6
        function Page 10-21
        function Page.toggle 12-14
        class Boundary 23-29
        field Boundary.state 24-24
        method Boundary.render 26-28
    """,
    "typescript/src/cart.ts": """
        type Amount 6-6
        interface Item 9-13
        field Item.price 10-10
        method Item.label 11-11
        enum Size 15-18
        constant Size.Small 16-16
        constant Size.Large 17-17
        constant LIMIT 20-20
        constant VERSION 21-21
        function external 22-22
        module ./store 24-28
        interface ./store.Store 25-27
        field ./store.Store.extra 26-26
        namespace Prices.Europe 30-34
        function Prices.Europe.vat 31-33
        class Base 36-38
        method Base.size 37-37
        class Cart 40-64
        field Cart.kind 42-42
        field Cart.items 43-43
        field Cart.#secret 44-44
        constructor Cart.constructor 46-48
        field Cart.store 46-46
        method Cart.add 51-55
        method Cart.size 57-59
        method Cart.handle 61-63
        function pick 66-66
        function pick 67-67
        function pick 68-70
    """,
}


@pytest.mark.parametrize("path", SYMBOLS)
def test_a_sample_has_exactly_these_definitions(path: str) -> None:
    lines = [
        f"{symbol.kind} {'.'.join(filter(None, (symbol.container, symbol.name)))} {symbol.start_line}-{symbol.end_line}"
        for symbol in sample(path).symbols
    ]
    assert lines == [line.strip() for line in SYMBOLS[path].strip().splitlines()]


@pytest.mark.parametrize("path", SYMBOLS)
def test_a_name_stands_where_its_definition_says(path: str) -> None:
    lines = (SAMPLES / path).read_text().split("\n")
    for symbol in sample(path).symbols:
        if symbol.kind != "heading":
            assert lines[symbol.name_line - 1][symbol.name_column :].startswith(symbol.name)


@pytest.mark.parametrize("path", SYMBOLS)
def test_a_reference_stands_where_it_says_and_is_no_definition(path: str) -> None:
    lines = (SAMPLES / path).read_text().split("\n")
    facts = sample(path)
    definitions = {(symbol.name_line, symbol.name_column) for symbol in facts.symbols}
    for reference in facts.references:
        assert lines[reference.line - 1][reference.column :].startswith(reference.name)
        assert (reference.line, reference.column) not in definitions


@pytest.mark.parametrize("path", SYMBOLS)
def test_references_are_in_document_order_and_inside_their_symbol(path: str) -> None:
    facts = sample(path)
    places = [(reference.line, reference.column) for reference in facts.references]
    assert places == sorted(places)
    for reference in facts.references:
        if reference.symbol >= 0:
            symbol = facts.symbols[reference.symbol]
            assert symbol.start_line <= reference.line <= symbol.end_line


@pytest.mark.parametrize("path", SYMBOLS)
def test_a_parent_is_named_by_the_container(path: str) -> None:
    facts = sample(path)
    for symbol in facts.symbols:
        if symbol.parent >= 0:
            parent = facts.symbols[symbol.parent]
            name = parent.name.replace("::", ".").replace("\\", ".")
            assert symbol.container == ".".join(filter(None, (parent.container, name)))


@pytest.mark.parametrize("path", [path for path in SYMBOLS if not path.startswith("markdown")])
def test_a_sample_follows_its_grammar(path: str) -> None:
    assert sample(path).error_lines == ()


# --- signatures, documentation, bases --------------------------------------------------------------------------------

SIGNATURES = [
    (
        "python/shop/cart.py",
        "total",
        "async def total(self, discount: Callable[[CartItem], float] | None = None) -> float",
    ),
    ("python/shop/cart.py", "Cart", "class Cart(Repository[CartItem], metaclass=type)"),
    ("python/shop/cart.py", "MAX_ITEMS", "MAX_ITEMS = 100"),
    ("javascript/src/cart.js", "sum", "const sum = (...numbers)"),
    ("javascript/src/cart.js", "walk", "function* walk(tree)"),
    ("javascript/src/page.jsx", "Page", "export default function Page({ items })"),
    (
        "typescript/src/cart.ts",
        "Item",
        "export interface Item<T = unknown> extends Named, util.Inspectable<T>",
    ),
    ("typescript/src/cart.ts", "add", "async add(item: T): Promise<void>"),
    ("tsx/src/page.tsx", "Page", "export const Page: FC<PageProps> = ({ cart, onPay })"),
    ("go/shop/cart.go", "New", "func New[T any](items ...T) (*Cart[T], error)"),
    ("go/shop/cart.go", "Handler", "type Handler func(ctx context.Context, item Item) error"),
    ("go/shop/cart.go", "Store", "type Store interface"),
    ("rust/src/lib.rs", "Pair", "struct Pair(u8, pub Item)"),
    ("rust/src/lib.rs", "cart", "macro_rules! cart"),
    (
        "java/shop/Cart.java",
        "add",
        "public synchronized <R> R add(final T item, Object... rest) throws FullException",
    ),
    ("c/cart.h", "CART_MAX", "#define CART_MAX(a, b)"),
    ("c/cart.h", "cart_t", "typedef struct cart cart_t"),
    ("c/cart.c", "cart_add", "int cart_add(cart_t *cart, const struct item *item)"),
    ("cpp/cart.hpp", "operator bool", "explicit operator bool() const"),
    ("cpp/cart.cpp", "at", "T &v1::Cart<T, A>::at(int index)"),
    ("csharp/Cart.cs", "Name", "public string Name"),
    ("csharp/Cart.cs", "Price", "public record Price(decimal Amount, Currency Currency) : Base"),
    ("ruby/lib/cart.rb", "add!", "def add!(item, count: 1, &block)"),
    ("php/src/Cart.php", "total", "function total(Cart ...$carts): float"),
    ("bash/deploy.sh", "TARGET", "readonly TARGET=production"),
    ("markdown/guide.md", "Use", "## Use"),
]


@pytest.mark.parametrize(("path", "name", "signature"), SIGNATURES)
def test_a_signature_ends_before_the_body(path: str, name: str, signature: str) -> None:
    assert in_sample(path, name).signature == signature


DOCS = [
    ("python/shop/cart.py", "Repository", "Keeps things.\n\nFor as long as it lives."),
    ("python/shop/cart.py", "load", "Items of a JSON text."),
    ("python/shop/cart.py", "MAX_ITEMS", "How many things fit."),
    ("python/shop/cart.py", "vat", "Tax in percent."),
    ("javascript/src/cart.js", "sum", "Adds up."),
    ("typescript/src/cart.ts", "add", "Adds one."),
    ("go/shop/cart.go", "Small", "Small is small."),
    ("rust/src/lib.rs", "Cart", "A cart.\n\nWith items."),
    ("java/shop/Cart.java", "Cart", "A cart.\n\n@param <T> what is in it"),
    ("java/shop/Cart.java", "add", "Adds one."),
    ("c/cart.c", "cart_new", "Makes a cart.\nNever fails."),
    ("cpp/cart.hpp", "Store", "Keeps things."),
    ("csharp/Cart.cs", "Cart", "A cart."),
    ("ruby/lib/cart.rb", "Shop", "Sells things."),
    ("php/src/Cart.php", "Cart", "A cart."),
    ("bash/deploy.sh", "log", "Says something.\nOn standard error."),
]


@pytest.mark.parametrize(("path", "name", "doc"), DOCS)
def test_documentation_comes_without_its_marks(path: str, name: str, doc: str) -> None:
    assert in_sample(path, name).doc == doc


BASES = [
    ("python/shop/cart.py", "Repository", ("Generic", "prices.Store")),
    ("javascript/src/cart.js", "Item", ("Base.Thing",)),
    ("typescript/src/cart.ts", "Cart", ("Base", "Store", "util.Disposable")),
    ("go/shop/cart.go", "Item", ("Base", "fmt.Stringer")),
    ("go/shop/cart.go", "Store", ("context.Context",)),
    ("rust/src/lib.rs", "Cart", ("fmt::Display",)),
    ("java/shop/Cart.java", "Cart", ("Base.Store", "Comparable", "java.io.Serializable")),
    ("cpp/cart.hpp", "Cart", ("Store", "detail::Base")),
    ("csharp/Cart.cs", "Cart", ("Base", "IStore", "Contracts.INamed")),
    ("ruby/lib/cart.rb", "Cart", ("Base::Store", "Enumerable", "Shop::Loader")),
    ("php/src/Cart.php", "Cart", ("Base\\Model", "Store", "\\JsonSerializable", "Logs", "Counts")),
]


@pytest.mark.parametrize(("path", "name", "bases"), BASES)
def test_bases_are_named_without_type_arguments(path: str, name: str, bases: tuple[str, ...]) -> None:
    assert in_sample(path, name).bases == bases


def test_a_comment_apart_from_a_definition_is_not_its_documentation() -> None:
    assert symbol_of("// Licence.\n\nfunc f() {}\n", "go", "f").doc == ""


def test_a_comment_behind_code_is_not_the_next_lines_documentation() -> None:
    assert symbol_of("a = 1  # of a\nb = 2\n", "python", "b").doc == ""


def test_documentation_is_cut_at_2000_characters() -> None:
    assert len(symbol_of(f'def f():\n    """{"x" * 5000}"""\n', "python", "f").doc) == 2000


@pytest.mark.parametrize(
    ("language", "source", "signature"),
    [
        ("python", "class Config(dict):  # type: ignore[type-arg]\n    x = 1\n", "class Config(dict)"),
        ("python", "def f(x: str = '# a') -> int:\n    pass\n", "def f(x: str = '# a') -> int"),
        ("go", "package p\n\nfunc f(a int) { // why\n}\n", "func f(a int)"),
        ("ruby", "def call!(env) # :nodoc:\n  env\nend\n", "def call!(env)"),
        ("ruby", "class Proxy\n  # What it holds.\n  # And more.\n  def f; end\nend\n", "class Proxy"),
        ("ruby", "def dispatch!\n  # Why.\n  run\nend\n", "def dispatch!"),
    ],
)
def test_a_signature_ends_before_a_comment_in_front_of_the_body(language: str, source: str, signature: str) -> None:
    (symbol,) = parse(by_name()[language], source.encode()).symbols[:1]
    assert symbol.signature == signature


def test_a_signature_is_cut_at_300_characters() -> None:
    parameters = ", ".join(f"parameter{number}" for number in range(100))
    assert len(symbol_of(f"def f({parameters}): pass\n", "python", "f").signature) == 300


def test_a_decorator_belongs_to_the_span_but_not_to_the_signature() -> None:
    symbol = symbol_of("@cached\n@other(1)\ndef f(): pass\n", "python", "f")
    assert (symbol.start_line, symbol.signature) == (1, "def f()")


def test_columns_are_counted_in_characters() -> None:
    facts = facts_of("größe = 1; zwei = größe\n", "python")
    assert [(symbol.name, symbol.name_column) for symbol in facts.symbols] == [("größe", 0), ("zwei", 11)]
    assert [(reference.name, reference.column) for reference in facts.references] == [("größe", 18)]


# --- containers ------------------------------------------------------------------------------------------------------


def test_a_go_method_stands_in_its_receiver() -> None:
    facts = facts_of("package a\nfunc (s *Stack[T]) Push(x T) {}\ntype Stack[T any] struct{}\n", "go")
    push = facts.symbols[0]
    assert (push.kind, push.container, facts.symbols[push.parent].name) == ("method", "Stack", "Stack")


def test_a_go_method_of_a_type_in_another_file_has_a_container_and_no_parent() -> None:
    push = symbol_of("package a\nfunc (s *Stack) Push() {}\n", "go", "Push")
    assert (push.container, push.parent) == ("Stack", -1)


def test_a_rust_method_stands_in_the_type_of_its_impl_block() -> None:
    facts = sample("rust/src/lib.rs")
    new = next(symbol for symbol in facts.symbols if symbol.name == "new")
    assert (new.kind, new.container, facts.symbols[new.parent].kind) == ("method", "Cart", "struct")


def test_a_cpp_method_stands_in_the_class_that_its_name_says() -> None:
    symbol = symbol_of("namespace a { int b::C<T>::run(int x) { return x; } }", "cpp", "run")
    assert (symbol.kind, symbol.container) == ("method", "a.b.C")


def test_a_prototype_counts_only_without_its_definition() -> None:
    symbols = symbols_of("int f(int);\nint g(int);\nint f(int x) { return x; }\n", "c")
    assert [(symbol.name, symbol.start_line) for symbol in symbols] == [("g", 2), ("f", 3)]


@pytest.mark.parametrize("source", ["class EXPORT Base {", "class API_CLASS(1) Base {", "struct EXPORT Base : A {"])
def test_a_macro_in_front_of_a_class_name_does_not_hide_the_class(source: str) -> None:
    symbols = symbols_of(f"{source}\n  int run();\n}};\n", "cpp")
    assert [(symbol.container, symbol.name) for symbol in symbols] == [("", "Base"), ("Base", "run")]


def test_what_is_local_to_a_function_is_no_symbol() -> None:
    assert [s.name for s in symbols_of("def f():\n    x = 1\n    def g(): y = 2\n", "python")] == ["f", "g"]
    assert symbols_of("items.map((item) => { const local = 1; });", "javascript") == []


def test_of_two_assignments_the_first_defines() -> None:
    assert [symbol.start_line for symbol in symbols_of("x = 1\nx = 2\n", "python")] == [1]


def test_a_name_that_an_import_binds_is_no_definition() -> None:
    facts = facts_of("const fs = require('fs');\n", "javascript")
    assert facts.symbols == ()
    assert imports_of(facts) == [("fs", "", "fs")]


# --- references ------------------------------------------------------------------------------------------------------


def test_a_call_belongs_to_the_innermost_definition_around_it() -> None:
    assert calls_in(sample("python/shop/cart.py"), "price") == ["discount"]
    assert calls_in(sample("go/shop/cart.go"), "Add") == ["append", "Sprint"]
    assert calls_in(sample("java/shop/Cart.java"), "toString") == ["toString"]


CALLS = {
    "python/shop/cart.py": {"field", "list", "sleep", "dataclass", "property", "exists"},
    "javascript/src/cart.js": {"readFileSync", "absolute", "Item", "reduce", "charge", "notify"},
    "javascript/src/page.jsx": {"ItemList", "Layout", "Page", "state", "setOpen"},
    "typescript/src/cart.ts": {"find", "push", "external", "Component", "logged"},
    "tsx/src/page.tsx": {"CartView", "Main", "useState", "setOpen"},
    "go/shop/cart.go": {"ToUpper", "Marshal", "Errorf"},
    "rust/src/lib.rs": {"push", "new", "debug", "describe", "write", "assert"},
    "java/shop/Cart.java": {"requireNonNull", "Item", "forEach", "check"},
    "c/cart.c": {"calloc", "CART_MAX", "wrap", "compare", "handler", "grow"},
    "cpp/cart.cpp": {"make_unique", "Line", "helper", "run"},
    "csharp/Cart.cs": {"Save", "Dispose", "Check", "Max", "Parse", "Price"},
    "ruby/lib/cart.rb": {"require", "new", "parse", "notify", "each", "check", "open"},
    "php/src/Cart.php": {"now", "add", "Cost", "format", "label", "array_sum"},
    "bash/deploy.sh": {"docker", "log", "date", "deploy", "build", "deploy_all", "main", "printf"},
}


@pytest.mark.parametrize("path", CALLS)
def test_calls_are_told_from_other_uses(path: str) -> None:
    assert CALLS[path] <= uses(sample(path), ReferenceKind.CALL)


TYPES = {
    "python/shop/cart.py": {"CartItem", "Repository", "float", "str", "Callable", "ImportError"},
    "typescript/src/cart.ts": {"Price", "StoreKey", "Size", "Promise", "Event"},
    "go/shop/cart.go": {"Context", "Item", "Size", "Cart"},
    "rust/src/lib.rs": {"Vec", "Option", "String", "Formatter", "Error"},
    "java/shop/Cart.java": {"List", "Object", "Override", "FullException", "Currency"},
    "c/cart.h": {"item", "cart_t"},
    "cpp/cart.hpp": {"Item", "string", "T", "Cart"},
    "csharp/Cart.cs": {"List", "Changed", "Task", "Special", "Serializable"},
    "php/src/Cart.php": {"Item", "Cost", "Logger", "Watch", "Special", "Entity"},
}


@pytest.mark.parametrize("path", TYPES)
def test_types_are_told_from_other_uses(path: str) -> None:
    assert TYPES[path] <= uses(sample(path), ReferenceKind.TYPE)


INHERITED = {
    "python/shop/cart.py": {"ValueError", "Generic", "Store", "Repository"},
    "javascript/src/cart.js": {"Thing"},
    "typescript/src/cart.ts": {"Named", "Inspectable", "Base", "Store", "Disposable"},
    "go/shop/cart.go": {"Base", "Stringer", "Context"},
    "rust/src/lib.rs": {"Clone", "Debug", "Display", "Store"},
    "java/shop/Cart.java": {"Store", "Comparable", "Serializable", "Named", "Cloneable", "Supplier"},
    "cpp/cart.hpp": {"Store", "Base"},
    "csharp/Cart.cs": {"Base", "IStore", "INamed", "IDisposable"},
    "ruby/lib/cart.rb": {"Store", "Enumerable", "Loader", "StandardError"},
    "php/src/Cart.php": {"Model", "Store", "JsonSerializable", "Logs", "Counts", "Named", "Countable", "Traversable"},
}


@pytest.mark.parametrize("path", INHERITED)
def test_inheritance_is_told_from_other_uses(path: str) -> None:
    assert uses(sample(path), ReferenceKind.INHERIT) == INHERITED[path]


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("python", "def f(self, cls): return self.x, cls, super()\n"),
        ("rust", "impl A { fn f(&self) -> Self { self.g() } }"),
        ("php", "<?php class A { function f(): self { return $this; } }"),
        ("typescript", "class A { f(): this { return this; } }"),
    ],
)
def test_an_object_for_itself_is_no_reference(language: str, source: str) -> None:
    names = {reference.name for reference in facts_of(source, language).references}
    assert names.isdisjoint({"self", "cls", "super", "this", "Self"})


def test_strings_and_comments_have_no_references() -> None:
    assert facts_of("x = 'name'  # name\n", "python").references.places == {}


# --- imports ---------------------------------------------------------------------------------------------------------

IMPORTS = {
    "python/shop/cart.py": [
        ("__future__", "annotations", ""),
        ("asyncio", "", ""),
        ("json", "", "serialiser"),
        ("os.path", "", ""),
        ("collections.abc", "Callable", ""),
        ("collections.abc", "Iterable", ""),
        ("dataclasses", "dataclass", ""),
        ("dataclasses", "field", ""),
        ("typing", "Generic", ""),
        ("typing", "TypeVar", ""),
        (".", "prices", ""),
        (".items", "Item", "CartItem"),
        (".legacy", "*", ""),
        ("uvloop", "", ""),
    ],
    "javascript/src/cart.js": [("fs", "", "fs"), ("path", "join", ""), ("path", "resolve", "absolute")],
    "javascript/src/page.jsx": [
        ("react", "default", "React"),
        ("react", "useState", "state"),
        ("react", "memo", ""),
        ("./cart.js", "", "shop"),
        ("./style.css", "", ""),
        ("./cart.js", "Item", ""),
        ("./prices.js", "*", ""),
    ],
    "typescript/src/cart.ts": [
        ("./price", "Price", ""),
        ("./store", "Store", ""),
        ("./store", "Key", "StoreKey"),
        ("./legacy", "", "legacy"),
        ("util", "", "util"),
    ],
    "tsx/src/page.tsx": [("react", "useState", ""), ("react", "FC", ""), ("./cart", "Cart", "")],
    "go/shop/cart.go": [
        ("context", "", ""),
        ("fmt", "", ""),
        ("encoding/json", "", "js"),
        ("image/png", "", "_"),
        ("strings", "*", ""),
    ],
    "rust/src/lib.rs": [
        ("self", "prices", ""),
        ("self", "items", ""),
        ("std::collections", "", ""),
        ("std::collections", "HashMap", ""),
        ("std::collections::hash_map", "Entry", "Slot"),
        ("std::collections::hash_map", "*", ""),
        ("std", "fmt", ""),
        ("crate::items", "Item", ""),
        ("serde", "", "serialise"),
    ],
    "java/shop/Cart.java": [
        ("java.util", "List", ""),
        ("java.util.function", "*", ""),
        ("java.util.Objects", "requireNonNull", ""),
    ],
    "c/cart.h": [("stddef.h", "", ""), ("items/item.h", "", "")],
    "cpp/cart.hpp": [("vector", "", ""), ("item.hpp", "", ""), ("std", "string", ""), ("std::literals", "*", "")],
    "csharp/Cart.cs": [
        ("System", "", ""),
        ("System.Collections.Generic", "", ""),
        ("System.Math", "", ""),
        ("System.Text.Json.JsonSerializer", "", "Json"),
    ],
    "ruby/lib/cart.rb": [("json", "", ""), ("./shop/item", "", ""), ("shop/prices", "Prices", "")],
    "php/src/Cart.php": [
        ("Example\\Items", "Item", ""),
        ("Example\\Items", "Price", "Cost"),
        ("Example\\Util", "Logger", ""),
        ("Example\\Util", "Clock", "Watch"),
        ("Example\\Util", "format", ""),
        ("Countable", "", ""),
        ("/helpers.php", "", ""),
    ],
    "bash/deploy.sh": [("./lib/common.sh", "", ""), ("$HOME/.shop/env", "", "")],
}


@pytest.mark.parametrize("path", IMPORTS)
def test_imports_say_module_name_and_alias(path: str) -> None:
    assert imports_of(sample(path)) == IMPORTS[path]


# --- which language --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "head", "name"),
    [
        ("a/b.py", "", "python"),
        ("a/B.PY", "", "python"),
        ("x.jsx", "", "javascript"),
        ("x.mts", "", "typescript"),
        ("x.tsx", "", "tsx"),
        ("x.h", "int f(void);", "c"),
        ("x.h", "/* c */\nnamespace a {", "cpp"),
        ("x.h", "#include <vector>\n", "cpp"),
        ("x.h", "#include <stdio.h>\n", "c"),
        ("x.h", "@interface A\n@end\n", "objectivec"),
        ("bin/tool", "#!/usr/bin/env -S python3.11 -u\n", "python"),
        ("bin/tool", "#!/bin/sh -e\n", "bash"),
        ("bin/tool", "#! /usr/local/bin/node\n", "javascript"),
        ("Rakefile", "", "ruby"),
        ("Dockerfile.prod", "", "dockerfile"),
        ("a.py/b..py", "", "python"),
        ("Makefile", "", "make"),
        ("README", "", "text"),
        ("README.md", "", "markdown"),
        ("a.yaml", "", "yaml"),
    ],
)
def test_a_language_is_recognised(path: str, head: str, name: str) -> None:
    language = language_of(path, head)
    assert language is not None
    assert language.name == name


@pytest.mark.parametrize("path", ["a.unknown", "bin/tool", "", ".py", "a.py."])
def test_an_unknown_language_is_none(path: str) -> None:
    assert language_of(path, "no shebang") is None


def test_no_extension_or_file_name_belongs_to_two_languages() -> None:
    keys = [key for language in LANGUAGES for key in (*language.extensions, *language.file_names)]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language.grammar], ids=lambda row: row.name)
def test_each_query_file_has_both_parts(language: Language) -> None:
    structure, occurrences, _ = query_text(language)
    assert "@definition." in structure
    assert "@reference." in occurrences


@pytest.mark.parametrize(
    "path",
    [
        "tests/a.py",
        "a/test_x.py",
        "x_test.go",
        "src/a.test.ts",
        "src/__tests__/a.js",
        "b/CartTest.java",
        "x_spec.rb",
        "Shop.Tests/A.cs",
    ],
)
def test_a_test_is_known_by_its_path(path: str) -> None:
    assert is_test_path(path)


@pytest.mark.parametrize("path", ["src/latest.py", "contest/a.go", "a/testify.js", "src/Protest.java"])
def test_a_name_that_only_sounds_like_a_test_is_none(path: str) -> None:
    assert not is_test_path(path)


def test_generated_files_are_known_by_name_or_by_what_they_say() -> None:
    assert is_generated("api/x.pb.go", "")
    assert is_generated("a.go", "// Code generated by stringer. DO NOT EDIT.\n")
    assert is_generated("a.ts", "/* eslint-disable */\n// This file is automatically generated.\n")
    assert is_generated("a.md", "# API\n\n<!-- This file is automatically generated. -->\n")
    assert not is_generated("README.md", "# Cobra\n\n* Automatically generated man pages\n")
    assert not is_generated("a.py", '"""URLs that are automatically generated for models."""\n')


def test_vendored_files_are_known_by_their_folder() -> None:
    assert is_vendored("third_party/zlib/a.c")
    assert not is_vendored("vendor.py")


def test_the_table_of_languages_loads_no_grammar() -> None:
    import subprocess

    code = "import sys, code_insight.languages; print([m for m in sys.modules if m.startswith('tree_sitter')])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_lines_for_a_preprocessor_do_not_tear_a_type_of_csharp() -> None:
    text = "class A : B\n#if NET\n    , C\n#endif\n{\n#region x\n    void F() {}\n#endregion\n}\n"
    facts = parse(by_name()["csharp"], text.encode())
    assert [(symbol.container, symbol.name, symbol.signature) for symbol in facts.symbols] == [
        ("", "A", "class A : B , C"),
        ("A", "F", "void F()"),
    ]
    assert facts.error_lines == ()
