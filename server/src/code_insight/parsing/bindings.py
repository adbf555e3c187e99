"""What the third part of a query file finds: what names are attributes of, which values and types names get.

An expression is kept in its evident form: a name, or a type in braces, and steps from there.

    .name   an attribute             "self.app"
    ()      what a call gives        "Flask(__name__).config" is kept as "Flask().config"
    []      one of its items         "apps[0].run" is kept as "apps[].run"
    @       one of its keys
    #1      the second of several    "x, err := open()" binds err to "open()#1"
    ~0      the first parameter      "then((reply) => …)" binds reply to "then~0~0": what `then` hands to its callback
    {T}     a value of the type T    "&Server{}" is kept as "{Server}"

What is more than that says nothing: "". A value may be two expressions: "app or Flask()".
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from code_insight.parsing.narrowing import Narrowing, as_far_as_bound, narrowings
from code_insight.parsing.source import Captures, Source

if TYPE_CHECKING:
    from tree_sitter import Node

_MOST_STEPS = 12
_MOST_CHARACTERS = 120
_SHORT_BYTES = 40  # less than an expression of too many steps has
_TYPE_CHARACTERS = 240
_NAMES = frozenset(
    {
        *("identifier", "type_identifier", "property_identifier", "field_identifier", "package_identifier", "name"),
        *("private_property_identifier", "shorthand_property_identifier_pattern", "namespace_identifier"),
        *("this", "self", "super", "base", "variable_name", "constant", "instance_variable", "relative_scope"),
        *("dotted_name", "qualified_name", "crate", "primitive_type", "implicit_parameter", "namespace_name"),
        *("shorthand_field_identifier", "alias_qualified_name"),
    }
)
_ATTRIBUTES = {  # node type → fields of the object and of the name
    "attribute": ("object", "attribute"),
    "member_expression": ("object", "property"),
    "selector_expression": ("operand", "field"),
    "nested_type_identifier": ("module", "name"),
    "qualified_type": ("package", "name"),
    "field_access": ("object", "field"),
    "member_access_expression": ("expression", "name"),
    "field_expression": ("argument", "field"),
    "qualified_identifier": ("scope", "name"),
    "scoped_identifier": ("path", "name"),
    "scoped_type_identifier": ("path", "name"),
    "scope_resolution": ("scope", "name"),
    "class_constant_access_expression": ("", ""),
    "nullsafe_member_access_expression": ("object", "name"),
    "scoped_property_access_expression": ("scope", "name"),
}
_CALLS = {
    "call_expression": "function",
    "new_expression": "constructor",
    "call": "function",
    "invocation_expression": "function",
    "function_call_expression": "function",
}
_METHOD_CALLS = {  # node type → fields of the object and of the name that is called
    "method_invocation": ("object", "name"),
    "member_call_expression": ("object", "name"),
    "nullsafe_member_call_expression": ("object", "name"),
    "scoped_call_expression": ("scope", "name"),
    "call": ("receiver", "method"),
}
_ITEMS = {
    "index_expression": "operand",
    "subscript_expression": "object",
    "array_access": "array",
    "element_access_expression": "expression",
}
_WRAPPED = {  # node type → the field that matters, "" for its only child
    "await": "",
    "await_expression": "",
    "postfix_unary_expression": "",
    "clone_expression": "",
    "parenthesized_expression": "",
    "non_null_expression": "",
    "type": "",
    "try_expression": "",
    "unary_expression": "operand",
    "slice_expression": "operand",
    "pointer_expression": "argument",
    "reference_expression": "value",
    "generic_function": "function",
    "generic_name": "",
    "satisfies_expression": "",
}
_TYPED = {  # node type → the field that says what type the value is of
    "composite_literal": "type",
    "type_assertion_expression": "type",
    "type_conversion_expression": "type",
    "object_creation_expression": "type",
    "cast_expression": "type",
    "struct_expression": "name",
    "type_cast_expression": "type",
    "as_expression": "",
}
_INFERRED = frozenset({"var", "auto"})  # what stands for a type that the value has
_MADE = frozenset({"new", "make"})  # Go's functions that take a type
_PASSING = {  # call → what it gives, of its first argument
    "copy.copy": "{}",
    "copy.deepcopy": "{}",
    "deepcopy": "{}",
    "cast": "{}()",
    "t.cast": "{}()",
    "typing.cast": "{}()",
    "type": "{}.__class__",
    "super": "{}.__super__",
}
_LONGEST_PASSING = max(map(len, _PASSING))
_DOTTED = re.compile(r"[\w.]+")
_LITERALS = {
    "string": "str()",
    "string_literal": "String()",
    "class_literal": "Class()",
    "concatenated_string": "str()",
    "template_string": "String()",
    "list": "list()",
    "list_comprehension": "list()",
    "dictionary": "dict()",
    "dictionary_comprehension": "dict()",
    "set": "set()",
    "tuple": "tuple()",
    "integer": "int()",
    "float": "float()",
    "true": "bool()",
    "false": "bool()",
    "array": "Array()",
    "number": "Number()",
    "regex": "RegExp()",
    "none": "None",
    "null": "None",
    "undefined": "None",
    "nil": "None",
}
_FUNCTION_NODES = frozenset({"arrow_function", "function_expression"})


class BindingDraft(NamedTuple):
    """A binding, before it is known in which symbol and in which block it stands."""

    offset: int
    name: str
    value: str
    is_type: bool
    is_assignment: bool = False  # of a variable that is declared elsewhere


class Bound(NamedTuple):
    """All that was found."""

    receivers: dict[int, str]  # offset of a name → what it is an attribute of
    drafts: list[BindingDraft]
    blocks: list[tuple[int, int]]  # where variables are known that are declared in it; empty: in their whole function


def read_bindings(patterns: Iterable[Sequence[Captures]], source: Source) -> Bound:
    """What the matches of each pattern of a language's third query say."""
    receivers, blocks = dict[int, str](), list[tuple[int, int]]()
    drafts: list[BindingDraft] = []
    narrow: list[Narrowing] = []
    forms: dict[bytes, str] = {}  # what is written → its evident form; most are "self" and the like
    for matches in patterns:
        captured = matches[0].keys()
        if "member" in captured:
            _read_members(matches, source, forms, receivers)
        elif "target" in captured:
            drafts += [_target(captures, source) for captures in matches]
        elif "block" in captured:
            blocks += [(node.start_byte, node.end_byte) for captures in matches for node in captures["block"]]
        elif "check" in captured:
            narrow += [one for captures in matches for one in _narrowings(captures, source)]
        else:
            for captures in matches:
                drafts += _drafts(captures, source)
    bound = Bound(receivers, _most_telling([draft for draft in drafts if draft.name]), blocks)
    return _narrowed(bound, narrow, source) if narrow else bound


