#!/usr/bin/env python3
"""A shopping cart."""

from __future__ import annotations

import asyncio
import json as serialiser
import os.path
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from . import prices
from .items import Item as CartItem
from .legacy import *

T = TypeVar("T")

# How many things fit.
MAX_ITEMS = 100
#: Tax in percent.
vat: float = 19.0
low, high = 0, 10

if os.path.exists("override.json"):
    override = True

try:
    import uvloop
except ImportError:
    uvloop = None


class CartError(ValueError):
    pass


class Repository(Generic[T], prices.Store):
    """Keeps things.

    For as long as it lives.
    """

    table = "things"

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    @staticmethod
    def open(path: str) -> Repository[T]:
        return Repository(path)


@dataclass(frozen=True)
class Cart(Repository[CartItem], metaclass=type):
    items: list[CartItem] = field(default_factory=list)
    LIMIT = MAX_ITEMS

    def __init__(self, *items: CartItem) -> None:
        self.items = list(items)

    async def total(
        self,
        discount: Callable[[CartItem], float] | None = None,
    ) -> float:
        def price(item: CartItem) -> float:
            return item.price - (discount(item) if discount else 0)

        await asyncio.sleep(0)
        return sum(map(price, self.items)) * (1 + vat / 100)

    class Line:
        count: int = 1


type Prices = dict[str, float]


def load(text: str) -> Iterable[CartItem]:
    "Items of a JSON text."
    größe = serialiser.loads(text); return [CartItem(each) for each in größe]


key = lambda item: item.name
