"""The Machines API, /v1/…: superfly/docs, api/machines/openapi.json, as far as a release touches it."""

import asyncio
import ipaddress
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from code_insight_deploy.flysim.answers import Handler, NoError, allow, app_of, body_of, guarded, machine_of, token_of
from code_insight_deploy.flysim.containers import Containers, seconds_of
from code_insight_deploy.flysim.lifecycle import SETTLED, Lifecycle
from code_insight_deploy.flysim.world import REGION, App, Json, Machine, Token, World, digest_of, now_text, ulid

NONCE = "fly-machine-lease-nonce"
CURSOR = "fly-next-cursor"
MOST_MACHINES = 1000
MOST_WAIT_SECONDS = 60
MOST_EVENTS = 50
DEFAULT_EVENTS = 20
NOTHING = Response(status_code=204)
WAITED_FOR = frozenset({"started", "stopped", "suspended", "destroyed", "failed", "settled"})
AUTOSTOP = {"off": False, "stop": True}
"""Told in the way of older clients, however they were said; only "suspend" is a text."""
IP_KINDS = frozenset({"v4", "v6", "shared_v4", "private_v6"})

Resolve = Callable[[str, str], Awaitable[Json]]
"""The text of `config.image`, and who may have it → image_ref. Raises NoError when there is no such image."""


