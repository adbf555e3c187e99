"""The values that say a step of a release has happened, in the order of the story.

Each is constructed in one file only, by the function that saw it happen; to hold one is to know.
"""

from dataclasses import dataclass

SHORT = 12


@dataclass(frozen=True, slots=True)
class SourceTree:
    """What will be built, to the byte. Only `source.source_tree` makes one."""

    tree: str
    """40 hex digits: git's name for the content, uncommitted changes included."""
    commit: str
    """40 hex digits: HEAD when the tree was read; holds all of the tree unless `dirty`."""
    dirty: bool

    @property
    def tag(self) -> str:
        """How an image of this tree is tagged: the short commit, or the tree when no commit holds it."""
        return f"dirty-{self.tree[:SHORT]}" if self.dirty else self.commit[:SHORT]


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image in the local engine, made from `tree` and from nothing else. Only `images` makes one."""

    reference: str
    """code-insight:<tag>"""
    image_id: str
    """sha256:<64 hex digits>: the digest of the image's configuration, which names its layers."""
    tree: str
    size_bytes: int
    """Of all layers, unpacked."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was looked at while an image ran."""

    claim: str
    seen: str
    seconds: float
    """How long it took to see it."""


@dataclass(frozen=True, slots=True)
class Smoked:
    """An image that ran here as a Fly machine would run it, and did what it should. Only `smoking.smoke` makes one."""

    image: BuiltImage
    evidence: tuple[Evidence, ...]
