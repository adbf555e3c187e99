"""One port on 127.0.0.1 on which an ASGI application is served, and the power to cut its connections."""

import asyncio
import contextlib
import socket
from typing import Any

import uvicorn

from code_insight_deploy.flysim.sim import NoSim

BACKLOG = 256


class Listener:
    """A port and what is served there."""

    def __init__(self, app: Any, port: int = 0) -> None:
        # Named as TCP, so that asyncio sends each answer's parts at once (TCP_NODELAY): else each waits 40 ms.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", port))
        except OSError as error:
            self._socket.close()
            raise NoSim(
                f"port {port}, at which this sim was before, cannot be had: {error.strerror}",
                "End what listens there; or `make local-stop`, and begin anew at another port.",
            ) from error
        self.port = int(self._socket.getsockname()[1])
        config = uvicorn.Config(
            app,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=1,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            ws="none",
        )
        self._server = uvicorn.Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve until `stop`."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0.002)

    async def stop(self) -> None:
        """Answer what can be answered within a second, cut the rest."""
        self._server.should_exit = True
        if self._task:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        self._socket.close()

    def cut(self, client: tuple[str, int]) -> None:
        """Reset the connection that comes from that address."""
        for connection in list(self._server.server_state.connections):
            if getattr(connection, "client", None) == tuple(client):
                connection.transport.abort()
