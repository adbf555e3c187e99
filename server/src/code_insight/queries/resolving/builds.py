"""Which files of Go are built on Linux: https://pkg.go.dev/cmd/go#hdr-Build_constraints."""

from __future__ import annotations

import re

_SYSTEMS = frozenset(
    """
    aix android darwin dragonfly freebsd hurd illumos ios js nacl netbsd openbsd plan9 solaris wasip1 windows zos linux
    """.split()  # noqa: SIM905 - a table that is read, not typed
)
_PROCESSORS = frozenset(
    """
    386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm sparc64
    """.split()  # noqa: SIM905 - the same
)
_TRUE = frozenset({"linux", "amd64", "unix", "gc", "cgo"})


def is_built(path: str, head: str) -> bool:
    """Whether a file is part of its package on Linux, by the end of its name and its `//go:build` line."""
    stem = path.rpartition("/")[2].removesuffix(".go").removesuffix("_test")
    parts = stem.split("_")[1:][-2:]
    if any(part in (_SYSTEMS | _PROCESSORS) - _TRUE for part in parts):
        return False
    line = re.search(r"(?m)^//go:build (.{1,300})$", head)
    return _holds(re.findall(r"[\w.]+|&&|\|\||[!()]", line[1])) if line else True


def _holds(tokens: list[str]) -> bool:
    """The value of a build constraint; `||` binds least."""
    value, _ = _either(tokens, 0)
    return value


def _either(tokens: list[str], at: int) -> tuple[bool, int]:
    value, at = _both(tokens, at)
    while tokens[at : at + 1] == ["||"]:
        other, at = _both(tokens, at + 1)
        value = value or other
    return value, at


def _both(tokens: list[str], at: int) -> tuple[bool, int]:
    value, at = _one(tokens, at)
    while tokens[at : at + 1] == ["&&"]:
        other, at = _one(tokens, at + 1)
        value = value and other
    return value, at


def _one(tokens: list[str], at: int) -> tuple[bool, int]:
    if at >= len(tokens):
        return True, at
    if tokens[at] == "!":
        value, at = _one(tokens, at + 1)
        return not value, at
    if tokens[at] == "(":
        value, at = _either(tokens, at + 1)
        return value, at + 1
    return tokens[at] in _TRUE or tokens[at].startswith("go1."), at + 1
