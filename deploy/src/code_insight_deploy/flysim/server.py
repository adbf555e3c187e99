"""A sim put together and served, in a thread with an event loop of its own."""

import asyncio
import contextlib
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import httpx2
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope

from code_insight_deploy.flysim.answers import READING
from code_insight_deploy.flysim.api import Api
from code_insight_deploy.flysim.containers import Containers
from code_insight_deploy.flysim.control import Control
from code_insight_deploy.flysim.edge import Edge
from code_insight_deploy.flysim.faults import ON_MACHINES, Fault, Faults
from code_insight_deploy.flysim.flaps import Flaps
from code_insight_deploy.flysim.gate import Calls, Gate, Known, whole_body
from code_insight_deploy.flysim.lifecycle import Lifecycle
from code_insight_deploy.flysim.listener import Listener
from code_insight_deploy.flysim.registry import Backend, Registry
from code_insight_deploy.flysim.sim import Sim
from code_insight_deploy.flysim.world import App, Machine, World, ulid

START_SECONDS = 60
MOST_BODY_BYTES = 4 * 2**20
QUESTIONS = frozenset({"authorize", "authenticate"})
FLYCTL = """\
#!/bin/sh
# Asks what flyctl asks; see docs/flysim.md.
exec '{python}' -P -c 'from code_insight_deploy.flysim.flyctl import main; raise SystemExit(main())' "$@"
"""


class Server:
    """All the parts of one sim. Made, started and stopped on one event loop."""

    def __init__(self, folder: Path, engine: docker.DockerClient, idle_seconds: float) -> None:
        self.world = World.load(folder)
        self._containers = Containers(engine, self.world.id)
        self._backend = Backend(folder, engine, self.world.id)
        self._registry = Registry(self.world, self._backend)
        self._lifecycle = Lifecycle(self.world, self._containers, self._pull, idle_seconds)
        self._faults, self._calls = Faults(), Calls()
        self._flaps = Flaps(
            self.world, self._lifecycle, self._containers, self._registry.resolve, self._make_app, self._drop_app
        )
        self._api = Api(self.world, self._registry, self._lifecycle.changed, self._make_app)
        control = Control(self.world, self._faults, self._calls, self._flaps, self._registry, self._make_app)
        self._routes: list[BaseRoute] = [*self._flaps.routes(), *self._api.routes()]
        self._gated = Starlette(routes=self._routes)
        self._control = Starlette(routes=control.routes())
        self._client = httpx2.AsyncClient(timeout=None, trust_env=False, limits=httpx2.Limits(max_connections=500))
        self._main: Listener | None = None
        self._edges: dict[str, Listener] = {}
        self._watch: asyncio.Task[None] | None = None

    # -- its life ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Everything answers; what ran before runs again."""
        await asyncio.to_thread(self._backend.start)
        self._main = Listener(self._dispatch, self.world.port)
        self.world.port = self._main.port
        self.world.save()
        self._api_gate = Gate("api", self._gated, self._know, self._faults, self._calls, self._main.cut, self._told)
        self._registry_gate = Gate(
            "registry", self._registry, self._registry.know, self._faults, self._calls, self._main.cut, self._told
        )
        await self._main.start()
        for app in self.world.apps.values():
            await self._open(app)
        self._watch = asyncio.create_task(self._lifecycle.watch())

    async def stop(self) -> None:
        """Nothing answers any more; machines run on."""
        if self._watch:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        listeners = [*self._edges.values(), *([self._main] if self._main else [])]
        await asyncio.gather(*(listener.stop() for listener in listeners))
        await self._lifecycle.close()
        await self._client.aclose()
        await self._registry.close()
        await asyncio.to_thread(self._backend.stop)
        self.world.save()

    def remove(self) -> None:
        """Remove its containers, volumes and images from the engine."""
        self._containers.remove_all(self._registry.host)

    # -- what the parts need of each other ---------------------------------------------------------------------------

    async def _pull(self, reference: str) -> str:
        return await asyncio.to_thread(self._containers.pull, reference, self._registry.platform_secret)

    async def _make_app(self, name: str, organization: str) -> App:
        number = self.world.next_number()
        app = App(id=f"app{ulid().lower()}", name=name, organization=organization, number=number, port=0)
        await self._open(app)
        self.world.apps[name] = app
        self.world.save()
        return app

    async def _open(self, app: App) -> None:
        """Serve the app's own address, the same as before."""
        edge = Edge(self.world, self._lifecycle, self._client, app.name)
        gates: list[Gate] = []
        listener = Listener(lambda scope, receive, send: gates[0](scope, receive, send), app.port)
        gates.append(Gate("edge", edge, edge.know, self._faults, self._calls, listener.cut, self._told))
        app.port = listener.port
        self._edges[app.name] = listener
        await listener.start()

    async def _drop_app(self, app: App) -> None:
        for machine in app.alive:
            self._lifecycle.destroy(app, machine)
        del self.world.apps[app.name]
        await self._edges.pop(app.name).stop()
        for volume in app.volumes:
            await asyncio.to_thread(self._containers.drop_volume, volume)
        self._registry.forget(app.name)
        self.world.save()

    # -- one call ----------------------------------------------------------------------------------------------------

    async def _dispatch(self, scope: Scope, receive: Receive, send: object) -> None:
        path = scope["path"]
        if path.startswith("/flysim/"):
            await self._control(scope, receive, send)  # type: ignore[arg-type]
        elif path.startswith("/v2"):
            await self._registry_gate(scope, receive, send)  # type: ignore[arg-type]
        else:
            await self._api_gate(scope, receive, send)  # type: ignore[arg-type]

    async def _know(self, scope: Scope, receive: Receive) -> Known:
        body = await whole_body(receive, MOST_BODY_BYTES)
        if scope["path"] == "/graphql":
            operation, app, mutating = self._api.know(body)
            return Known(operation, app=app, mutating=mutating, body=body)
        for route in self._routes:
            match, found = route.matches(scope)
            if match is Match.FULL:
                name = str(getattr(route, "name", ""))
                parameters = found.get("path_params", {})
                mutating = scope["method"] not in READING and name not in QUESTIONS
                app, machine = parameters.get("app", ""), parameters.get("machine", "")
                return Known(name, app=app, machine=machine, mutating=mutating, body=body)
        return Known("unknown", mutating=scope["method"] not in READING, body=body)

    def _told(self, scope: Scope, known: Known, number: int, fault: Fault) -> None:
        """A fault that is not about the wire happens now, before the call."""
        scope.setdefault("flysim.numbers", []).append(number)
        if fault.effect == "expire_token":
            header = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
            if token := self.world.token(header):
                token.expires_at = time.time()
        machine = self.world.machine(known.machine)
        if machine and machine.state != "destroyed":
            self._befall(self.world.apps[machine.app], machine, known, fault)

    def _befall(self, app: App, machine: Machine, known: Known, fault: Fault) -> None:
        if fault.effect == "lease_held":
            machine.lease = {
                "nonce": ulid().lower(),
                "expires_at": int(time.time() + fault.seconds),
                "owner": fault.holder,
                "description": "ordered",
                "version": machine.version,
            }
        elif fault.effect == "destroy_machine":
            self._lifecycle.destroy(app, machine, "user")
        elif fault.effect == "replace_machine":
            self._lifecycle.replace_by_somebody(app, machine)
        elif fault.effect in ON_MACHINES and known.operation != "update_machine":
            self._lifecycle.trouble(machine, fault)


