"""/flysim/…: what there is to order and to see that Fly does not have. Opened by the sim's own secret."""

import dataclasses
import hmac
import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from code_insight_deploy.flysim import faults as faults_
from code_insight_deploy.flysim.answers import NoError
from code_insight_deploy.flysim.faults import Faults
from code_insight_deploy.flysim.flaps import Flaps
from code_insight_deploy.flysim.gate import Calls, parsed
from code_insight_deploy.flysim.registry import Registry
from code_insight_deploy.flysim.world import App, Token, World

MakeApp = Callable[[str, str], Awaitable[App]]


class Control:
    """The endpoints."""

    def __init__(
        self, world: World, faults: Faults, calls: Calls, flaps: Flaps, registry: Registry, make_app: MakeApp
    ) -> None:
        self._world = world
        self._faults = faults
        self._calls = calls
        self._flaps = flaps
        self._registry = registry
        self._make_app = make_app

    def routes(self) -> list[Route]:
        """Their paths; only the address of an app is told to everybody."""
        table = [
            ("GET", "/flysim/health", self.health),
            ("POST", "/flysim/tokens", self.issue_token),
            ("POST", "/flysim/apps", self.create_app),
            ("DELETE", "/flysim/apps/{app}/images/{reference}", self.delete_image),
            ("GET", "/flysim/calls", self.list_calls),
            ("GET", "/flysim/faults", self.list_faults),
            ("POST", "/flysim/faults", self.add_fault),
            ("DELETE", "/flysim/faults", self.clear_faults),
        ]
        guarded = [Route(path, self._guarded(handler), methods=[method]) for method, path, handler in table]
        return [*guarded, Route("/flysim/apps/{app}", self.show_app)]

    def _guarded(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            given = request.headers.get("authorization", "")
            if not hmac.compare_digest(given.encode(), f"Sim {self._world.secret}".encode()):
                return NoError(403, "this takes the sim's own secret").answer()
            try:
                return await handler(request)
            except NoError as refused:
                return refused.answer()
            except (ValueError, TypeError, KeyError) as error:
                return NoError(400, f"{type(error).__name__}: {error}").answer()

        return guarded

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"ok": True, "id": self._world.id, "folder": str(self._world.folder)})

    async def show_app(self, request: Request) -> Response:
        app = self._world.apps.get(request.path_params["app"])
        if not app:
            return NoError(404, "no such app").answer()
        return JSONResponse({"name": app.name, "url": f"http://{app.hostname}"})

    async def issue_token(self, request: Request) -> Response:
        asked = parsed(await request.body())
        seconds = asked.get("expires_in_seconds")
        token = Token(
            rights=asked["rights"],
            organization=asked["organization"],
            app=asked.get("app") or "",
            expires_at=None if seconds is None else time.time() + seconds,
            bytes_left=asked.get("expires_after_bytes"),
        )
        issued = self._world.issue(token, macaroon=bool(asked.get("macaroon")))
        self._world.save()
        return JSONResponse({"token": issued})

    async def create_app(self, request: Request) -> Response:
        asked = parsed(await request.body())
        if asked["name"] not in self._world.apps:
            await self._make_app(asked["name"], asked["organization"])
        return JSONResponse({"name": asked["name"]})

    async def delete_image(self, request: Request) -> Response:
        await self._registry.delete(request.path_params["app"], request.path_params["reference"])
        return JSONResponse({"ok": True})

    async def list_calls(self, request: Request) -> Response:
        calls = self._calls.since(int(request.query_params.get("after", "0")))
        return JSONResponse({"calls": [dataclasses.asdict(call) for call in calls]})

    async def list_faults(self, _request: Request) -> Response:
        return JSONResponse({"faults": self._faults.listed()})

    async def add_fault(self, request: Request) -> Response:
        fault = faults_.from_json(parsed(await request.body()))
        number = self._faults.add(fault)
        if fault.effect == "stale_list":
            apps = self._world.apps.values()
            self._flaps.stale[number] = {app.name: [machine.shown() for machine in app.alive] for app in apps}
        return JSONResponse({"number": number})

    async def clear_faults(self, _request: Request) -> Response:
        self._faults.clear()
        return JSONResponse({"ok": True})
