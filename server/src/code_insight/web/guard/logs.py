"""Logs: one line for each event, for people or as JSON; what others sent cannot begin a new one."""

from __future__ import annotations

import json
import logging
import sys
import time
from contextvars import ContextVar

from code_insight import tracing

request_id: ContextVar[str] = ContextVar("request_id", default="")  # of the request that this work is done for

_FIELDS = "fields"  # of a record: what a program reads beside the message
_INVISIBLE = {n: f"\\x{n:02x}" for n in (*range(32), *range(127, 160))} | {0x2028: "\\u2028", 0x2029: "\\u2029"}


def fields(**values: object) -> dict[str, dict[str, object]]:
    """`extra` of a log call: each value stands beside the message, under its name."""
    return {_FIELDS: values}


def configure(form: str) -> None:
    """Everything that is logged goes to stderr, as `form` ("text" or "json") says."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in ("mcp", "fastmcp", "httpx2", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.WARNING)


class _Json(logging.Formatter):
    """One JSON object: time (UTC), level, logger, message; request_id, trace_id, fields, traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        written: dict[str, object] = {
            "time": _utc(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if asked := request_id.get():
            written["request_id"] = asked
        if trace := tracing.trace_id():
            written["trace_id"] = trace
        written |= getattr(record, _FIELDS, {})
        if record.exc_info:
            written["traceback"] = self.formatException(record.exc_info)
        return json.dumps(written, separators=(",", ":"))


class _Text(logging.Formatter):
    """A line for people: time (UTC), level, logger, message, name=value for each field; a traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        values = dict(getattr(record, _FIELDS, {}))
        if asked := request_id.get():
            values["request_id"] = asked
        if trace := tracing.trace_id():
            values["trace_id"] = trace
        words = [record.getMessage(), *(f"{name}={value}" for name, value in values.items())]
        line = f"{_utc(record)} {record.levelname} {record.name}: {' '.join(words).translate(_INVISIBLE)}"
        if record.exc_info:
            line += "\n" + "\n".join(f"  {part.translate(_INVISIBLE)}" for part in self._traceback(record))
        return line

    def _traceback(self, record: logging.LogRecord) -> list[str]:
        return self.formatException(record.exc_info).splitlines() if record.exc_info else []


def _utc(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z"