class Flaps:
    """The endpoints."""

    def __init__(
        self,
        world: World,
        lifecycle: Lifecycle,
        containers: Containers,
        resolve: Resolve,
        make_app: Callable[[str, str], Awaitable[App]],
        drop_app: Callable[[App], Awaitable[None]],
    ) -> None:
        self._world = world
        self._lifecycle = lifecycle
        self._containers = containers
        self._resolve = resolve
        self._make_app = make_app
        self._drop_app = drop_app
        self.stale: dict[int, dict[str, list[Json]]] = {}
        """Number of a fault → what was to be listed when it was ordered, by app."""

    def routes(self) -> list[Route]:
        """Each endpoint under the name by which faults and the log of calls know it."""
        app, machine = "/v1/apps/{app}", "/v1/apps/{app}/machines/{machine}"
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/v1/apps", self.list_apps),
            ("POST", "/v1/apps", self.create_app),
            ("GET", app, self.get_app),
            ("DELETE", app, self.delete_app),
            ("POST", f"{app}/deploy_token", self.deploy_token),
            ("GET", f"{app}/ip_assignments", self.list_ips),
            ("POST", f"{app}/ip_assignments", self.assign_ip),
            ("DELETE", f"{app}/ip_assignments/{{ip}}", self.release_ip),
            ("GET", f"{app}/volumes", self.list_volumes),
            ("POST", f"{app}/volumes", self.create_volume),
            ("GET", f"{app}/volumes/{{volume}}", self.get_volume),
            ("DELETE", f"{app}/volumes/{{volume}}", self.delete_volume),
            ("GET", f"{app}/secrets", self.list_secrets),
            ("POST", f"{app}/secrets", self.update_secrets),
            ("GET", f"{app}/machines", self.list_machines),
            ("POST", f"{app}/machines", self.create_machine),
            ("GET", machine, self.get_machine),
            ("POST", machine, self.update_machine),
            ("DELETE", machine, self.delete_machine),
            ("POST", f"{machine}/start", self.start_machine),
            ("POST", f"{machine}/stop", self.stop_machine),
            ("POST", f"{machine}/restart", self.restart_machine),
            ("POST", f"{machine}/suspend", self.suspend_machine),
            ("POST", f"{machine}/cordon", self.cordon),
            ("POST", f"{machine}/uncordon", self.uncordon),
            ("GET", f"{machine}/wait", self.wait),
            ("GET", f"{machine}/events", self.list_events),
            ("GET", f"{machine}/versions", self.list_versions),
            ("GET", f"{machine}/ps", self.list_processes),
            ("GET", f"{machine}/lease", self.get_lease),
            ("POST", f"{machine}/lease", self.take_lease),
            ("DELETE", f"{machine}/lease", self.release_lease),
            ("GET", f"{machine}/metadata", self.get_metadata),
            ("PATCH", f"{machine}/metadata", self.update_metadata),
            ("PUT", f"{machine}/metadata", self.update_metadata),
            ("GET", f"{machine}/metadata/{{key}}", self.get_metadata_key),
            ("POST", f"{machine}/metadata/{{key}}", self.set_metadata_key),
            ("DELETE", f"{machine}/metadata/{{key}}", self.delete_metadata_key),
            ("GET", "/v1/tokens/current", self.current_token),
            ("POST", "/v1/tokens/authenticate", self.authenticate),
            ("POST", "/v1/tokens/authorize", self.authorize),
        ]
        return [
            Route(path, guarded(handler), methods=[method], name=handler.__name__) for method, path, handler in table
        ]

    # -- apps --------------------------------------------------------------------------------------------------------

    async def list_apps(self, request: Request) -> Response:
        token = self._token(request)
        slug = request.query_params.get("org_slug")
        if not slug:
            raise NoError(400, "org_slug is required")
        allow(token, changes=False, organization=slug)
        apps = [app for app in self._world.apps.values() if app.organization == slug and token.app in {"", app.name}]
        return JSONResponse({"apps": [self._shown(app) for app in apps], "total_apps": len(apps)})

    async def create_app(self, request: Request) -> Response:
        token, asked = self._token(request), await body_of(request)
        slug, name = str(asked.get("org_slug") or ""), str(asked.get("name") or "")
        if not slug:
            raise NoError(400, "org_slug is required")
        allow(token, changes=True, organization=slug)
        if token.app:
            raise NoError(403, "unauthorized: a token for one app cannot create another")
        if (
            not name
            or not all(sign.isascii() and (sign.isalnum() or sign == "-") for sign in name)
            or name.lower() != name
        ):
            raise NoError(422, "Validation failed: Name may only contain numbers, lowercase letters and dashes")
        key = str(asked.get("idempotency_key") or "")
        if key and any(app.key == key and app.name != name for app in self._world.apps.values()):
            raise NoError(422, "idempotency_key was used with another name")
        if app := self._world.apps.get(name):
            if not key or app.key != key:
                raise NoError(422, "Validation failed: Name has already been taken", kind="name_taken")
        else:
            app = await self._make_app(name, slug)
            app.key, app.network = key, str(asked.get("network") or "default")
            self._lifecycle.changed()
        return JSONResponse({"id": app.id, "created_at": int(_timestamp(app.created_at) * 1000)}, status_code=201)

    async def get_app(self, request: Request) -> Response:
        return JSONResponse(self._shown(app_of(self._world, request)))

    async def delete_app(self, request: Request) -> Response:
        await self._drop_app(app_of(self._world, request))
        return Response(status_code=202)

    def _shown(self, app: App) -> Json:
        organization = self._world.organizations[app.organization]
        return {
            "id": app.id,
            "internal_numeric_id": app.number,
            "name": app.name,
            "machine_count": len(app.alive),
            "volume_count": len(app.volumes),
            "network": app.network,
            "status": app.status,
            "organization": {
                "name": organization["name"],
                "slug": organization["slug"],
                "internal_numeric_id": organization["number"],
            },
        }

    async def deploy_token(self, request: Request) -> Response:
        app, asked = app_of(self._world, request), await body_of(request)
        expiry = seconds_of(asked.get("expiry"), 20 * 365 * 86400.0)
        token = Token("all", app.organization, app.name, expires_at=time.time() + expiry)
        issued = self._world.issue(token, macaroon=True)
        self._lifecycle.changed()
        return JSONResponse({"token": f"FlyV1 {issued}"})

    async def list_ips(self, request: Request) -> Response:
        return JSONResponse({"ips": app_of(self._world, request).ips})

    async def assign_ip(self, request: Request) -> Response:
        app, asked = app_of(self._world, request), await body_of(request)
        kind = asked.get("type")
        if kind not in IP_KINDS:
            raise NoError(400, f"invalid IP type {kind}")
        number = len(app.ips) + 1
        texts = {"v4": f"192.0.2.{number}", "shared_v4": "192.0.2.250"}
        ip = str(ipaddress.ip_address(texts.get(kind, f"2001:db8::{app.number:x}:{number:x}")))
        given = {"ip": ip, "shared": kind == "shared_v4", "region": "global", "created_at": now_text(), "egress": False}
        app.ips.append(given)
        self._lifecycle.changed()
        return JSONResponse(given)

    async def release_ip(self, request: Request) -> Response:
        app = app_of(self._world, request)
        app.ips = [given for given in app.ips if given["ip"] != request.path_params["ip"]]
        self._lifecycle.changed()
        return NOTHING

    # -- volumes, secrets --------------------------------------------------------------------------------------------

    async def list_volumes(self, request: Request) -> Response:
        return JSONResponse(list(app_of(self._world, request).volumes.values()))

    async def create_volume(self, request: Request) -> Response:
        app, asked = app_of(self._world, request), await body_of(request)
        if not asked.get("name"):
            raise NoError(400, "name is required")
        volume = {
            "id": f"vol_{secrets.token_hex(8)}",
            "name": asked["name"],
            "state": "created",
            "size_gb": int(asked.get("size_gb") or 3),
            "region": asked.get("region") or REGION,
            "zone": "flysim",
            "encrypted": bool(asked.get("encrypted", True)),
            "attached_machine_id": None,
            "attached_alloc_id": None,
            "created_at": now_text(),
            "host_status": "ok",
        }
        await asyncio.to_thread(self._containers.make_volume, str(volume["id"]))
        app.volumes[str(volume["id"])] = volume
        self._lifecycle.changed()
        return JSONResponse(volume)

    async def get_volume(self, request: Request) -> Response:
        return JSONResponse(self._volume(request)[1])

    async def delete_volume(self, request: Request) -> Response:
        app, volume = self._volume(request)
        if volume["attached_machine_id"]:
            raise NoError(412, f"failed_precondition: volume is attached to machine {volume['attached_machine_id']}")
        del app.volumes[volume["id"]]
        await asyncio.to_thread(self._containers.drop_volume, volume["id"])
        self._lifecycle.changed()
        return JSONResponse({**volume, "state": "destroyed"})

    def _volume(self, request: Request) -> tuple[App, Json]:
        app = app_of(self._world, request)
        volume = app.volumes.get(request.path_params["volume"])
        if not volume:
            raise NoError(404, "volume not found")
        return app, volume

    async def list_secrets(self, request: Request) -> Response:
        app = app_of(self._world, request)
        return JSONResponse({"secrets": _shown_secrets(app)})

    async def update_secrets(self, request: Request) -> Response:
        app, asked = app_of(self._world, request), await body_of(request)
        for name, value in (asked.get("values") or {}).items():
            if value is None:
                app.secrets.pop(name, None)
            else:
                app.secrets[name] = str(value)
        app.secrets_version += 1
        self._lifecycle.changed()
        return JSONResponse({"secrets": _shown_secrets(app), "version": app.secrets_version})

    # -- machines ----------------------------------------------------------------------------------------------------

    async def list_machines(self, request: Request) -> Response:
        app, asked = app_of(self._world, request), request.query_params
        leases = _yes(asked.get("include_leases"))
        machines = list(app.machines.values()) if _yes(asked.get("include_deleted")) else app.alive
        shown = [machine.shown(lease=leases) for machine in machines]
        for number, kept in self.stale.items():
            if number in request.scope.get("flysim.numbers", ()):
                shown = kept.get(app.name, [])
        return _page([machine for machine in shown if _is_asked_for(machine, request)], request)

    async def create_machine(self, request: Request) -> Response:
        app, asked = app_of(self._world, request), await body_of(request)
        image_ref = await self._checked(app, asked)
        machine = self._lifecycle.create(app, asked, image_ref, request.scope["flysim.effects"])
        said = machine.shown()
        if asked.get("lease_ttl"):
            machine.lease = self._new_lease(request, machine, int(asked["lease_ttl"]), "")
            said["nonce"] = machine.lease["nonce"]
        self._lifecycle.changed()
        return JSONResponse(said)

    async def get_machine(self, request: Request) -> Response:
        _, machine = machine_of(self._world, request)
        said = machine.shown(lease=_yes(request.query_params.get("include_leases")))
        asked = request.query_params.get("version")
        if asked and asked != machine.version:
            found = next((version for version in machine.versions if version["version"] == asked), None)
            if not found:
                raise NoError(404, "machine version not found")
            said.update(config=found["user_config"], version=asked, instance_id=asked, state="replaced")
        return JSONResponse(said)

    async def update_machine(self, request: Request) -> Response:
        app, machine = self._unleased(request)
        asked = await body_of(request)
        guard = asked.get("current_version")
        if guard and guard != machine.version:
            raise NoError(409, f"conflict: machine is at version {machine.version}, not {guard}")
        image_ref = await self._checked(app, asked)
        if guard and guard != machine.version:
            raise NoError(409, f"conflict: machine is at version {machine.version}, not {guard}")
        self._lifecycle.update(app, machine, asked, image_ref, request.scope["flysim.effects"])
        said = machine.shown()
        if asked.get("lease_ttl") and not machine.live_lease():
            machine.lease = self._new_lease(request, machine, int(asked["lease_ttl"]), "")
            said["nonce"] = machine.lease["nonce"]
        return JSONResponse(said)

    async def _checked(self, app: App, asked: Json) -> Json:
        """The image_ref of what is asked for, once all of it can be done."""
        config = asked.get("config")
        if not isinstance(config, dict) or not config.get("image"):
            raise NoError(400, "invalid_argument: config.image is required")
        for mount in config.get("mounts") or []:
            if mount.get("volume") not in app.volumes or not mount.get("path"):
                raise NoError(400, f"invalid_argument: volume {mount.get('volume')} not found")
        for service in config.get("services") or []:
            if service.get("autostop") in AUTOSTOP:
                service["autostop"] = AUTOSTOP[service["autostop"]]
        return await self._resolve(str(config["image"]), app.organization)

    async def delete_machine(self, request: Request) -> Response:
        app, machine = self._unleased(request)
        forced = _yes(request.query_params.get("force")) or _yes(request.query_params.get("kill"))
        if machine.state in {"started", "starting", "replacing"} and not forced:
            raise NoError(
                412, f"failed_precondition: unable to destroy machine, not currently stopped: {machine.state}"
            )
        self._lifecycle.destroy(app, machine)
        return JSONResponse({"ok": True})

    async def start_machine(self, request: Request) -> Response:
        app, machine = self._unleased(request)
        before = machine.state
        if before not in {"created", "stopped", "suspended", "failed", "started", "starting"}:
            raise NoError(412, f"failed_precondition: unable to start machine from current state: '{before}'")
        self._lifecycle.start(app, machine)
        return JSONResponse({"previous_state": before, "migrated": False, "new_host": ""})

    async def stop_machine(self, request: Request) -> Response:
        _, machine = self._unleased(request)
        asked = await body_of(request)
        timeout = asked.get("timeout")
        self._lifecycle.stop(machine, str(asked.get("signal") or ""), seconds_of(timeout, 5.0) if timeout else None)
        return JSONResponse({"ok": True})

    async def restart_machine(self, request: Request) -> Response:
        app, machine = self._unleased(request)
        timeout = request.query_params.get("timeout", "")
        seconds = float(timeout) if timeout.isdigit() else seconds_of(timeout, 5.0)
        self._lifecycle.restart(app, machine, request.query_params.get("signal", ""), seconds)
        return JSONResponse({"ok": True})

    async def suspend_machine(self, request: Request) -> Response:
        _, machine = self._unleased(request)
        if machine.state != "started":
            raise NoError(412, f"failed_precondition: unable to suspend machine from current state: '{machine.state}'")
        self._lifecycle.suspend(machine)
        return JSONResponse({"ok": True})

    async def cordon(self, request: Request) -> Response:
        return self._cordon(request, cordoned=True)

    async def uncordon(self, request: Request) -> Response:
        return self._cordon(request, cordoned=False)

    def _cordon(self, request: Request, *, cordoned: bool) -> Response:
        _, machine = self._unleased(request)
        machine.cordoned = cordoned
        self._lifecycle.changed()
        return JSONResponse({"ok": True})

    async def wait(self, request: Request) -> Response:
        _, machine = machine_of(self._world, request)
        asked = request.query_params
        states = {state for text in asked.getlist("state") or ["started"] for state in text.split(",")}
        version = asked.get("version") or asked.get("instance_id")
        timeout = asked.get("timeout", str(MOST_WAIT_SECONDS)).removesuffix("s")
        if not states <= WAITED_FOR or not timeout.isdigit() or int(timeout) > MOST_WAIT_SECONDS:
            raise NoError(400, "invalid_argument: state or timeout is not one that can be waited for")
        found = await self._lifecycle.wait(lambda: _has_come(machine, states, version), float(timeout))
        if not found:
            wanted = ", ".join(sorted(states))
            raise NoError(
                408, f"deadline_exceeded: machine failed to reach desired state, {wanted}, currently {machine.state}"
            )
        event = machine.events[0]["id"] if machine.events else ""
        return JSONResponse({"ok": True, "state": machine.state, "version": machine.version, "event_id": event})

    async def list_events(self, request: Request) -> Response:
        _, machine = machine_of(self._world, request)
        limit = request.query_params.get("limit", str(DEFAULT_EVENTS))
        if not limit.isdigit() or int(limit) > MOST_EVENTS:
            raise NoError(400, f"limit must be at most {MOST_EVENTS}")
        return JSONResponse(machine.events[: int(limit)])

    async def list_versions(self, request: Request) -> Response:
        _, machine = machine_of(self._world, request)
        return JSONResponse(machine.versions)

    async def list_processes(self, request: Request) -> Response:
        _, machine = machine_of(self._world, request)
        seen = self._lifecycle.seen.get(machine.id)
        if machine.state != "started" or not seen:
            raise NoError(412, f"failed_precondition: machine not running: {machine.state}")
        rows = await asyncio.to_thread(self._containers.processes, seen.id)
        sockets = [{"proto": "tcp", "address": f"0.0.0.0:{port}"} for port in seen.ports]
        return JSONResponse(
            [
                {"pid": int(pid), "rss": int(rss) * 1024, "command": args, "listen_sockets": sockets if first else []}
                for first, (pid, rss, args) in ((row is rows[0], row) for row in rows)
            ]
        )

    # -- leases ------------------------------------------------------------------------------------------------------

    async def get_lease(self, request: Request) -> Response:
        _, machine = machine_of(self._world, request)
        lease = machine.live_lease()
        if not lease:
            raise NoError(404, "lease not found")
        return JSONResponse({"status": "success", "data": {**lease, "nonce": ""}})

    async def take_lease(self, request: Request) -> Response:
        _, machine = self._unleased(request)
        asked = await body_of(request)
        ttl = int(request.query_params.get("ttl") or asked.get("ttl") or 30)
        held = machine.live_lease()
        if held:
            held["expires_at"] = int(time.time()) + ttl
        else:
            held = machine.lease = self._new_lease(request, machine, ttl, str(asked.get("description") or ""))
        self._lifecycle.changed()
        return JSONResponse({"status": "success", "data": held}, status_code=201)

    async def release_lease(self, request: Request) -> Response:
        _, machine = self._unleased(request)
        if not machine.live_lease():
            raise NoError(404, "lease not found")
        machine.lease = None
        self._lifecycle.changed()
        return JSONResponse({"ok": True})

    def _new_lease(self, request: Request, machine: Machine, ttl: int, description: str) -> Json:
        token = self._token(request)
        return {
            "nonce": ulid().lower(),
            "expires_at": int(time.time()) + ttl,
            "owner": f"{token.name}@tokens.fly.io",
            "description": description,
            "version": machine.version,
        }

    def _unleased(self, request: Request) -> tuple[App, Machine]:
        """The machine in the path, unless somebody else holds a lease on it."""
        app, machine = machine_of(self._world, request)
        if machine.state == "destroyed":
            raise NoError(404, "machine not found")
        lease = machine.live_lease()
        if lease and request.headers.get(NONCE) != lease["nonce"]:
            until = datetime.fromtimestamp(lease["expires_at"], UTC).isoformat()
            message = f"machine ID {machine.id} lease currently held by {lease['owner']}, expires at {until}"
            body = {"status": "error", "message": message, "error": message, "code": "lease_currently_held"}
            raise NoError(409, message, body=body)
        return app, machine

    # -- metadata ----------------------------------------------------------------------------------------------------

    async def get_metadata(self, request: Request) -> Response:
        _, machine = machine_of(self._world, request)
        return JSONResponse(machine.config.get("metadata") or {})

    async def update_metadata(self, request: Request) -> Response:
        _, machine = machine_of(self._world, request)
        asked = await body_of(request)
        if not isinstance(asked.get("metadata"), dict):
            raise NoError(400, "metadata is required")
        if asked.get("machine_version") and asked["machine_version"] != machine.version:
            raise NoError(412, f"machine version mismatch: it is {machine.version}")
        self._set_metadata(machine, asked["metadata"])
        return NOTHING

    async def get_metadata_key(self, request: Request) -> Response:
        _, machine = machine_of(self._world, request)
        value = (machine.config.get("metadata") or {}).get(request.path_params["key"])
        if value is None:
            raise NoError(404, "metadata key not found")
        return JSONResponse({"value": value})

    async def set_metadata_key(self, request: Request) -> Response:
        _, machine = machine_of(self._world, request)
        asked = await body_of(request)
        self._set_metadata(machine, {request.path_params["key"]: asked.get("value")})
        return NOTHING

    async def delete_metadata_key(self, request: Request) -> Response:
        _, machine = machine_of(self._world, request)
        self._set_metadata(machine, {request.path_params["key"]: None})
        return NOTHING

    def _set_metadata(self, machine: Machine, given: Json) -> None:
        """Keys that are null or empty go; the version stays, and so does what `versions` says of it."""
        kept = {**(machine.config.get("metadata") or {}), **given}
        metadata = {key: str(value) for key, value in kept.items() if value not in {None, ""}}
        machine.config = {**machine.config, "metadata": metadata}
        self._lifecycle.changed()

    # -- tokens ------------------------------------------------------------------------------------------------------

    async def current_token(self, request: Request) -> Response:
        token = self._token(request)
        organization = self._world.organizations[token.organization]
        said = {
            "token_id": token.name,
            "org_slug": token.organization,
            "organization": organization["name"],
            "apps": [token.app] if token.app else None,
            "user": f"{token.name}@tokens.fly.io",
        }
        return JSONResponse({"tokens": [said]})

    async def authenticate(self, request: Request) -> Response:
        asked = await body_of(request)
        token_of(self._world, str(asked.get("header") or ""))
        return JSONResponse([{"header": asked["header"]}])

    async def authorize(self, request: Request) -> Response:
        asked = await body_of(request)
        access = asked.get("access") or {}
        token = token_of(self._world, str(asked.get("header") or request.headers.get("authorization", "")))
        changes = bool(set(str(access.get("action") or "r")) - {"r"})
        app = self._world.apps.get(str(access.get("app_name") or ""))
        if access.get("app_name") and not app:
            raise NoError(404, f"app not found: {access['app_name']}")
        allow(token, changes=changes, app=app, organization=str(access.get("org_slug") or ""))
        return JSONResponse({"access": access, "verified_token": {"header": asked.get("header") or ""}})

    def _token(self, request: Request) -> Token:
        return token_of(self._world, request.headers.get("authorization", ""))


