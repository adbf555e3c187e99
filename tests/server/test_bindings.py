"""What a text says of its own names: which values and types they get, and what they are attributes of."""

from __future__ import annotations

import pytest
from code_insight.languages import by_name
from code_insight.model import BindingFact
from code_insight.parsing import parse


def bindings_of(text: str) -> list[tuple[str, str]]:
    """(name, value) of each binding in Python text; a type stands after a colon."""
    found = parse(by_name()["python"], text.encode()).bindings
    return [(one.name, f": {one.value}" if one.is_type else one.value) for one in found]


def receivers_of(text: str) -> dict[str, str]:
    """Name → what it is an attribute of, "" for one that stands alone."""
    return {use.name: use.receiver for use in parse(by_name()["python"], text.encode()).references}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # The form in which a value is kept
        ("x = y", [("x", "y")]),
        ("x = y.z", [("x", "y.z")]),
        ("x = Flask(__name__, a=[1])", [("x", "Flask()")]),
        ("x = Flask(1).make(2).config", [("x", "Flask().make().config")]),
        ("x = (y)", [("x", "y")]),
        ("x = await y()", [("x", "y()")]),
        ("x = None", [("x", "None")]),
        ("x = []", [("x", "list()")]),
        ("x = {**y}", [("x", "dict()")]),
        ("x = 'a' 'b'", [("x", "str()")]),
        ("x = ' '.join(y)", [("x", "str().join()")]),
        ("x = y[0]", [("x", "y.__getitem__()")]),
        ("x = y[1:]", [("x", "")]),
        ("x = y[0].z", [("x", "y.__getitem__().z")]),
        ("x = y or Z(1)", [("x", "y or Z()")]),
        ("x = y or z or w", [("x", "")]),
        ("x = y or z[0]", [("x", "y or z.__getitem__()")]),
        ("x = y and z", [("x", "")]),
        ("x = y()()", [("x", "")]),
        ("x = lambda: y", [("x", "")]),
        ("x = " + "a." * 40 + "b", [("x", "")]),
        ("x = " + "a" * 200, [("x", "")]),
        # Calls that give what they get
        ("x = copy.copy(self)", [("x", "self")]),
        ("x = deepcopy(self.y).z", [("x", "self.y.z")]),
        ("x = t.cast('Flask', y)", [("x", "Flask()")]),
        ("x = cast(list[int], y)", [("x", "cast()")]),
        ("x = type(self)(1)", [("x", "self.__class__()")]),
        ("x = type('T', (), {})", [("x", "type()")]),
        ("x = super(A, self).y", [("x", "A.__super__.y")]),
        # Where a name gets a value
        ("self.x = y", [("self.x", "y")]),
        ("x = y = z()", [("x", ""), ("y", "z()")]),
        ("x, (y, *z), self.w = v", [("x", ""), ("y", ""), ("z", ""), ("self.w", "")]),
        ("[x, y] = v", [("x", ""), ("y", "")]),
        ("x += 1", [("x", "")]),
        ("f(x := y())", [("x", "y()")]),
        ("x[0] = y", []),
        ("for x in y: pass", [("x", "y[]")]),
        ("for x, (_, y) in z: pass", [("x", "z[]#0"), ("_", ""), ("y", "")]),
        ("[x for x, y in z.items()]", [("x", "z.items()[]#0"), ("y", "z.items()[]#1")]),
        ("with f(1) as x: pass", [("x", "f().__enter__()")]),
        ("async def g():\n    async with f(1) as x: pass", [("x", "f().__aenter__()")]),
        ("with f() as (x, y): pass", [("x", ""), ("y", "")]),
        ("with f()[0] as x: pass", [("x", "f().__getitem__().__enter__()")]),
        ("with f()[:1] as x: pass", [("x", "")]),
        ("try: pass\nexcept E as x: pass", [("x", "")]),
        ("match y:\n    case [x, *z]: pass\n    case A() as w: pass", [("x", ""), ("z", ""), ("w", "")]),
        # Types
        ("x: Flask", [("x", ": Flask")]),
        ("x: t.Optional['Flask'] = y", [("x", ": t.Optional['Flask']")]),
        ("self.x: Flask = y", [("self.x", ": Flask")]),
        ("x: " + "a" * 300, [("x", ": ")]),
        # Parameters
        ("def f(x, y=1, /, *a, z, **k): pass", [("x", ""), ("y", ""), ("a", ""), ("z", ""), ("k", "")]),
        ("def f(x: A, y: 'B' = 1, *a: C): pass", [("x", ": A"), ("y", ": 'B'"), ("a", "")]),
        ("lambda x, y=1: x", [("x", ""), ("y", "")]),
        ("def f(x=None): pass", [("x", "None")]),
        # What a function gives
        ("def f() -> A | None: ...", [("return", ": A | None")]),
        ("def f():\n    return A()", [("return", "A()")]),
        ("def f():\n    return", []),
        ("@a.b(1)\n@c\ndef f(): ...", [("@", "a.b()"), ("@", "c")]),
    ],
)
def test_where_a_name_gets_what(text: str, found: list[tuple[str, str]]) -> None:
    assert bindings_of(text) == found


