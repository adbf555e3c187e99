"""What a name means where it stands: scopes, imports, hierarchies, and values whose type is evident."""

from __future__ import annotations

from code_insight.queries.resolving.meanings import Defined, Instance, Meaning, Module, Outside, Package, Super
from code_insight.queries.resolving.resolver import COMMON, Resolver, knows, knows_calls, resolving

__all__ = [
    "COMMON",
    "Defined",
    "Instance",
    "Meaning",
    "Module",
    "Outside",
    "Package",
    "Resolver",
    "Super",
    "knows",
    "knows_calls",
    "resolving",
]