def _yes(text: str | None) -> bool:
    return (text or "").lower() in {"true", "1"}


def _timestamp(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _shown_secrets(app: App) -> list[Json]:
    return [{"name": name, "digest": digest_of(value)[:16]} for name, value in sorted(app.secrets.items())]


def _page(machines: list[Json], request: Request) -> Response:
    """As many as are asked for, from where the page before has ended; all when nobody says how many."""
    limit, cursor = request.query_params.get("limit"), request.query_params.get("cursor", "0")
    if limit is None:
        return JSONResponse(machines)
    if not limit.isdigit() or not 1 <= int(limit) <= MOST_MACHINES or not cursor.isdigit():
        raise NoError(400, f"limit must be between 1 and {MOST_MACHINES}, and cursor one that was given")
    end = int(cursor) + int(limit)
    headers = {CURSOR: str(end)} if end < len(machines) else {}
    return JSONResponse(machines[int(cursor) : end], headers=headers)


def _is_asked_for(machine: Json, request: Request) -> bool:
    """Whether the machine is one of those that the query asks for."""
    asked = request.query_params
    states = asked.get("state")
    metadata = machine["config"].get("metadata") or {}
    wanted = [(key.removeprefix("metadata."), value) for key, value in asked.items() if key.startswith("metadata.")]
    return (
        asked.get("region") in {None, machine["region"]}
        and (not states or machine["state"] in states.split(","))
        and all(metadata.get(key) == value for key, value in wanted)
    )


def _has_come(machine: Machine, states: set[str], version: str | None) -> bool:
    """Whether the machine is in one of the states; in that version, when one is named."""
    if version is not None and machine.version != version:
        return False
    return machine.state in states or ("settled" in states and machine.state in SETTLED)
