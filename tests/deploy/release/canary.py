"""Looks for an operator's token wherever it must not be: what was printed, files, arguments of programs."""

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.deploy.release.places import Operator

ARGUMENTS: list[str] = []
"""Of every program that this process has started."""


def _hear(event: str, said: tuple[object, ...]) -> None:
    if event == "subprocess.Popen":
        ARGUMENTS.append(repr(said[:2]))  # the program and its arguments; a token may be in its environment


sys.addaudithook(_hear)


def found(operator: Operator, ended: object, *folders: Path) -> list[str]:
    """Where a token of the operator is, in whichever form it is sent; empty when it is nowhere."""
    places = {"what was told": str(operator.told), "an argument of a program": "\n".join(ARGUMENTS)}
    places |= {f"error {number}": text for number, text in enumerate(_errors(ended))}
    for folder in (operator.state, *folders):
        files = (path for path in folder.rglob("*") if path.is_file())
        places |= {str(path): path.read_bytes().decode("utf-8", "replace") for path in files}
    forms = [form for token in (operator.token, *operator.other_tokens) for form in _forms(token)]
    return [name for name, text in places.items() if any(form in text for form in forms)]


def _errors(ended: object) -> Iterator[str]:
    """An error with all that led to it."""
    while isinstance(ended, BaseException):
        yield f"{ended!r} {ended}"
        ended = ended.__cause__ or ended.__context__


def _forms(token: str) -> list[str]:
    """As it is, as it is sent to a registry (Basic), and as it is sent to an engine (X-Registry-Auth)."""
    login = json.dumps({"username": "x", "password": token}).encode()
    return [token, base64.b64encode(f"x:{token}".encode()).decode(), base64.urlsafe_b64encode(login).decode()]