def write_flyctl(folder: Path) -> None:
    """The program that stands in for flyctl."""
    program = folder / "bin" / "flyctl"
    program.parent.mkdir(exist_ok=True)
    program.write_text(FLYCTL.format(python=sys.executable), "utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


class Thread:
    """A server in a thread of its own."""

    def __init__(self, folder: Path, engine: docker.DockerClient, idle_seconds: float) -> None:
        self._started = threading.Event()
        self._failed: BaseException | None = None
        self._folder = folder
        self._engine = engine
        self._idle_seconds = idle_seconds
        self._thread = threading.Thread(target=self._run, name="flysim", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self.server: Server | None = None

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failed = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = Server(self._folder, self._engine, self._idle_seconds)
        try:
            await server.start()
            self.server = server
            self._started.set()
            await self._end.wait()
        finally:
            await server.stop()

    def start(self) -> Sim:
        """Once it answers. Raises what kept it from that."""
        self._thread.start()
        self._started.wait(START_SECONDS)
        if self._failed or not self.server:
            self._thread.join(START_SECONDS)
            raise self._failed or TimeoutError("the sim did not start in time")
        world = self.server.world
        return Sim(folder=self._folder, host=f"127.0.0.1:{world.port}", secret=world.secret)

    def stop(self, *, remove: bool) -> None:
        """Once nothing of it answers; with `remove`, once nothing of it is left in the engine."""
        if self._loop and self._end:
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(START_SECONDS)
        if remove and self.server:
            self.server.remove()


@contextlib.contextmanager
def running(folder: Path, engine: docker.DockerClient, *, idle_seconds: float, remove: bool) -> Iterator[Sim]:
    """See `flysim.running`."""
    thread = Thread(folder, engine, idle_seconds)
    sim = thread.start()
    try:
        write_flyctl(folder)
        yield sim
    finally:
        thread.stop(remove=remove)
