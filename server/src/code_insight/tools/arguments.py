"""The arguments that many tools share, each with its bounds; described once, in few words: every agent reads them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from code_insight.tools.answers import MOST_BUDGET_TOKENS

Repository = Annotated[
    str, Field(description="flask, pallets/flask, flask@<commit or ref>", min_length=1, max_length=600)
]
Path = Annotated[str, Field(description="file or folder", max_length=1024)]
SymbolName = Annotated[str, Field(description="route, Flask.route, flask.app.Flask", min_length=1, max_length=400)]
Budget = Annotated[int, Field(description="of the answer", ge=200, le=MOST_BUDGET_TOKENS)]
Cursor = Annotated[str, Field(description="from the answer before", max_length=40)]
