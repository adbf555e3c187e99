"""Types as they are written → what they are made of; signatures → their parameters and results.

One small grammar reads the types of all languages but Go's and Python's: names with arguments in angle brackets,
arrays, unions, functions, tuples; what it does not understand is None, and so is all that contains it at the top.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

_TOKEN = re.compile(r"=>|->|::|\.\.\.|<-|[\w$]+|\"[^\"]*\"|'[\w]+'?|`[^`]*`|[^\s]")
_MODIFIERS = frozenset(
    """
    abstract async asserts class const constexpr dyn enum explicit extern final for friend impl in infer inline mut out
    params pub readonly ref register signed static struct this typename union unique unsigned virtual volatile where
    """.split()  # noqa: SIM905 - a table that is read, not typed
)
_DEPTH = 12
_OPENING, _CLOSING = frozenset("([{<"), frozenset(")]}>")


@dataclass(frozen=True, slots=True)
class Named:
    """A type by its name, parts joined by ".": "http.Handler"."""

    name: str
    arguments: tuple[Type | None, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemsOf:
    """An array, slice, map or channel."""

    item: Type | None
    key: Type | None = None


@dataclass(frozen=True, slots=True)
class FunctionOf:
    """A function: parameters in order, and what it gives."""

    parameters: tuple[Type | None, ...]
    result: Type | None


@dataclass(frozen=True, slots=True)
class SeveralOf:
    """A tuple."""

    parts: tuple[Type | None, ...]


@dataclass(frozen=True, slots=True)
class OneOfTypes:
    """A union, or an intersection: what has the members of any of them."""

    options: tuple[Type | None, ...]


@dataclass(frozen=True, slots=True)
class FieldsOf:
    """An object by its members."""

    fields: tuple[tuple[str, Type | None], ...]


@dataclass(frozen=True, slots=True)
class ValueOf:
    """The type of what a name means."""

    name: str


Type = Named | ItemsOf | FunctionOf | SeveralOf | OneOfTypes | FieldsOf | ValueOf


@dataclass(frozen=True, slots=True)
class Signature:
    """What the head of a definition says of types."""

    type_parameters: tuple[tuple[str, Type | None], ...] = ()  # each with the type that it extends
    function: FunctionOf | None = None
    bases: tuple[Type, ...] = ()
    alias: Type | None = None  # what a named type stands for


class _Reader:
    """Reads types from tokens, the next one first."""

    def __init__(self, text: str) -> None:
        self.tokens = _TOKEN.findall(text)
        self.at = 0
        self.depth = 0

    def peek(self, ahead: int = 0) -> str:
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ""

    def take(self, *wanted: str) -> bool:
        if self.peek() in wanted and self.peek():
            self.at += 1
            return True
        return False

    def skip_group(self) -> None:
        """Past a group in brackets of any kind, whose opening bracket is next."""
        depth = 0
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            depth += (token in _OPENING) - (token in _CLOSING)
            self.at += 1
            if depth <= 0:
                return

    def listed(self, closing: str) -> tuple[Type | None, ...]:
        """Types between commas, up to the closing bracket, which is taken."""
        found: list[Type | None] = []
        while self.peek() and not self.take(closing):
            before = self.at
            found.append(self.type())
            if not self.take(","):
                while self.peek() not in ("", ",", closing):
                    self.skip_group() if self.peek() in _OPENING else self._next()
                self.take(",")
            if self.at == before:
                self._next()
        return tuple(found)

    def _next(self) -> None:
        self.at += 1

    # Of most languages

    def type(self) -> Type | None:
        self.depth += 1
        try:
            return self._union() if self.depth < _DEPTH else None
        finally:
            self.depth -= 1

    def _union(self) -> Type | None:
        self.take("|", "&")
        options = [self._postfix()]
        while self.take("|", "&"):
            options.append(self._postfix())
        if len(options) == 1:
            return options[0]
        kept = [option for option in options if not (isinstance(option, Named) and option.name in _NOTHING)]
        return kept[0] if len(kept) == 1 else OneOfTypes(tuple(dict.fromkeys(kept)))

    def _postfix(self) -> Type | None:
        found = self._primary()
        while True:
            if self.peek() == "[" and self.peek(1) == "]":
                self.at += 2
                found = ItemsOf(found)
            elif self.peek() == "[":
                self.skip_group()
                found = None
            elif self.peek() in ("*", "&", "?", "!") and self.peek(1) != ":":
                self._next()
            else:
                return found

    def _primary(self) -> Type | None:
        if self.take("?") and not self.take("extends", "super") and self.peek() in (">", ",", ""):
            return None
        self._skip_modifiers()
        following = self.peek()
        if read := self._BY_TOKEN.get(following):
            self._next()
            return read(self)
        if following[:1] in ('"', "'", "`") and following:
            self._next()
            return Named("string")
        if not re.match(r"[\w$]", following):
            self._next()
            return None
        return self._named()

    def _skip_modifiers(self) -> None:
        while self.peek() in _MODIFIERS or self.peek() in _SIGNS or re.fullmatch(r"'\w+", self.peek()):
            self._next()

    def _list_or_tuple(self) -> Type | None:
        parts = self.listed("]")
        return ItemsOf(parts[0]) if len(parts) == 1 else SeveralOf(parts)

    def _object(self) -> Type | None:
        return FieldsOf(self._fields())

    def _generic_function(self) -> Type | None:
        self.at -= 1
        self.skip_group()
        return self._primary()

    def _value(self) -> Type | None:
        named = self._named()
        return ValueOf(named.name) if isinstance(named, Named) else None

    def _keys(self) -> Type | None:
        self._postfix()
        return None

    def _fields(self) -> tuple[tuple[str, Type | None], ...]:
        """The members of an object type, up to the closing brace, which is taken."""
        found: list[tuple[str, Type | None]] = []
        while self.peek() and not self.take("}"):
            while self.peek() in ("readonly", ";", ",") and self.peek(1) != ":":
                self._next()
            if self.take("}"):
                break
            name = self.peek()
            self._next()
            self.take("?")
            if self.take("("):
                parameters = self.parameters(")")
                found.append((name, FunctionOf(parameters, self.type() if self.take(":") else None)))
            elif self.take(":"):
                found.append((name, self.type()))
            while self.peek() not in ("", ";", ",", "}"):
                self.skip_group() if self.peek() in _OPENING else self._next()
        return tuple(found)

    def _parenthesized(self) -> Type | None:
        start = self.at - 1
        self.at = start
        self.skip_group()
        if self.peek() in ("=>", "->"):
            self.at = start + 1
            parameters = self.parameters(")")
            self._next()
            return FunctionOf(parameters, self.type())
        self.at = start + 1
        parts = self.listed(")")
        return parts[0] if len(parts) == 1 else SeveralOf(parts)

    def parameters(self, closing: str) -> tuple[Type | None, ...]:
        """The types of `name: type, name?: type = value`, up to the closing bracket, which is taken."""
        found: list[Type | None] = []
        while self.peek() and not self.take(closing):
            is_rest = False
            is_this = self.peek() == "this"
            while self.peek() not in ("", ",", ":", closing):
                is_rest |= self.peek() == "..."
                self.skip_group() if self.peek() in _OPENING else self._next()
            type_ = self.type() if self.take(":") else None
            if not is_this:
                found.append(type_.item if is_rest and isinstance(type_, ItemsOf) else type_)
            while self.peek() not in ("", ",", closing):
                self.skip_group() if self.peek() in _OPENING else self._next()
            self.take(",")
        return tuple(found)

    def _named(self) -> Type | None:
        name = self.peek()
        self._next()
        while self.peek() in (".", "::", "\\") and re.match(r"[\w$]", self.peek(1) or "("):
            name = f"{name}.{self.peek(1)}"
            self.at += 2
        if self.peek() == "is":  # a predicate
            self._next()
            self.type()
            return Named("boolean")
        while self.peek() in _MODIFIERS:
            self._next()
        self.take("::")
        if self.peek() == "<":
            self._next()
            return Named(name, self.listed(">"))
        return Named(name)

    _BY_TOKEN: ClassVar[dict[str, Callable[[_Reader], Type | None]]] = {
        "(": _parenthesized,
        "[": _list_or_tuple,
        "{": _object,
        "<": _generic_function,
        "typeof": _value,
        "keyof": _keys,
        "new": _primary,
    }

    # Of Go

    def go_type(self) -> Type | None:
        self.depth += 1
        try:
            return self._go() if self.depth < _DEPTH else None
        finally:
            self.depth -= 1

    def _go(self) -> Type | None:
        self.take("*", "~")
        if self.take("...") or (self.peek() == "[" and self.peek(1) == "]" and self._skip(2)):
            return ItemsOf(self.go_type(), Named("int"))
        if self.peek() == "[":
            self.skip_group()
            return ItemsOf(self.go_type(), Named("int"))
        if self.take("<-"):
            self.take("chan")
            item = self.go_type()
            return ItemsOf(item, item)
        if self.take("chan"):
            self.take("<-")
            item = self.go_type()
            return ItemsOf(item, item)
        if self.take("map"):
            self.take("[")
            key = self.go_type()
            self.take("]")
            return ItemsOf(self.go_type(), key)
        if self.take("func"):
            return self.go_function()
        if self.take("("):
            found = self.go_type()
            self.take(")")
            return found
        if self.peek() in ("struct", "interface"):
            self._next()
            self.skip_group() if self.peek() == "{" else None
            return None
        return self._go_named()

    def _skip(self, count: int) -> bool:
        self.at += count
        return True

    def _go_named(self) -> Type | None:
        name = self.peek()
        if not re.match(r"\w", name):
            self._next()
            return None
        self._next()
        if self.take("."):
            name = f"{name}.{self.peek()}"
            self._next()
        if self.peek() == "[" and self.peek(1) != "]":
            self._next()
            found = []
            while self.peek() and not self.take("]"):
                found.append(self.go_type())
                if not self.take(",") and self.peek() != "]":
                    self._next()
            return Named(name, tuple(found))
        return Named(name)

    def go_function(self) -> FunctionOf:
        """`(parameters) results`, both parts optional."""
        parameters = self.go_parameters() if self.take("(") else ()
        if self.take("("):
            results = self.go_parameters()
            return FunctionOf(parameters, results[0] if len(results) == 1 else SeveralOf(results))
        if self.peek() in ("", ",", ")", "{", "]", ";"):
            return FunctionOf(parameters, None)
        return FunctionOf(parameters, self.go_type())

    def go_parameters(self) -> tuple[Type | None, ...]:
        """The types of `a, b int, c ...string` or of `int, string`, up to the closing bracket, which is taken."""
        parts: list[tuple[str, Type | None]] = []  # a name without type yet, or "" with its type
        is_named = False
        while self.peek() and not self.take(")"):
            before = self.at
            alone = re.fullmatch(r"\w+", self.peek()) and self.peek(1) in (",", ")")
            if alone:
                parts.append((self.peek(), None))
                self._next()
            elif re.fullmatch(r"\w+", self.peek()) and self.peek() not in _GO_WORDS and self._names_a_parameter():
                is_named = True
                self._next()
                parts.append(("", self.go_type()))
            else:
                parts.append(("", self.go_type()))
            self.take(",")
            if self.at == before:
                self._next()
        if not is_named:
            return tuple(Named(name) if name else type_ for name, type_ in parts)
        found: list[Type | None] = []
        following: Type | None = None
        for name, type_ in reversed(parts):
            following = following if name else type_
            found.append(following)
        return tuple(reversed(found))

    def _names_a_parameter(self) -> bool:
        """Whether a type follows the word that is next: `a *T`, `a []T`, `a pkg.T`; not `pkg.T`, `T[int]`."""
        following = self.peek(1)
        if following == "[":
            return self.peek(2) == "]" or self.peek(2).isdigit() or self._is_array()
        return following not in (".", ",", ")")

    def _is_array(self) -> bool:
        """Whether a type follows the bracket that is next but one, so that it is an array's: `a [size]T`."""
        at, depth = self.at + 1, 0
        while at < len(self.tokens):
            depth += (self.tokens[at] in "[(") - (self.tokens[at] in "])")
            at += 1
            if depth == 0:
                break
        return at < len(self.tokens) and self.tokens[at] not in (",", ")", "")


