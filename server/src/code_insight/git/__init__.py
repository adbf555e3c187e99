"""Runs git, and nobody else does: plumbing on objects only; no checkout, hook or filter."""

from code_insight.git.objects import (
    RemoteRef,
    blobs,
    changed,
    commit,
    compact,
    create_bare,
    fetch,
    git_dir_of,
    packs,
    places,
    remote_ref,
    resolve,
    tree,
    valid_ref,
)
from code_insight.git.past import changes, commit_reader
from code_insight.git.running import NO_CHARACTER, Call, GitLimits, never

__all__ = [
    "NO_CHARACTER",
    "Call",
    "GitLimits",
    "RemoteRef",
    "blobs",
    "changed",
    "changes",
    "commit",
    "commit_reader",
    "compact",
    "create_bare",
    "fetch",
    "git_dir_of",
    "never",
    "packs",
    "places",
    "remote_ref",
    "resolve",
    "tree",
    "valid_ref",
]
