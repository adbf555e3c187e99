"""Which symbols of a commit matter most, judged by who uses their names."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from code_insight.model import REFERENCE_KINDS, ReferenceKind, family_of, is_aside

_BITS = {kind: 1 << number for number, kind in enumerate(REFERENCE_KINDS)}
_IMPORT, _INHERIT = _BITS[ReferenceKind.IMPORT], _BITS[ReferenceKind.INHERIT]
_WEIGHED = sum(_BITS.values()) - _BITS[ReferenceKind.NAME]
_TYPES = frozenset({"class", "interface", "struct", "enum", "trait", "type"})
_ROLE_WEIGHTS = {"source": 1.0, "test": 0.4}  # the others: 0.1
# In these languages who uses a name of another file imports it there, or names what it stands in.
_NAMES_ARE_IMPORTED = frozenset({"python", "javascript", "rust", "java", "php"})
_ENTRIES = ("__init__.py", "/index.ts", "/index.js", "/lib.rs", "/mod.rs")
# What every collection, file and logger has: a use of such a name says nothing about whose it is.
_COMMON = frozenset(
    """
    add all any append apply args async attr body build bytesize call check clean clear clone close code commit
    compact config copy count create data debug decode default delete dispatch done dump each empty encode end
    equals error errors execute exists exit extend fail fetch filter find first flush format free from get getitem
    group handle has hash hashcode head header headers host id include index info init insert instance into isempty
    items iter join key keys kind last len length level list load local lock log main map match max merge message
    method min name new next none not now open options parent parse path peek pop port post print process push put
    query read ref register reject remove render replace request reset resolve respond_to? response result return
    root run save search seek select self send set setup size skip sort source split start state status stop str
    string strip sub success sum tag test text then throw time title token tostring type union unwrap update url use
    val valid validate value values view visit wait warn warning with wrap write
    """.split()  # noqa: SIM905 - quotes around each would double it
)
_PRELUDE = frozenset({"error", "map", "object", "option", "read", "ready", "result", "set", "string", "write"})


class _Definition(NamedTuple):
    name: int
    blob: int
    position: int
    is_type: bool
    family: str
    text: str
    path: str
    lines: int
    weight: float


class _Use(NamedTuple):
    blob: int
    kinds: int
    family: str
    weight: float
    is_entry: bool


def central_symbols(db: sqlite3.Connection, commit: int, most: int) -> Iterator[tuple[int, int, int]]:
    """(blob, position, number of other files that use the name), the one that matters most first; a name at most once.

    Only what other files of the same language family use; private names, and methods named as everybody's are, not at
    all. Names alone cannot tell one definition from another, so several of one name share its uses.
    """
    defined: dict[tuple[int, str], list[_Definition]] = defaultdict(list)
    for definition in _definitions(db, commit):
        defined[definition.name, definition.family].append(definition)
    uses = _uses(db, commit, {name for name, _ in defined})
    scored = []
    for (name, family), same in defined.items():
        homes = {definition.blob for definition in same}
        others = [use for use in uses.get(name, ()) if use.family == family and use.blob not in homes]
        best = min(same, key=lambda one: (-one.weight, one.path.count("/"), -one.lines, one.path))
        score = sum(_evidence(best, use) for use in others) * best.weight / _sharing(same)
        if score > 0:
            scored.append((-score, best.text, best.path, best.blob, best.position, len(others)))
    for *_, blob, position, users in sorted(scored)[:most]:
        yield blob, position, users


def _sharing(same: list[_Definition]) -> float:
    """Among how many the uses are divided. A declaration and its definition are one thing in C."""
    if same[0].family == "cpp":
        return 1 if len(same) <= 4 else len(same)
    return len(same) if len(same) <= 3 else len(same) * 4


def _evidence(one: _Definition, use: _Use) -> float:
    """How much one file's use of the name says."""
    weight = use.weight * (1.3 if use.is_entry and use.kinds & _IMPORT else 1)
    if use.kinds & _INHERIT:
        return 1.3 * weight
    if use.kinds & _IMPORT or one.family not in _NAMES_ARE_IMPORTED:
        return weight
    return weight * (0.4 if one.is_type else 0.05)


def _definitions(db: sqlite3.Connection, commit: int) -> Iterator[_Definition]:
    modules = _modules(db, commit)
    rows = db.execute(
        "SELECT symbol.name, name.text, symbol.blob, position, kind, parent, substr(signature, 1, 8), language, path,"
        " end_line - start_line FROM file JOIN blob USING (blob) JOIN symbol USING (blob) JOIN name USING (name)"
        " WHERE file.commit_ = ? AND file.role = 'source'"
        " AND kind IN ('class', 'interface', 'struct', 'enum', 'trait', 'type', 'function', 'method', 'macro')",
        (commit,),
    )
    for name, text, blob, position, kind, parent, signature, language, path, lines in rows:
        weight = _weight(text, kind, parent >= 0, language, signature) * (0.2 if is_aside(path) else 1)
        if text in modules and kind not in _TYPES:
            weight *= 0.1  # who imports this name means the module
        if weight:
            family = family_of(language)
            yield _Definition(name, blob, position, kind in _TYPES, family, text, path, lines, weight)


def _modules(db: sqlite3.Connection, commit: int) -> set[str]:
    """The names that modules have: of files without their suffix, and of folders."""
    rows = db.execute("SELECT path FROM file WHERE commit_ = ? AND role = 'source'", (commit,))
    return {part.partition(".")[0] for (path,) in rows for part in path.split("/")}


def _weight(name: str, kind: str, is_inner: bool, language: str, signature: str) -> float:
    if len(name) < 3 or name == "main" or name.startswith(("_", "$", "#")):
        return 0
    if signature.startswith(("static ", "private ")):
        return 0
    if language == "go" and not name[0].isupper():
        return 0
    hidden = 0.3 if language == "rust" and not signature.startswith("pub ") else 1
    named_by_import = family_of(language) in _NAMES_ARE_IMPORTED
    if kind in _TYPES:
        inner = 0.5 if is_inner and named_by_import else 1
        return inner * hidden * (0.3 if name.lower() in _PRELUDE else 1)
    if kind == "method" or is_inner:
        return 0 if name.lower() in _COMMON else 0.05 * hidden
    return 0 if name.lower() in _COMMON and not named_by_import else 0.8 * hidden


def _uses(db: sqlite3.Connection, commit: int, names: set[int]) -> dict[int, list[_Use]]:
    files = {}
    for blob, role, language, path in db.execute(
        "SELECT file.blob, role, language, path FROM file JOIN blob USING (blob) WHERE commit_ = ?", (commit,)
    ):
        files[blob] = family_of(language), _ROLE_WEIGHTS.get(role, 0.1), f"/{path}".endswith(_ENTRIES)
    uses: dict[int, list[_Use]] = defaultdict(list)
    rows = db.execute(
        "SELECT name, blob, kinds FROM json_each(?) AS wanted CROSS JOIN occurrence ON name = wanted.value"
        " WHERE kinds & ? AND +blob IN (SELECT blob FROM file WHERE commit_ = ?)",
        (json.dumps(sorted(names)), _WEIGHED, commit),
    )
    for name, blob, kinds in rows:
        family, weight, is_entry = files[blob]
        uses[name].append(_Use(blob, kinds, family, weight, is_entry))
    return uses
