"""Source text in; symbols, references, imports and problems out. Syntax nodes never leave this package.

`parse` works in the process that calls it, and a hostile file can end that process: grammars are C code with known
crashes, endless loops and memory explosions (a 600-byte file is enough). The server therefore parses in `ParserPool`,
whose workers are limited in time and memory and can be thrown away. Nothing here recurses over a syntax tree, which
may be 100,000 levels deep.
"""

from code_insight.parsing.facts import VERSION, parse
from code_insight.parsing.pool import IdlePool, ParseLimits, ParserPool

__all__ = ["VERSION", "IdlePool", "ParseLimits", "ParserPool", "parse"]