def _read_members(
    matches: Sequence[Captures], source: Source, forms: dict[bytes, str], receivers: dict[int, str]
) -> None:
    text = source.text
    for captures in matches:  # a large file has tens of thousands: no calls of ours in here
        (of,), (member,) = captures["of"], captures["member"]
        said = text[of.start_byte : of.end_byte]
        if (form := forms.get(said)) is None:
            form = forms[said] = evident(of, source) or "?"
        receivers[member.start_byte] = form


def _narrowings(captures: Captures, source: Source) -> Iterable[Narrowing]:
    checked, type_ = (evident(captures[name][0], source) for name in ("checked", "type"))
    return narrowings(captures["check"][0], checked, type_) if checked != "self" else ()


def _narrowed(bound: Bound, found: list[Narrowing], source: Source) -> Bound:
    """The same, with the type of what a part of the text has made sure of."""
    receivers, drafts = dict(bound.receivers), sorted(bound.drafts)
    members, offsets = sorted(receivers), [draft.offset for draft in drafts]
    for one in as_far_as_bound(found, [draft[:3] for draft in drafts], source):
        for member in members[bisect_left(members, one.start) : bisect_left(members, one.end)]:
            if (narrower := one.of(bound.receivers[member])) != bound.receivers[member]:
                receivers[member] = narrower
        for at in range(bisect_left(offsets, one.start), bisect_left(offsets, one.end)):
            drafts[at] = drafts[at]._replace(value=one.of(drafts[at].value))
    return Bound(receivers, drafts, bound.blocks)


def _most_telling(drafts: list[BindingDraft]) -> list[BindingDraft]:
    """Of several drafts of one target the one that says its type, else those that say something."""
    times = Counter([draft.offset for draft in drafts])
    if len(times) == len(drafts):  # most texts have one of each
        return drafts
    several = [draft for draft in drafts if draft.value and times[draft.offset] > 1]
    typed = {(draft.offset, draft.name) for draft in several if draft.is_type}
    telling = {(draft.offset, draft.name) for draft in several}
    return [
        draft
        for draft in drafts
        if draft.is_type
        or times[draft.offset] == 1
        or (draft.offset, draft.name) not in (typed if draft.value else telling)
    ]


