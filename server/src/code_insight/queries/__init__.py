"""Questions about one IndexedCommit: reads only, plain values back, best first."""

from __future__ import annotations

from code_insight.model import FileRole

_ROLES = {role: place for place, role in enumerate(FileRole)}


def role_order(role: FileRole) -> int:
    """Where a file's role stands in every ranking: source, tests, documents, then what nobody wrote here by hand."""
    return _ROLES[role]
