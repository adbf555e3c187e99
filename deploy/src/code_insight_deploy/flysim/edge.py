"""Fly's proxy: one address per app; requests go to machines that run and are well, and wake one when none does."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx2
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from code_insight_deploy.flysim.checks import is_routable
from code_insight_deploy.flysim.gate import Known
from code_insight_deploy.flysim.lifecycle import Lifecycle
from code_insight_deploy.flysim.registry import HOP_BY_HOP
from code_insight_deploy.flysim.world import REGION, App, Json, Machine, World, ulid

WAKE_SECONDS = 30.0
FORCE = "fly-force-instance-id"


class Edge:
    """The ASGI application at one app's address."""

    def __init__(self, world: World, lifecycle: Lifecycle, client: httpx2.AsyncClient, app: str) -> None:
        self._world = world
        self._lifecycle = lifecycle
        self._client = client
        self._app = app
        self._turn = 0

    async def know(self, scope: Scope, _receive: Receive) -> Known:
        """Every call is one to the app itself."""
        forced = dict(scope["headers"]).get(FORCE.encode(), b"").decode("latin-1")
        return Known("edge", app=self._app, machine=forced)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        app = self._world.apps[self._app]
        if not app.ips:
            nowhere = PlainTextResponse("On Fly this name would not resolve: the app has no address.", 502)
            await nowhere(scope, receive, send)
            return
        number = f"{ulid()}-{REGION}"
        forced = request.headers.get(FORCE)
        candidates = (
            _well([app.machines[forced]] if forced in app.machines else [], app) if forced else self._in_turn(app)
        )
        if not candidates and not forced:
            candidates = await self._wake(app)
        answer = await self._ask(request, app, candidates, number)
        answer.headers["fly-request-id"] = number
        await answer(scope, receive, send)

    def _in_turn(self, app: App) -> list[Machine]:
        """Those that may be asked, each time another one first."""
        found = _well(app.alive, app)
        self._turn += 1
        start = self._turn % len(found) if found else 0
        return found[start:] + found[:start]

    async def _wake(self, app: App) -> list[Machine]:
        """Start a machine that may be started for a request; returns it once it is well."""
        asleep = [machine for machine in app.alive if machine.state in {"stopped", "suspended"}]
        may = [machine for machine in asleep if not machine.cordoned and _service(machine).get("autostart")]
        starting = [
            machine for machine in app.alive if machine.state in {"starting", "started"} and not machine.cordoned
        ]
        if not may and not starting:
            return []
        if not starting:
            self._lifecycle.start(app, may[0])
        waited_for = starting or may[:1]
        for machine in waited_for:
            self._in_flight(machine, 1)  # who is waited for is not idle
        try:
            await self._lifecycle.wait(lambda: bool(_well(app.alive, app)), WAKE_SECONDS)
        finally:
            for machine in waited_for:
                self._in_flight(machine, -1)
        return _well(app.alive, app)

    async def _ask(self, request: Request, app: App, candidates: list[Machine], number: str) -> Response:
        for machine in candidates:
            seen = self._lifecycle.seen.get(machine.id)
            port = seen.ports.get(int(_service(machine)["internal_port"])) if seen else None
            if port:
                try:
                    return await self._forward(request, app, machine, port, number)
                except httpx2.ConnectError:
                    continue
                except httpx2.TransportError as error:
                    return PlainTextResponse(f"error from machine: {type(error).__name__}\n", status_code=502)
        return PlainTextResponse(
            "could not find a good candidate within 1 attempts at load balancing\n", status_code=503
        )

    async def _forward(self, request: Request, app: App, machine: Machine, port: int, number: str) -> Response:
        added = _added(request, app, number)
        ours = HOP_BY_HOP | {FORCE} | {name for name, _ in added}
        headers = [(key, value) for key, value in request.headers.items() if key not in ours] + added
        has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
        path = request.scope["raw_path"].decode("latin-1") + (f"?{request.url.query}" if request.url.query else "")
        asked = self._client.build_request(
            request.method,
            f"http://127.0.0.1:{port}{path}",
            headers=headers,
            content=request.stream() if has_body else None,
        )
        self._in_flight(machine, 1)
        try:
            answer = await self._client.send(asked, stream=True)
        except BaseException:
            self._in_flight(machine, -1)
            raise
        response = StreamingResponse(self._streamed(answer, machine), status_code=answer.status_code)
        response.raw_headers = [
            (key.lower(), value) for key, value in answer.headers.raw if key.lower().decode() not in HOP_BY_HOP
        ]
        response.headers["via"] = "1.1 fly.io"
        return response

    async def _streamed(self, answer: httpx2.Response, machine: Machine) -> AsyncIterator[bytes]:
        try:
            async for part in answer.aiter_raw():
                yield part
        finally:
            self._in_flight(machine, -1)
            await asyncio.shield(answer.aclose())

    def _in_flight(self, machine: Machine, more: int) -> None:
        self._lifecycle.in_flight[machine.id] = self._lifecycle.in_flight.get(machine.id, 0) + more
        self._lifecycle.used_at[machine.id] = time.monotonic()


def _service(machine: Machine) -> Json:
    """The first service of the machine, which is the one behind the app's address."""
    services: list[Json] = machine.config.get("services") or []
    return services[0] if services else {}


def _well(machines: list[Machine], _app: App) -> list[Machine]:
    """Those that run, are not cordoned, have a service, and pass its checks."""
    return [
        machine
        for machine in machines
        if machine.state == "started" and not machine.cordoned and _service(machine) and is_routable(machine)
    ]


def _added(request: Request, app: App, number: str) -> list[tuple[str, str]]:
    """fly.io/docs/networking/request-headers"""
    client = request.client.host if request.client else "127.0.0.1"
    before = request.headers.get("x-forwarded-for")
    return [
        ("fly-client-ip", client),
        ("fly-forwarded-port", str(app.port)),
        ("fly-region", REGION),
        ("fly-request-id", number),
        ("x-forwarded-for", f"{before}, {client}" if before else client),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", str(app.port)),
        ("via", "1.1 fly.io"),
    ]