def _drafts(captures: Captures, source: Source) -> Iterator[BindingDraft]:
    if "returns" in captures:
        node = captures["returns"][0]
        yield BindingDraft(node.start_byte, "return", annotation(node, source), is_type=True)
    elif "returned" in captures:
        node = captures["returned"][0]
        yield BindingDraft(node.start_byte, "return", evident(node, source), is_type=False)
    elif "decorator" in captures:
        offset = captures["name"][0].start_byte
        yield BindingDraft(offset, "@", evident(captures["decorator"][0], source), is_type=False)
    elif "property" in captures:
        node = captures["property"][0]
        name = f"this.{source.name(node.start_byte, node.end_byte)}"
        yield BindingDraft(node.start_byte, name, annotation(captures["type"][0], source), is_type=True)
    elif "left" in captures:
        yield from _several(captures, source)
    elif "exported" in captures:
        node = captures["exported"][0]
        name = source.name(*captures["alias"][0].byte_range) if "alias" in captures else "default"
        yield BindingDraft(node.start_byte, name, evident(node, source), is_type=False)
    elif "callback" in captures:
        yield from _parameters(captures, source)


def _target(captures: Captures, source: Source) -> BindingDraft:
    target = captures["target"][0]
    name = evident(target, source)
    if len(captures) == 1:
        return BindingDraft(target.start_byte, name, "", is_type=False)
    if len(captures) == 2 and "value" in captures:  # most
        return BindingDraft(target.start_byte, name, _value(captures["value"][0], source), is_type=False)
    if "variadic" in captures:
        said = captures["variadic"][0].child_by_field_name("type")
        text = f"[]{annotation(said, source) if said else ''}"
        return BindingDraft(target.start_byte, name, text, is_type=True)
    offset = captures["case"][0].start_byte if "case" in captures else target.start_byte
    if "type" in captures and "key" not in captures and "part" not in captures:
        written = annotation(captures["type"][0], source)
        return BindingDraft(offset, name, "" if written in _INFERRED else written, is_type=written not in _INFERRED)
    return BindingDraft(offset, name, _value_of(captures, source), is_type=False, is_assignment="assigned" in captures)


def _value_of(captures: Captures, source: Source) -> str:
    """What a target gets, as an expression."""
    if "entered" in captures:
        is_async = captures["with"][0].children[0].type == "async"
        return _after(evident(captures["entered"][0], source), f".{'__aenter__' if is_async else '__enter__'}()")
    if "items" in captures:
        return _after(evident(captures["items"][0], source), "[]")
    if "key" in captures or "part" in captures:  # destructured: `{ key: target } = value`, `{ part } = value`
        node = captures.get("key", captures.get("part", ()))[0]
        said = f"{{{annotation(captures['type'][0], source)}}}" if "type" in captures else ""
        whole = said.replace("{}", "") or ("value" in captures and evident(captures["value"][0], source))
        return _after(whole or "", f".{source.name(node.start_byte, node.end_byte)}")
    return _value(captures["value"][0], source) if "value" in captures else ""


def _after(expression: str, step: str) -> str:
    return f"{expression}{step}" if expression else ""


def _several(captures: Captures, source: Source) -> Iterator[BindingDraft]:
    """`a, b := c, d`, `a, b := f()`, `for a, b := range c`, `[a, b] = c`."""
    (left,) = captures["left"]
    names = [left] if left.type in ("identifier", "name") else left.named_children
    if "ranged" in captures:
        whole = evident(captures["ranged"][0], source)
        values = [_after(whole, "@"), _after(whole, "[]")]
    elif "each" in captures:
        whole = evident(captures["each"][0], source)
        values = [_after(whole, f"[]#{place}") for place in range(len(names))]
    else:
        right = captures["right"][0]
        is_list = right.type == "expression_list"
        rights = right.named_children if is_list else [right]
        if is_list and len(rights) == len(names):
            values = [evident(node, source) for node in rights]
        else:
            values = [_after(evident(rights[0], source), f"#{place}") for place in range(len(names))]
    is_assignment = "assigned" in captures
    for node, value in zip(names, values, strict=False):
        kind = node.type
        if kind in _NAMES or kind in _ATTRIBUTES:
            name = evident(node, source)
            if name and name != "_":
                yield BindingDraft(node.start_byte, name, value, is_type=False, is_assignment=is_assignment)


