"""What the first part of a query file finds: drafts of definitions, what owns them, their bases, imports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from code_insight.model import ImportFact
from code_insight.model import SymbolKind as Kind
from code_insight.parsing.source import Captures, Source, docstring

if TYPE_CHECKING:
    from tree_sitter import Node

NAME_BYTES = 300  # a longer identifier is data
_MOST_IMPORTS = 10_000
TYPES = frozenset({Kind.CLASS, Kind.INTERFACE, Kind.STRUCT, Kind.ENUM, Kind.TRAIT})
FUNCTIONS = frozenset({Kind.FUNCTION, Kind.METHOD, Kind.CONSTRUCTOR})
VALUES = frozenset({Kind.VARIABLE, Kind.CONSTANT, Kind.FIELD})


class Draft(NamedTuple):
    """A definition before it is known what stands around it."""

    kind: Kind
    start: int
    end: int
    name_start: int
    name_end: int
    body: int  # where the signature ends
    receiver: str  # "" when what stands around it owns it
    is_declaration: bool  # without body: a prototype


class Container(NamedTuple):
    """What owns the definitions inside it without being one: Rust's `impl`."""

    start: int
    end: int
    receiver: str


@dataclass(slots=True)
class Structure:
    drafts: dict[int, Draft] = field(default_factory=dict)  # by the offset of the name
    containers: list[Container] = field(default_factory=list)
    bases: dict[int, dict[int, str]] = field(default_factory=dict)  # offset of the name -> offset of the base -> base
    adopted: dict[str, list[str]] = field(default_factory=dict)  # receiver -> bases that a container gives it
    docs: dict[int, str] = field(default_factory=dict)
    imports: list[ImportFact] = field(default_factory=list)
    imported: set[int] = field(default_factory=set)  # offsets of names that an import binds


def read_structure(patterns: Iterable[Sequence[Captures]], source: Source) -> Structure:
    """What the matches of each pattern say. Of two patterns that define one name, the first counts."""
    structure = Structure()
    imports: dict[tuple[int, int], tuple[ImportFact, ...]] = {}
    for matches in patterns:
        captured = matches[0].keys()
        if "base" in captured and "name" in captured:
            _read_bases(matches, source, structure)
        elif "doc" in captured:
            _read_docs(matches, source, structure)
        elif "name" in captured:
            _read_definitions(matches, source, structure)
        elif "declarator" in captured:
            _read_declarators(matches, source, structure)
        elif "container" in captured:
            _read_containers(matches, source, structure)
        else:
            for captures in matches:
                _read_import(captures, source, structure, imports)
    structure.imports.extend(_without_bare_repetitions(imports))
    return structure


def _read_definitions(matches: Sequence[Captures], source: Source, structure: Structure) -> None:
    definition, kind = _defined(matches[0])
    text, drafts = source.text, structure.drafts
    for captures in matches:
        (node,) = captures[definition]
        for name in captures["name"]:
            start, end = _name_range(name, source)
            if start in drafts or not 0 < end - start <= NAME_BYTES or text[start:end] == b"_":
                continue
            body = captures["body"][0] if "body" in captures else node.child_by_field_name("body")
            stop = node.end_byte
            drafts[start] = Draft(
                kind,
                node.start_byte,
                len(text) if "until.end" in captures else stop,
                start,
                end,
                body.start_byte if body else stop,
                _receiver(captures, source, start) if "receiver" in captures else "",
                False,
            )


def _defined(captures: Captures) -> tuple[str, Kind]:
    """The capture of a pattern that stands for the whole definition, and what it defines."""
    capture = next(key for key in captures if key.startswith("definition."))
    return capture, Kind(capture.removeprefix("definition."))


class _Declared(NamedTuple):
    """What a declarator of C or C++ declares."""

    name: Node
    qualified: Node  # `a::b::name`, or the name itself
    is_function: bool