@pytest.mark.parametrize(
    ("text", "name", "receiver"),
    [
        ("f()", "f", ""),
        ("a.f()", "f", "a"),
        ("a.b.f()", "f", "a.b"),
        ("A(1).f()", "f", "A()"),
        ("self.f()", "f", "self"),
        ("super().f()", "f", "super()"),
        ("a[0].f()", "f", "a.__getitem__()"),
        ("a[0:].f()", "f", "?"),
        ("(a or b).f()", "f", "?"),
        ("''.f()", "f", "str()"),
        ("(await a).f()", "f", "a"),
        ("a.f = 1", "f", "a"),
        ("@a.f\ndef g(): ...", "f", "a"),
        ("def g(x: a.f): ...", "f", "a"),
    ],
)
def test_what_a_name_is_an_attribute_of(text: str, name: str, receiver: str) -> None:
    assert receivers_of(text)[name] == receiver


NARROWED = """\
if isinstance(a, A) and a.f1():
    a.f2().g2()
    b = a.f3()
elif a.f4():
    a.f5()
if isinstance(c.d, m.A):
    c.d.e.f6()
    c.f7()
    c.d = c.d.f8()
    c.d.f9()
else:
    c.d.f10()
if isinstance(h, A) or h.f11():
    h.f12()
if not isinstance(i, A) or i.f13():
    i.f14()
else:
    i.f15()
def early(j, k, kinds):
    for j in k:
        if not (isinstance(j, A) and j.f16()):  # as it is to be
            j.f17()
            continue
        j.f18()
        if isinstance(j, (A, B)) or isinstance(j, str):
            j.f19()
    j.f20()
    if isinstance(k, kinds):
        k.f21()
    assert isinstance(k, A), k.f22()
    k.f23()
    return [n.f24() for n in k if isinstance(n, A)], k.f25() if isinstance(k, B) else k.f26()
def late(j, self):
    if isinstance(j, A):
        if isinstance(j, B):
            j.f27()
        j.f28()
        lambda j: j.f29()
    if isinstance(self, A):
        self.f30()
    while isinstance(
        j,
        A,  # of all kinds
    ):
        j = j.f31()
"""


def test_what_isinstance_has_made_sure_of_is_kept_where_that_is_true() -> None:
    of_a = {use.name: use.receiver for use in parse(by_name()["python"], NARROWED.encode()).references}
    assert {name: of for name, of in of_a.items() if of.startswith("{")} == {
        **dict.fromkeys(("f1", "f2", "f3", "f13", "f15", "f16", "f18", "f19", "f23", "f24", "f26", "f28"), "{A}"),
        "f31": "{A}",
        "g2": "{A}.f2()",
        "e": "{m.A}",
        "f6": "{m.A}.e",
        "f8": "{m.A}",
        "f25": "{B}",
        "f27": "{B}",
    }
    assert [value for name, value in bindings_of(NARROWED) if name == "b"] == ["{A}.f3()"]


def test_what_isinstance_has_made_sure_of_once_more_is_what_it_says_last() -> None:
    text = "assert isinstance(a, A)\na.f()\nassert isinstance(a, B)\na.g()\nassert isinstance(a, B)\na.h()\n"
    found = receivers_of(text)
    assert [found[name] for name in "fgh"] == ["{A}", "{B}", "{B}"]


def test_a_binding_stands_in_the_function_or_class_around_it() -> None:
    text = b"a = 1\nclass C:\n    b = 2\n    def f(self, c):\n        d = 3\n        return d\n"
    facts = parse(by_name()["python"], text)
    inside = {one.name: facts.symbols[one.symbol].name if one.symbol >= 0 else "" for one in facts.bindings}
    assert inside == {"a": "", "b": "C", "self": "f", "c": "f", "d": "f", "return": "f"}


def test_a_language_without_rules_for_it_binds_nothing() -> None:
    assert parse(by_name()["bash"], b"x=1\nf() { y=$x; }\n").bindings == ()