def _parameters(captures: Captures, source: Source) -> Iterator[BindingDraft]:
    """The parameters of a function that is handed to a call, or put into a variable of a known type."""
    callback = captures["callback"][0]
    if "callee" in captures:
        arguments = [node for node in captures["arguments"][0].named_children if node.type != "comment"]
        place = next(at for at, node in enumerate(arguments) if node.end_byte >= callback.end_byte)
        whole = _after(evident(captures["callee"][0], source), f"~{place}")
    else:
        text = annotation(captures["type"][0], source)
        whole = f"{{{text}}}" if text and "{" not in text else ""
    parameters = callback.child_by_field_name("parameters")
    single = callback.child_by_field_name("parameter")
    nodes = [single] if single else parameters.named_children if parameters else []
    for place, node in enumerate(node for node in nodes if node.type != "comment"):
        pattern = node.child_by_field_name("pattern") or node
        if whole and node.child_by_field_name("type") is None:
            yield from _parameter(pattern, f"{whole}~{place}", source)


def _parameter(pattern: Node, value: str, source: Source) -> Iterator[BindingDraft]:
    if pattern.type == "identifier":
        yield BindingDraft(pattern.start_byte, source.name(pattern.start_byte, pattern.end_byte), value, is_type=False)
    elif pattern.type == "object_pattern":
        for part in pattern.named_children:
            if part.type == "shorthand_property_identifier_pattern":
                name = source.name(part.start_byte, part.end_byte)
                yield BindingDraft(part.start_byte, name, f"{value}.{name}", is_type=False)


def annotation(node: Node, source: Source) -> str:
    """A type as it is written, white space folded; "" when it is too long to say something simple."""
    if node.end_byte - node.start_byte > 4 * _TYPE_CHARACTERS:
        return ""
    text = " ".join(source.slice(node.start_byte, node.end_byte).split()).removeprefix(":").strip()
    return text if len(text) <= _TYPE_CHARACTERS else ""


def _value(node: Node, source: Source) -> str:
    """A value in its evident form, also "x or y"."""
    if node.type not in _COMPOUND:  # most are not
        return evident(node, source)
    while node.type == "parenthesized_expression" and node.named_child_count == 1:
        node = node.named_children[0]
    if node.type == "ternary_expression":
        sides = [evident(node.named_children[at], source) for at in (-2, -1)]
        return " or ".join(sides) if all(sides) and not any(" or " in side for side in sides) else ""
    if node.type not in ("boolean_operator", "binary_expression") or node.children[1].type not in ("or", "||", "??"):
        return evident(node, source)
    sides = [evident(side, source) for side in node.children[::2]]
    return " or ".join(sides) if all(sides) and not any(" or " in side for side in sides) else ""


_COMPOUND = frozenset({"parenthesized_expression", "ternary_expression", "boolean_operator", "binary_expression"})


def evident(node: Node, source: Source) -> str:
    """An expression as a name or type, and steps; "" when it is more than that."""
    if node.type == "identifier":  # most are
        name = source.names[source.text[node.start_byte : node.end_byte]]
        return name if len(name) <= _MOST_CHARACTERS else ""
    return _evident_attribute(node, source) if _is_short_attribute(node) else _taken_apart(node, source)


def _is_short_attribute(node: Node) -> bool:
    return node.type in _ATTRIBUTES and node.end_byte - node.start_byte <= _SHORT_BYTES


def _evident_attribute(node: Node, source: Source) -> str:
    """The same of a short attribute: a text has a few of them, again and again."""
    written = source.text[node.start_byte : node.end_byte]
    form = source.attributes.get(written)
    if form is None:
        form = source.attributes[written] = _taken_apart(node, source)
    return form


def _taken_apart(node: Node, source: Source) -> str:
    steps: list[str] = []
    current: Node | None = node
    while current is not None and len(steps) <= _MOST_STEPS:
        kind = current.type
        if kind in _NAMES:
            name = source.name(current.start_byte, current.end_byte).replace("\\", ".").strip(".")
            return _joined(name, steps)
        if kind in _LITERALS:
            return "" if steps and steps[-1] == "()" else _joined(_LITERALS[kind], steps)
        found = _step(current, source)
        if found is None:
            typed = _typed(current, source)
            return _joined(typed, steps) if typed else ""
        current, taken = found
        steps += taken
        if steps == ["()"] and current is not None and _is_short_attribute(current):  # so that this ends
            form = _evident_attribute(current, source)
            return _joined(form, steps) if form else ""
        if current is None and taken:
            return _joined("", steps)
    return ""