def _declared(declarator: Node) -> _Declared | None:
    """The name within pointers, arrays, parameters and initial values: `char *(*name[2])(int) = {}`."""
    node: Node | None = declarator
    qualified, is_function = None, False
    while node is not None:
        kind = node.type
        if kind in _NAMES_IN_DECLARATORS:
            return _Declared(node, qualified or node, is_function or kind == "operator_cast")
        if kind == "qualified_identifier":
            qualified = qualified or node
        elif kind == "function_declarator":
            is_function = True
        elif kind in ("pointer_declarator", "array_declarator"):
            is_function = False
        node = node.child_by_field_name("declarator") or node.child_by_field_name("name") or _last_named_child(node)
    return None


_NAMES_IN_DECLARATORS = frozenset(
    {"identifier", "field_identifier", "type_identifier", "operator_name", "destructor_name", "operator_cast"}
)


def _last_named_child(node: Node) -> Node | None:
    return node.named_child(node.named_child_count - 1) if node.named_child_count else None


def _read_declarators(matches: Sequence[Captures], source: Source, structure: Structure) -> None:
    definition, kind = _defined(matches[0])
    for captures in matches:
        node = captures[definition][0]
        declared = _declared(captures["declarator"][0])
        if declared is None or (kind is Kind.FUNCTION and not declared.is_function):
            continue
        start, end = _name_range(declared.name, source)
        if start in structure.drafts or not 0 < end - start <= NAME_BYTES:
            continue
        is_declaration = declared.is_function and kind in VALUES
        body = node.child_by_field_name("body")
        structure.drafts[start] = Draft(
            Kind.FUNCTION if is_declaration else kind,
            node.start_byte,
            node.end_byte,
            start,
            end,
            body.start_byte if body else node.end_byte,
            _owner(source.slice(max(declared.qualified.start_byte, start - NAME_BYTES), start)),
            is_declaration,
        )


def _name_range(name: Node, source: Source) -> tuple[int, int]:
    """Where a name stands, without what a node has more: Ruby's :name and "name", C++'s operator bool()."""
    text, start, end = source.text, name.start_byte, name.end_byte
    if text.startswith(_MARKS, start):
        return start + 1, end - (not text.startswith(b":", start))
    if text.startswith(b"operator", start) and name.type == "operator_cast":
        return start, start + len(text[start:end].partition(b"(")[0].rstrip())
    return start, end


_MARKS = (b":", b'"', b"'")


def _receiver(captures: Captures, source: Source, name_start: int) -> str:
    """The type that owns a definition; of `a::B::c` what stands before the name."""
    node = captures["receiver"][0]
    start, end = node.start_byte, node.end_byte
    return _owner(source.slice(start, min(name_start if start <= name_start < end else end, start + NAME_BYTES)))


def _read_containers(matches: Sequence[Captures], source: Source, structure: Structure) -> None:
    for captures in matches:
        (node,) = captures["container"]
        receiver = _receiver(captures, source, -1) if "receiver" in captures else ""
        structure.containers.append(Container(node.start_byte, node.end_byte, receiver))
        for base in captures.get("base", ()):
            structure.adopted.setdefault(receiver, []).append(_without_arguments(_text(base, source)))


def _read_bases(matches: Sequence[Captures], source: Source, structure: Structure) -> None:
    for captures in matches:
        known = structure.bases.setdefault(captures["name"][0].start_byte, {})
        for base in captures["base"]:
            known[base.start_byte] = _without_arguments(_text(base, source))


def _read_docs(matches: Sequence[Captures], source: Source, structure: Structure) -> None:
    for captures in matches:
        (node,) = captures["doc"]
        structure.docs[captures["name"][0].start_byte] = docstring(source.slice(node.start_byte, node.end_byte))


def _text(node: Node, source: Source) -> str:
    return source.slice(node.start_byte, min(node.end_byte, node.start_byte + NAME_BYTES))


def _without_arguments(text: str) -> str:
    """A type's name as written, without type arguments and modifiers: "List<T>" -> "List", "&mut a::B" -> "a::B"."""
    kept, depth = [], 0
    for character in text.replace("->", ""):
        depth += (character in "<[(") - (character in ">])")
        if depth == 0 and character not in ">])*&":
            kept.append(character)
    return ("".join(kept).split() or [""])[-1]