_SIGNS = frozenset({"&", "*", "?", "...", "\\", "::"})
_GO_WORDS = frozenset({"func", "map", "chan", "struct", "interface"})
_NOTHING = frozenset({"null", "undefined", "void", "never", "false", "None"})


@lru_cache(maxsize=20_000)
def read_type(text: str, family: str) -> Type | None:
    """What a type as written in a language is made of; None when that is not understood."""
    reader = _Reader(text)
    return reader.go_type() if family == "go" else reader.type()


@lru_cache(maxsize=20_000)
def read_signature(text: str, name: str, kind: str, family: str) -> Signature:
    """What the signature of a definition says of types, in full for Go and TypeScript."""
    if family == "go":
        return _go_signature(text, name, kind)
    if family == "javascript":
        return _script_signature(text, name, kind)
    if family in ("java", "csharp"):
        return _java_signature(text, name, kind)
    return Signature(_angle_parameters(text, name))


def _java_signature(text: str, name: str, kind: str) -> Signature:
    if kind in ("class", "interface", "enum", "struct"):
        reader = _Reader(_after_name(text, name))
        parameters = _script_type_parameters(reader)
        if reader.peek() == "(":  # of a record
            reader.skip_group()
        return Signature(parameters, bases=_script_bases(reader))
    reader = _Reader(text)
    while reader.peek() and reader.peek() not in ("<", name, "("):
        reader.at += 1
    is_generic = reader.peek() == "<" and (reader.at == 0 or reader.peek(-1) in _JAVA_MODIFIERS)
    return Signature(_script_type_parameters(reader) if is_generic else ())


