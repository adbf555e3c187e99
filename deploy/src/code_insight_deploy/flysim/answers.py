"""How the Machines API says no, and who may ask for what."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from code_insight_deploy.flysim.gate import parsed
from code_insight_deploy.flysim.world import App, Machine, Token, World

Handler = Callable[[Request], Awaitable[Response]]

UNKNOWN = "unknown"
READING = frozenset({"GET", "HEAD"})


class NoError(Exception):
    """The call is refused."""

    def __init__(self, status: int, error: str, *, kind: str = UNKNOWN, body: dict[str, Any] | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.body = body or {"error": error, "status": kind}

    def answer(self) -> JSONResponse:
        """As the Machines API says it."""
        return JSONResponse(self.body, status_code=self.status)


def token_of(world: World, header: str) -> Token:
    """The token in an Authorization header. Raises NoError 401 when there is none, it is unknown, or it has expired."""
    token = world.token(header) if header.lower().startswith(("bearer ", "flyv1 ")) else None
    if not token:
        raise NoError(401, "unauthorized: no verified tokens")
    if token.expired:
        raise NoError(401, "unauthorized: token has expired")
    return token


def allow(token: Token, *, changes: bool, app: App | None = None, organization: str = "") -> None:
    """Nothing when the token is for this. Raises NoError 403 otherwise."""
    if token.rights == "none" or (changes and token.rights != "all"):
        raise NoError(403, "unauthorized: token is not allowed to do this")
    owner = app.organization if app else organization
    if (owner and owner != token.organization) or (app and token.app and token.app != app.name):
        raise NoError(403, "unauthorized: token is not for this app or organization")


def app_of(world: World, request: Request, *, changes: bool | None = None) -> App:
    """The app in the request's path, which its token may see or change."""
    token = token_of(world, request.headers.get("authorization", ""))
    app = world.apps.get(request.path_params["app"])
    if not app:
        raise NoError(404, f"app not found: {request.path_params['app']}")
    allow(token, changes=request.method not in READING if changes is None else changes, app=app)
    return app


def machine_of(world: World, request: Request) -> tuple[App, Machine]:
    """The machine in the request's path, which its token may see or change."""
    app = app_of(world, request)
    machine = app.machines.get(request.path_params["machine"])
    if not machine:
        raise NoError(404, "machine not found")
    return app, machine


def guarded(handler: Handler) -> Handler:
    """The handler, with a refusal as its answer."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except NoError as refused:
            return refused.answer()

    return answer


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object that was sent, an empty one when there was nothing. Raises NoError 400 for anything else."""
    try:
        return parsed(await request.body())
    except ValueError as error:
        raise NoError(400, f"invalid JSON: {error}") from error
