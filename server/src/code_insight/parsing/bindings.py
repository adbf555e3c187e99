"""What the third part of a query file finds: what names are attributes of, which values and types names get.

An expression is kept in its evident form: names, dots and empty calls. "self.apps[0].run(x, y)" says nothing of what it
gives; "Flask(__name__).config" is kept as "Flask().config". A value may be two of them: "app or Flask()".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from code_insight.parsing.source import Source

if TYPE_CHECKING:
    from tree_sitter import Node

_MOST_STEPS = 12
_MOST_CHARACTERS = 120
_NAMES = frozenset(
    {
        "private_property_identifier",
        "shorthand_property_identifier_pattern",
        "identifier",
        "this",
        "self",
        "super",
        "type_identifier",
        "property_identifier",
        "field_identifier",
    }
)
_ATTRIBUTES = {  # node type → fields of the object and of the name
    "attribute": ("object", "attribute"),
    "member_expression": ("object", "property"),
    "selector_expression": ("operand", "field"),
    "nested_type_identifier": ("module", "name"),
    "qualified_type": ("package", "name"),
}
_CALLS = {"call": "function", "call_expression": "function", "new_expression": "constructor"}
_WRAPPED = frozenset(
    {"await", "await_expression", "parenthesized_expression", "non_null_expression", "type", "unary_expression"}
)
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
_DOTTED = re.compile(r"[\w.]+")
_LITERALS = {
    "string": "str()",
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
}


class BindingDraft(NamedTuple):
    """A binding, before it is known in which symbol it stands."""

    offset: int
    name: str
    value: str
    is_type: bool


class Bound(NamedTuple):
    """All that was found."""

    receivers: dict[int, str]  # offset of a name → what it is an attribute of
    drafts: list[BindingDraft]


def read_bindings(matches: Iterable[tuple[int, Mapping[str, Sequence[Node]]]], source: Source) -> Bound:
    """What the matches of a language's third query say."""
    bound = Bound({}, [])
    for _, captures in matches:
        if "member" in captures:
            bound.receivers[captures["member"][0].start_byte] = evident(captures["of"][0], source) or "?"
        elif "returns" in captures:
            node = captures["returns"][0]
            bound.drafts.append(BindingDraft(node.start_byte, "return", _annotation(node, source), is_type=True))
        elif "returned" in captures:
            node = captures["returned"][0]
            bound.drafts.append(BindingDraft(node.start_byte, "return", evident(node, source), is_type=False))
        elif "decorator" in captures:
            offset = captures["name"][0].start_byte
            bound.drafts.append(BindingDraft(offset, "@", evident(captures["decorator"][0], source), is_type=False))
        elif "property" in captures:
            node = captures["property"][0]
            name = f"this.{source.name(node.start_byte, node.end_byte)}"
            value = _annotation(captures["type"][0], source)
            bound.drafts.append(BindingDraft(node.start_byte, name, value, is_type=True))
        elif "target" in captures:
            _read_target(captures, source, bound)
    return bound


def _read_target(captures: Mapping[str, Sequence[Node]], source: Source, bound: Bound) -> None:
    target = captures["target"][0]
    name = evident(target, source)
    if not name:
        return
    if "type" in captures:
        value, is_type = _annotation(captures["type"][0], source), True
    elif "entered" in captures:
        is_async = captures["with"][0].children[0].type == "async"
        manager = evident(captures["entered"][0], source)
        value, is_type = f"{manager}.{'__aenter__' if is_async else '__enter__'}()" if manager else "", False
    else:
        value, is_type = _value(captures["value"][0], source) if "value" in captures else "", False
    bound.drafts.append(BindingDraft(target.start_byte, name, value, is_type))


_TYPES = frozenset(
    {"type", "type_identifier", "generic_type", "nested_type_identifier", "union_type", "this_type", "predefined_type"}
)


def _annotation(node: Node, source: Source) -> str:
    """A type as it is written, with brackets as Python's; "" for arrays, functions and all else that is no class."""
    if node.type not in _TYPES:
        return ""
    text = " ".join(source.slice(node.start_byte, node.end_byte).split()).removeprefix(":").strip()
    text = text.replace("<", "[").replace(">", "]") if node.type != "type" else text
    return text if len(text) <= _MOST_CHARACTERS and "[]" not in text else ""


def _value(node: Node, source: Source) -> str:
    """A value in its evident form, also "x or y"."""
    if node.type != "boolean_operator" or node.children[1].type != "or":
        return evident(node, source)
    sides = [evident(side, source) for side in node.children[::2]]
    return " or ".join(sides) if all(sides) else ""


def evident(node: Node, source: Source) -> str:
    """An expression as names, dots and empty calls; "" when it is more than that."""
    steps: list[str] = []
    call = ""
    current: Node | None = node
    for _ in range(_MOST_STEPS):
        if current is None:
            return ""
        kind = current.type
        if kind in _NAMES:
            steps.append(source.name(current.start_byte, current.end_byte) + call)
            text = ".".join(reversed(steps))
            return text if len(text) <= _MOST_CHARACTERS else ""
        if kind in _LITERALS and not call:
            return ".".join([_LITERALS[kind], *reversed(steps)])
        if kind in _ATTRIBUTES:
            of, name = (current.child_by_field_name(field) for field in _ATTRIBUTES[kind])
            if name is None:
                return ""
            steps.append(source.name(name.start_byte, name.end_byte) + call)
            current, call = of, ""
        elif kind in _CALLS and (passed := _passed(current, source)):
            return ".".join([passed + call, *reversed(steps)])
        elif kind in _CALLS and not call:
            current, call = current.child_by_field_name(_CALLS[kind]), "()"
        elif kind in _WRAPPED and current.named_child_count == 1:
            current = current.named_children[0]
        else:
            return ""
    return ""


def _passed(call: Node, source: Source) -> str:
    """What a call gives whose argument says it: "self" of `copy.copy(self)`; "" for any other call."""
    function, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    form = _PASSING.get(source.name(function.start_byte, function.end_byte)) if function else None
    if form is None or arguments is None or not arguments.named_children:
        return ""
    argument = arguments.named_children[0]
    name = ""
    if argument.type in _NAMES | _ATTRIBUTES.keys():
        name = evident(argument, source)
    elif argument.type == "string" and form.endswith("()"):
        name = source.name(argument.start_byte, argument.end_byte).strip("\"'")
    return form.format(name) if _DOTTED.fullmatch(name) else ""
