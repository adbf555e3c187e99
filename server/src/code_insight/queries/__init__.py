"""Questions about one IndexedCommit: reads only, plain values back, best first."""

from __future__ import annotations

from code_insight.model import FileRole, is_aside

_ROLES = {role: 2 * place for place, role in enumerate(FileRole)}


def role_order(role: FileRole) -> int:
    """Where a file's role stands in every ranking: source, tests, documents, then what nobody wrote here by hand."""
    return _ROLES[role]


def place_order(role: FileRole, path: str) -> int:
    """The same, with source that lies aside (examples, scripts) after the rest of it."""
    return _ROLES[role] + (role is FileRole.SOURCE and is_aside(path))