def _joined(root: str, steps: list[str]) -> str:
    text = f"{root}{''.join(reversed(steps))}".removeprefix(".") if root or steps else ""
    if not root and not (steps and steps[-1].startswith((".", "{"))):
        return ""
    limit = _TYPE_CHARACTERS if text.startswith("{") else _MOST_CHARACTERS
    return text if len(text) <= limit and "()()" not in text else ""


def _step(node: Node, source: Source) -> tuple[Node | None, list[str]] | None:
    """What an expression is made of, and the steps from there, the last first; None when it is none of these."""
    kind = node.type
    if kind in _CALLS and (function := node.child_by_field_name(_CALLS[kind])):
        if kind != "new_expression" and (passed := _passed(node, function, source)):
            return None, [passed if passed.startswith("{") else f".{passed}"]
        return function, ["()"]
    if kind in _METHOD_CALLS and node.child_by_field_name(_METHOD_CALLS[kind][1]):
        of, name = (node.child_by_field_name(field) for field in _METHOD_CALLS[kind])
        assert name is not None
        return of, ["()", f".{source.name(name.start_byte, name.end_byte)}"]
    if kind in _ATTRIBUTES:
        return _attribute(node, source)
    if kind == "subscript":  # of Python; a slice is no item
        asked = node.child_by_field_name("subscript")
        is_item = asked is not None and asked.type != "slice"
        return (node.child_by_field_name("value"), ["()", ".__getitem__"]) if is_item else None
    if kind in _ITEMS:
        of = node.child_by_field_name(_ITEMS[kind]) or node.child_by_field_name("argument")
        return (of or (node.named_children[0] if node.named_children else None)), ["[]"]
    if kind in _WRAPPED:
        of = node.child_by_field_name(_WRAPPED[kind]) if _WRAPPED[kind] else None
        return (of or (node.named_children[0] if node.named_child_count == 1 else None)), []
    return None


def _attribute(node: Node, source: Source) -> tuple[Node | None, list[str]]:
    if node.type == "class_constant_access_expression":
        of, name = (*node.named_children, None, None)[:2]
    else:
        of_field, name_field = _ATTRIBUTES[node.type]
        of, name = node.child_by_field_name(of_field), node.child_by_field_name(name_field)
        of = of or node.child_by_field_name("object") or node.child_by_field_name("value")
    if name is None:
        return None, []
    if name.type in _ATTRIBUTES:  # C++: a::(b::c)
        inner = evident(name, source)
        return of, [f".{inner}"] if inner else []
    return of, [f".{source.name(name.start_byte, name.end_byte)}"]


def _typed(node: Node, source: Source) -> str:
    """ "{T}" of an expression that says its type, "" of any other."""
    if node.type == "func_literal":
        body = node.child_by_field_name("body")
        text = " ".join(source.slice(node.start_byte, body.start_byte if body else node.end_byte).split())
        return f"{{{text}}}" if len(text) <= _TYPE_CHARACTERS and "{" not in text else ""
    if node.type not in _TYPED:
        return ""
    said = node.child_by_field_name(_TYPED[node.type]) if _TYPED[node.type] else None
    if said is None and node.named_child_count:
        said = node.named_children[0 if node.type == "object_creation_expression" else -1]
    text = annotation(said, source) if said else ""
    return f"{{{text}}}" if text and not {"{", "}"} & set(text) else ""


def _passed(call: Node, function: Node, source: Source) -> str:
    """What a call gives whose argument says it: "self" of `copy.copy(self)`; "" for any other call."""
    start, end = function.start_byte, function.end_byte
    called = source.name(start, end) if end - start <= _LONGEST_PASSING else ""
    form = _PASSING.get(called)
    if form is None and called not in _MADE:  # most calls
        return ""
    arguments = call.child_by_field_name("arguments")
    if arguments is None or not arguments.named_children:
        return ""
    argument = arguments.named_children[0]
    if form is None:
        is_type = argument.type == "type_identifier" or argument.type.endswith("_type")
        return f"{{{annotation(argument, source)}}}" if is_type else ""
    name = ""
    if argument.type in _NAMES | _ATTRIBUTES.keys():
        name = evident(argument, source)
    elif argument.type == "string" and form.endswith("()"):
        name = source.name(argument.start_byte, argument.end_byte).strip("\"'")
    return form.format(name) if _DOTTED.fullmatch(name) else ""