GO = """\
package a

type S struct{ x []int; f func(*T) error }

func (s *S) f(a, b int, more ...T) (*T, error) {
\tx, err := g(1)
\tif y := s.x[0]; y > 0 {
\t\tz, w := &T{}, y
\t}
\tfor k, v := range s.m() {
\t}
\tx = h()
\tswitch n := x.(type) {
\tcase *T:
\t}
\tfn := func(p T) *S { return nil }
\tvar q, r chan int
}
"""


def test_go_binds_results_items_types_and_blocks() -> None:
    facts = parse(by_name()["go"], GO.encode())
    said = {(one.name, f": {one.value}" if one.is_type else one.value, one.line, one.until) for one in facts.bindings}
    assert said >= {
        ("s", ": *S", 5, 1 << 30),
        ("a", ": int", 5, 1 << 30),
        ("more", ": []T", 5, 1 << 30),
        ("x", "g()#0", 6, 18),
        ("err", "g()#1", 6, 18),
        ("y", "s.x[]", 7, 9),
        ("z", "{T}", 8, 9),
        ("w", "y", 8, 9),
        ("k", "s.m()@", 10, 11),
        ("v", "s.m()[]", 10, 11),
        ("x", "h()", 12, 0),  # an assignment
        ("n", ": *T", 14, 14),
        ("fn", "{func(p T) *S}", 16, 18),
        ("p", ": T", 16, 16),
        ("r", ": chan int", 17, 18),
        ("f", ": func(*T) error", 3, 1 << 30),
    }


TYPESCRIPT = """\
class A<T> extends B<T> {
  private x: Foo<T> | null = null;
  #y = new Map<string, X>();
  constructor(private readonly s: Svc, public n?: Num) { super(); this.z = s; }
  m(a: A[], { b }: P, cb: () => void): Promise<A> { const q = this.x!.make(b) as W; return q; }
}
const [u, { v: w }] = f();
"""


def test_typescript_binds_fields_parameters_and_what_functions_give() -> None:
    found = parse(by_name()["typescript"], TYPESCRIPT.encode()).bindings
    said = {(one.name, f": {one.value}" if one.is_type else one.value) for one in found}
    fields = {("x", ": Foo<T> | null"), ("#y", "Map()"), ("this.s", ": Svc"), ("this.n", ": Num"), ("this.z", "s")}
    parameters = {("s", ": Svc"), ("n", ": Num"), ("a", ": A[]"), ("b", "{P}.b"), ("cb", ": () => void")}
    assert said >= fields | parameters | {("return", ": Promise<A>"), ("q", "{W}"), ("u", "f()#0"), ("w", "")}


CALLBACKS = """\
run(1, (a, b) => a, function (c) { return c; });
const typed: Handler = (d) => d;
new Box(ok ? (e) => e : null);
for (const one of all) {}
const { f, g: h } = made();
export default made;
export { f as i };
xs.map(({ j }) => j);
"""


def test_typescript_binds_what_a_call_hands_to_its_callbacks() -> None:
    found = parse(by_name()["typescript"], CALLBACKS.encode()).bindings
    assert {(one.name, one.value) for one in found} >= {
        ("a", "run~1~0"),
        ("b", "run~1~1"),
        ("c", "run~2~0"),
        ("d", "{Handler}~0"),
        ("e", "Box~0~0"),
        ("one", "all[]"),
        ("f", "made().f"),
        ("h", "made().g"),
        ("default", "made"),
        ("i", "f"),
        ("j", "xs.map~0~0.j"),
    }


def test_typescript_names_are_attributes_of_what_stands_before() -> None:
    uses = parse(by_name()["typescript"], TYPESCRIPT.encode()).references
    assert {(use.name, use.receiver) for use in uses if use.receiver} == {
        ("z", "this"),
        ("x", "this"),
        ("make", "this.x"),
    }


def test_what_csharp_qualifies_from_the_root_says_what_it_is_an_attribute_of() -> None:
    text = "class A { void F() { global::N.B.G(); } global::N.B b; }"  # an expression and a type, written alike
    uses = parse(by_name()["csharp"], text.encode()).references
    assert [(use.name, use.receiver) for use in uses if use.name in "BG"] == [
        ("B", "global::N"),
        ("G", "global::N.B"),
        ("B", "global::N"),
    ]


def test_a_long_text_binds_in_its_order() -> None:
    facts = parse(by_name()["python"], b"".join(b"x%d = y()\n" % number for number in range(3_000)))
    assert facts.bindings[:2] == (BindingFact("x0", "y()", False, -1), BindingFact("x1", "y()", False, -1))
    assert len(facts.bindings) > 1_000
