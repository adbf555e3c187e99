"""Repositories as their authors should not make them, by the names that tests/bad_inputs.jsonl has for them."""

import functools
import hashlib
import random
import struct
import zlib
from collections.abc import Callable

from tests.server.places import Repository

Make = Callable[[Repository], None]


def _entry(mode: str, name: bytes, content: bytes = b"x\n") -> Make:
    """A tree with a README and one more entry, however odd."""

    def make(repository: Repository) -> None:
        oid, readme = repository.blob(content), repository.blob(b"# A repository\n")
        repository.commit_tree(
            *sorted((("100644", readme, b"README.md"), (mode, oid, name)), key=lambda entry: entry[2])
        )

    return make


def _odd_names(repository: Repository) -> None:
    repository.commit({"<img src=x onerror=alert(1)>.py": "x = 1\n", "x.svg": "<svg onload=alert(1)></svg>\n"})


def _deep(repository: Repository) -> None:
    """5,000 folders in each other; git itself makes them from a stream."""
    path = "d/" * 5_000 + "x.py"
    stream = (
        "commit refs/heads/main\ncommitter a <a> 1 +0000\ndata 4\ndeep\n"
        "M 100644 inline README.md\ndata 15\n# A repository\n"
        f"M 100644 inline {path}\ndata 6\nx = 1\n\n"
    )
    repository.git("fast-import", "--quiet", stdin=stream.encode())


def _submodule(repository: Repository) -> None:
    modules = b'[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch% PWN\n'
    texts = [
        ("100644", repository.blob(text), name) for name, text in ((b".gitmodules", modules), (b"README.md", b"#"))
    ]
    repository.commit_tree(*texts, ("160000", "1" * 40, b"x"))


_LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize 12345\n"
_PYTHON = "".join(" " * n + '$"{\n' for n in range(400))
CPP_BOMB = "a<" * 9_000 + "\n" + "a<\n" * 100_000
_NOISE = random.Random(1).randbytes(1_000_000)

_AFTER: dict[str, str | bytes] = {"y.py": "def after(): ...\n"}
_WORDS = "# <script>alert(1)</script>\n\n[x](javascript:alert(1)) <img src=y onerror=alert(1)>\n"


def _hostile_words(repository: Repository) -> None:
    repository.commit({"README.md": _WORDS, "x.py": "x = 1\n"}, "<script>alert(1)</script>")


def _far_future(repository: Repository) -> None:
    repository.commit({"README.md": "#"})
    tree = repository.git("rev-parse", "HEAD^{tree}")
    when = f"a <a> {2**64} +0000"
    repository.commit_object(f"tree {tree}\nauthor {when}\ncommitter {when}\n\nlate\n".encode())


REPOSITORIES: dict[str, Make] = {
    "odd_names": _odd_names,
    "hostile_words": _hostile_words,
    "far_future": _far_future,
    "zeros": lambda repository: _zeros(repository, 200 << 20),
    "deep": _deep,
    "dotdot": _entry("100644", b".."),
    "dotgit": _entry("100644", b".git"),
    "padded_mode": _entry("0100644", b"x.py"),
    "not_utf8": _entry("100644", b"\xff\xfe.py"),
    "long_name": _entry("100644", b"n" * 5_000),
    "linked": _entry("120000", b"link.py", b"/etc/passwd"),
    "submodule": _submodule,
    "lfs": lambda repository: _commit(repository, {".gitattributes": "*.bin filter=lfs\n", "large.bin": _LFS}),
    "yaml_bomb": lambda repository: _commit(repository, {"x.yaml": "- " * 300}),
    "python_bomb": lambda repository: _commit(repository, {"x.py": _PYTHON, "y.py": "def after(): ...\n"}),
    "html_bomb": lambda repository: _commit(repository, {"x.html": "<div>\n" * 100_000}),
    "cpp_bomb": lambda repository: _commit(repository, {"x.cpp": CPP_BOMB, "y.py": "def after(): ...\n"}),
    "markdown_bomb": lambda repository: _commit(repository, {**_AFTER, "x.md": "> \n" * 1_000 + "> " * 9_000 + "a\n"}),
    "bracket_bomb": lambda repository: _commit(repository, {**_AFTER, "x.js": "[\n" * 50_000}),
    "long_symbol": lambda repository: _commit(repository, {**_AFTER, "x.py": f"def {'n' * 10_000}(): ...\n"}),
    "many_symbols": lambda repository: _commit(
        repository, {**_AFTER, "x.py": "".join(f"def f{number}(): ...\n" for number in range(30_000))}
    ),
    "noise": lambda repository: _commit(repository, {"x.py": _NOISE}),
    "invisible": lambda repository: _commit(repository, {"x.py": "a = '\u202e\u200b\U000e0041'\n"}),
    "encodings": lambda repository: _commit(
        repository,
        {
            "crlf.py": b"first = 1\r\nsecond = 2",
            "cr_ff.py": b"first\r = 1\x0c\nlast = 2",
            "latin1.py": "# \xe9\n".encode("latin-1"),
            "utf16.py": "x = 1\n".encode("utf-16"),
        },
    ),
}


def _commit(repository: Repository, files: dict[str, str | bytes]) -> None:
    repository.commit({"README.md": "# A repository\n", **files})


def _zeros(repository: Repository, size: int) -> None:
    _commit(repository, {"zeros.bin": bytes(size)})


_COPY = 0xFFFFFF  # the most that one instruction of a difference copies


@functools.cache
def delta_bomb(copies: int = 50) -> tuple[str, bytes]:
    """A commit, 40 digits, and a pack of a few kilobytes with it: a file in it is `copies` times 16 MB long.

    A file of 16 MB, and a difference to it that copies it over and over (gitformat-pack).
    """
    base = bytes(_COPY)
    digest = hashlib.sha1(b"blob %d\0" % (_COPY * copies))
    for _ in range(copies):
        digest.update(base)
    base_oid = hashlib.sha1(b"blob %d\0" % _COPY + base).digest()
    tree = b"100644 base\0" + base_oid + b"100644 large\0" + digest.digest()
    tree_oid = hashlib.sha1(b"tree %d\0" % len(tree) + tree).hexdigest()
    commit = f"tree {tree_oid}\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\nbomb\n".encode()
    commit_oid = hashlib.sha1(b"commit %d\0" % len(commit) + commit).hexdigest()
    # every bit of offset 0 left out, three bytes of size
    delta = _size(_COPY) + _size(_COPY * copies) + (b"\xf0" + _COPY.to_bytes(3, "little")) * copies
    objects = [
        _header(1, len(commit)) + zlib.compress(commit),
        _header(2, len(tree)) + zlib.compress(tree),
        _header(3, len(base)) + zlib.compress(base, 9),
        _header(7, len(delta)) + base_oid + zlib.compress(delta, 9),
    ]
    pack = struct.pack(">4sII", b"PACK", 2, len(objects)) + b"".join(objects)
    return commit_oid, pack + hashlib.sha1(pack).digest()


def _size(number: int) -> bytes:
    """A number in groups of seven bits, the lowest first."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(found) + bytes([number])


def _header(kind: int, size: int) -> bytes:
    """An object's kind and size, as a pack has them."""
    first, rest = size & 0xF, size >> 4
    return bytes([kind << 4 | first | (0x80 if rest else 0)]) + (_size(rest) if rest else b"")