def _owner(text: str) -> str:
    """The container that a receiver names: "*Server[T]" -> "Server", "ns::Foo" -> "ns.Foo"."""
    name = _without_arguments(text).replace("::", ".").replace("\\", ".").strip(".").removesuffix(".prototype")
    return "" if name in ("this", "self", "exports", "module.exports") else name


def _read_import(
    captures: Captures,
    source: Source,
    structure: Structure,
    imports: dict[tuple[int, int], tuple[ImportFact, ...]],
) -> None:
    if "import.tree" in captures:
        tree = captures["import.tree"][0]
        imports[tree.start_byte, -1] = _use_tree(tree, source)
        return
    if "import.submodule" in captures:
        node = captures["import.submodule"][0]
        fact = ImportFact("self", source.name(node.start_byte, node.end_byte), "", source.line(node.start_byte))
        imports[node.start_byte, -1] = (fact,)
        return
    module = captures["import.module"][0]
    name, alias = captures.get("import.name"), captures.get("import.alias")
    if alias is not None:
        structure.imported.add(alias[0].start_byte)
    fact = ImportFact(
        _import_module(captures, source),
        _imported_name(captures, source),
        _text(alias[0], source) if alias else "",
        source.line((name or alias or [module])[0].start_byte),
    )
    imports[module.start_byte, (name or alias or [module])[0].start_byte] = (fact,)


def _import_module(captures: Captures, source: Source) -> str:
    module = _text(captures["import.module"][0], source).strip("\"'<>")
    return f"./{module}" if "import.relative" in captures and not module.startswith(".") else module


def _imported_name(captures: Captures, source: Source) -> str:
    if "import.name" in captures:
        return _text(captures["import.name"][0], source).lstrip(":")
    if "import.all" in captures:
        return "*"
    return "default" if "import.default" in captures else ""


def _without_bare_repetitions(imports: Mapping[tuple[int, int], tuple[ImportFact, ...]]) -> list[ImportFact]:
    """The imports in document order; `require("x")` counts only where no pattern saw what is taken from it."""
    telling = {module for (module, bound) in imports if bound != module}
    kept = [key for key in imports if key[0] != key[1] or key[0] not in telling]
    kept.sort(key=lambda key: key[0] if key[1] < 0 else key[1])
    return [fact for key in kept for fact in imports[key]][:_MOST_IMPORTS]


def _use_tree(tree: Node, source: Source) -> tuple[ImportFact, ...]:
    """The imports of one `use` declaration of Rust: `a::{b, c::{self, d as e}, f::*}`."""
    facts = []
    pending = [(tree, "")]
    while pending:
        node, prefix = pending.pop()
        line = source.line(node.start_byte)
        if node.type == "use_list":
            pending.extend((child, prefix) for child in reversed(node.named_children))
        elif node.type == "scoped_use_list":
            path, inner = node.child_by_field_name("path"), node.child_by_field_name("list")
            if inner is not None:
                pending.append((inner, _joined(prefix, _text(path, source) if path else "")))
        elif node.type == "use_wildcard":
            facts.append(
                ImportFact(_joined(prefix, _text(node, source).removesuffix("*").removesuffix("::")), "*", "", line)
            )
        elif node.type == "use_as_clause":
            path, alias = node.child_by_field_name("path"), node.child_by_field_name("alias")
            if path is not None and alias is not None:
                facts.append(_use(_joined(prefix, _text(path, source)), _text(alias, source), line))
        elif node.type in ("identifier", "scoped_identifier", "self", "crate", "super"):
            facts.append(_use(_joined(prefix, _text(node, source)), "", line))
    return tuple(facts)


def _joined(prefix: str, path: str) -> str:
    return f"{prefix}::{path}" if prefix and path else prefix or path


def _use(path: str, alias: str, line: int) -> ImportFact:
    module, _, name = path.rpartition("::")
    return (
        ImportFact(module, "" if name == "self" else name, alias, line) if module else ImportFact(name, "", alias, line)
    )