_JAVA_MODIFIERS = frozenset(
    {"abstract", "default", "final", "native", "private", "protected", "public", "static", "strictfp", "synchronized"}
)


def argument_count(text: str, name: str) -> int | None:
    """How many arguments the call takes that a text begins with; None when it does not end in it."""
    tokens = _CALL_TOKEN.findall(_TYPE_ARGUMENTS.sub("", text[len(name) :]))
    if not tokens or tokens[0] != "(":
        return None
    depth, commas, is_empty = 0, 0, True
    for piece in tokens:
        depth += (piece in "([{") - (piece in ")]}")
        if depth == 0:
            return 0 if is_empty else commas + 1
        commas += piece == "," and depth == 1
        is_empty &= piece == "(" and depth == 1
    return None


def takes(signature: str, name: str, given: int) -> bool:
    """Whether a method can be called with so many arguments, by its signature."""
    text = _after_name(signature, name)
    wanted = argument_count(text, "")
    if wanted is None:
        return True
    least = wanted - text.count("=")  # those with a default may be left out
    return given >= least - 1 if "..." in text or "params " in text else least <= given <= wanted


_TYPE_ARGUMENTS = re.compile(r"<[\w\s,.?\[\]]*(?:<[\w\s,.?\[\]]*(?:<[\w\s,.?\[\]]*>[\w\s,.?\[\]]*)*>[\w\s,.?\[\]]*)*>")
_CALL_TOKEN = re.compile(
    r"""//[^\n]*(?=\n)|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|->|[(){}\[\],]|[^\s(){}\[\],]""", re.DOTALL
)


