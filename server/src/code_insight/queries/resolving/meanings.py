"""What a name can mean."""

from __future__ import annotations

from dataclasses import dataclass, field

from code_insight.model import Symbol


@dataclass(frozen=True, slots=True)
class Defined:
    """The name means this definition."""

    symbol: Symbol
    owner: Instance | None = field(default=None, compare=False)  # on what it was found, where its types depend on that


@dataclass(frozen=True, slots=True)
class Instance:
    """The name means a value of this type."""

    symbol: Symbol
    arguments: tuple[Meaning | None, ...] = ()  # of the type's own parameters


@dataclass(frozen=True, slots=True)
class Super:
    """The name means the bases of this class."""

    symbol: Symbol


@dataclass(frozen=True, slots=True)
class Module:
    """The name means this module: its path without suffix, or its folder."""

    place: str


@dataclass(frozen=True, slots=True)
class Package:
    """The name means all that the files of a folder define (Go)."""

    folder: str


@dataclass(frozen=True, slots=True)
class Outside:
    """The name means something that this repository does not define."""

    is_container: bool = False  # what its calls give may be of this repository: "list[Flask]"
    item: Meaning | None = None  # of Python's own containers: what a loop over it gives
    value: Meaning | None = None  # and what `[…]` gives


@dataclass(frozen=True, slots=True)
class Items:
    """A value that holds others: a list, a map, a channel."""

    item: Meaning | None
    key: Meaning | None = None


@dataclass(frozen=True, slots=True)
class OfItems:
    """A method of such a value."""

    items: Items
    name: str


@dataclass(frozen=True, slots=True)
class Function:
    """A value that can be called and of which only the type is known."""

    parameters: tuple[Meaning | None, ...]
    result: Meaning | None


@dataclass(frozen=True, slots=True)
class Several:
    """Results of one call, or the places of a tuple."""

    parts: tuple[Meaning | None, ...]


@dataclass(frozen=True, slots=True)
class OneOf:
    """A value of one of these types."""

    options: tuple[Meaning | None, ...]


@dataclass(frozen=True, slots=True)
class Fields:
    """A value of which the members are known and no name."""

    fields: tuple[tuple[str, Meaning | None], ...]


Meaning = (
    Defined | Instance | Super | Module | Package | Outside | Items | OfItems | Function | Several | OneOf | Fields
)
