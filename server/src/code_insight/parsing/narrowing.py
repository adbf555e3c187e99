"""Where a text has made sure of what class a value is: `if isinstance(door, Gate): door.open()`."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from code_insight.parsing.source import Source

if TYPE_CHECKING:
    from tree_sitter import Node

_LEAVING = frozenset({"return_statement", "raise_statement", "continue_statement", "break_statement"})
_BLOCKS = frozenset({"block", "module"})


class Narrowing(NamedTuple):
    """A part of a text in which an expression has a type, the ends in bytes."""

    start: int
    end: int
    expression: str  # in its evident form
    type: str

    def of(self, expression: str) -> str:
        """An expression in its evident form, of that type if it begins with what has it."""
        rest = expression.removeprefix(self.expression)
        begins = expression.startswith(self.expression) and rest[:1] in ("", ".")
        return f"{{{self.type}}}{rest}" if begins else expression


def narrowings(check: Node, expression: str, type_: str) -> Iterator[Narrowing]:
    """Where a call of `isinstance` is known to have been true."""
    return (Narrowing(start, end, expression, type_) for start, end in _spans(check) if start < end)


def _spans(check: Node) -> Iterator[tuple[int, int]]:
    node, is_true = check, True  # the check was true if the node is this
    while parent := node.parent:
        kind = parent.type
        if kind == "not_operator":
            is_true = not is_true
        elif kind == "boolean_operator":
            operator, right = map(parent.child_by_field_name, ("operator", "right"))
            if operator is None or is_true != (operator.type == "and"):
                return
            if right and right != node:
                yield right.byte_range
        elif kind != "parenthesized_expression":
            yield from _decided(parent, node, is_true=is_true)
            return
        node = parent


def _decided(decision: Node, condition: Node, *, is_true: bool) -> Iterator[tuple[int, int]]:
    """What is only run if a condition is true, or false."""
    field = decision.child_by_field_name
    around = decision.parent
    parts = [child for child in decision.named_children if child.type != "comment"]
    after = (decision.end_byte, around.end_byte) if around and around.type in _BLOCKS else (0, 0)
    match decision.type:
        case "if_statement" | "elif_clause" | "while_statement" if field("condition") == condition:
            body = field("consequence") or field("body")
            others = decision.children_by_field_name("alternative")
            if is_true and body:
                yield body.byte_range
            elif decision.type == "if_statement":
                yield from (other.byte_range for other in others)
                if body and not others and _LEAVING.intersection(child.type for child in body.named_children):
                    yield after
        case "conditional_expression" if len(parts) == 3 and parts[1] == condition:
            yield parts[0 if is_true else 2].byte_range
        case "if_clause" if is_true and around and (body := around.child_by_field_name("body")):
            yield body.byte_range
        case "assert_statement" if is_true and parts[0] == condition:
            yield after


def as_far_as_bound(
    found: Iterable[Narrowing], drafts: Sequence[tuple[int, str, str]], source: Source
) -> list[Narrowing]:
    """Each up to the line where the expression, or what it is an attribute of, gets another value.

    Drafts are (offset, name, value), in order. An inner one comes after the one around it; those are left out whose
    type has the name of a value of this text, which is more likely a tuple of classes than one.
    """
    values = {name for _, name, _ in drafts}
    later: dict[tuple[str, int], int] = {}  # where the rest of a block is made sure of once more
    kept = []
    for one in sorted(found, reverse=True):
        if one.type and one.type not in values:
            end = later.get((one.expression, one.end), one.end)
            later[one.expression, one.end] = one.start
            kept.append(_until_bound(one._replace(end=end), drafts, source))
    return kept[::-1]


def _until_bound(one: Narrowing, drafts: Sequence[tuple[int, str, str]], source: Source) -> Narrowing:
    for at in range(bisect_left(drafts, (one.start, "", "")), len(drafts)):
        offset, name, value = drafts[at]
        if offset >= one.end:
            break
        if f"{one.expression}.".startswith(f"{name}."):
            line = source.line(offset)
            if not value:  # `door = door.other()` may still say it, but not where a loop or a parameter is named
                line -= 1
            return one._replace(end=min(one.end, source.line_starts[line]))
    return one