def _after_name(text: str, name: str) -> str:
    found = re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text)
    return text[found.end() :] if found else ""


def _go_signature(text: str, name: str, kind: str) -> Signature:
    if kind in ("function", "method"):
        text = re.sub(r"^func\s*\((?:[^()]|\([^()]*\))*\)", "func", text)
    reader = _Reader(_after_name(text, name))
    is_generic = reader.peek() == "[" and (kind == "function" or _is_generic(reader))
    parameters = _go_type_parameters(reader) if is_generic else ()
    if kind in ("function", "method"):
        return Signature(parameters, reader.go_function())
    reader.take("=")
    return Signature(parameters, alias=reader.go_type() if reader.peek() not in ("struct", "interface") else None)


def _is_generic(reader: _Reader) -> bool:
    return reader.peek(1) != "]" and not reader.peek(1).isdigit() and reader.peek(2) not in ("]", ".")


def _go_type_parameters(reader: _Reader) -> tuple[tuple[str, Type | None], ...]:
    reader.take("[")
    found: list[tuple[str, Type | None]] = []
    waiting: list[str] = []
    while reader.peek() and not reader.take("]"):
        waiting.append(reader.peek())
        reader.at += 1
        if reader.take(","):
            continue
        constraint = reader.go_type()
        while reader.peek() not in ("", ",", "]"):
            reader.at += 1
        found += [(name, constraint) for name in waiting]
        waiting = []
        reader.take(",")
    return tuple(found)


def _script_signature(text: str, name: str, kind: str) -> Signature:
    reader = _Reader(_after_name(text, name))
    reader.take("?", "!")
    if kind in ("class", "interface"):
        parameters = _script_type_parameters(reader)
        return Signature(parameters, bases=_script_bases(reader))
    if kind == "type":
        parameters = _script_type_parameters(reader)
        return Signature(parameters, alias=reader.type() if reader.take("=") else None)
    while reader.peek() not in ("", "(", "<"):
        if reader.peek(1) == "=>" and re.fullmatch(r"[\w$]+", reader.peek()):
            return Signature((), FunctionOf((None,), None))
        reader.at += 1
    parameters = _script_type_parameters(reader)
    if not reader.take("("):
        return Signature(parameters)
    taken = reader.parameters(")")
    result = reader.type() if reader.take(":") else None
    return Signature(parameters, FunctionOf(taken, result))


def _script_type_parameters(reader: _Reader) -> tuple[tuple[str, Type | None], ...]:
    found: list[tuple[str, Type | None]] = []
    if not reader.take("<"):
        return ()
    while reader.peek() and not reader.take(">"):
        while reader.peek() in ("const", "in", "out"):
            reader.at += 1
        name = reader.peek()
        reader.at += 1
        constraint = reader.type() if reader.take("extends") else None
        if reader.take("="):
            default = reader.type()
            constraint = constraint or default
        found.append((name, constraint))
        while reader.peek() not in ("", ",", ">"):
            reader.at += 1
        reader.take(",")
    return tuple(found)


def _script_bases(reader: _Reader) -> tuple[Type, ...]:
    found: list[Type] = []
    while reader.take("extends", "implements", ",", ":"):
        if base := reader.type():
            found.append(base)
    return tuple(found)


def _angle_parameters(text: str, name: str) -> tuple[tuple[str, Type | None], ...]:
    reader = _Reader(_after_name(text, name))
    return _script_type_parameters(reader)
