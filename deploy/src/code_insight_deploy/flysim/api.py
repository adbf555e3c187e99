"""What flyctl asks outside the Machines API: GraphQL (/graphql) and its REST neighbour (/api/v1)."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    StringValueNode,
    build_schema,
    graphql,
    parse,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from code_insight_deploy.flysim import releases
from code_insight_deploy.flysim.answers import Handler, NoError, allow, app_of, body_of, guarded, token_of
from code_insight_deploy.flysim.gate import parsed
from code_insight_deploy.flysim.registry import Registry
from code_insight_deploy.flysim.world import App, Json, Machine, Token, World, digest_of, ulid

LOCK_SECONDS = 600
DEFAULT_RELEASES = 25
Info = GraphQLResolveInfo[Any]


class Api:
    """The endpoints."""

    def __init__(
        self,
        world: World,
        registry: Registry,
        changed: Callable[[], None],
        make_app: Callable[[str, str], Awaitable[App]],
    ) -> None:
        self._world = world
        self._registry = registry
        self._changed = changed
        self._make_app = make_app
        self._schema: GraphQLSchema = build_schema(Path(__file__).with_name("schema.graphql").read_text("utf-8"))
        _tell_viewers_apart(self._schema)

    def routes(self) -> list[Route]:
        """Each endpoint under the name by which faults and the log of calls know it."""
        table: list[tuple[str, str, str, Handler]] = [
            ("POST", "/graphql", "graphql", self.answer_graphql),
            ("GET", "/api/v1/organizations", "uiex_organizations", self.list_organizations),
            ("GET", "/api/v1/organizations/{slug}", "uiex_organization", self.get_organization),
            ("POST", "/api/v1/builds", "uiex_create_build", self.create_build),
            ("POST", "/api/v1/builds/finish", "uiex_finish_build", self.finish_build),
            ("POST", "/api/v1/releases", "uiex_create_release", self.create_release),
            ("GET", "/api/v1/releases/all_current", "uiex_current_releases", self.list_current_releases),
            ("PATCH", "/api/v1/releases/{release}", "uiex_update_release", self.update_release),
            ("GET", "/api/v1/apps/{app}/releases", "uiex_releases", self.list_releases),
            ("GET", "/api/v1/apps/{app}/releases/current", "uiex_current_release", self.get_current_release),
            ("GET", "/api/v1/apps/{app}/logs", "uiex_logs", self.get_logs),
        ]
        return [Route(path, guarded(handler), methods=[method], name=name) for method, path, name, handler in table]

    # -- GraphQL -----------------------------------------------------------------------------------------------------

    def know(self, body: bytes) -> tuple[str, str, bool]:
        """graphql:<its fields>, the app that it names, and whether it is a mutation."""
        try:
            asked = parsed(body)
            operation = _operation(str(asked.get("query") or ""))
        except (ValueError, GraphQLError):
            return "graphql:?", "", False
        fields = [node for node in operation.selection_set.selections if isinstance(node, FieldNode)]
        literals = [given.value for node in fields for given in node.arguments or ()]
        texts = {value.value for value in literals if isinstance(value, StringValueNode)} | set(
            _texts(asked.get("variables"))
        )
        app = next((app.name for app in self._world.apps.values() if {app.name, app.id} & texts), "")
        name = "graphql:" + "+".join(node.name.value for node in fields)
        return name, app, operation.operation is OperationType.MUTATION

    async def answer_graphql(self, request: Request) -> Response:
        try:
            token = token_of(self._world, request.headers.get("authorization", ""))
            asked = parsed(await request.body())
        except NoError as refused:
            return JSONResponse({"errors": [{"message": str(refused)}]}, status_code=refused.status)
        except ValueError as error:
            return JSONResponse({"errors": [{"message": f"invalid JSON: {error}"}]}, status_code=400)
        result: ExecutionResult = await graphql(
            self._schema,
            str(asked.get("query") or ""),
            root_value=self._root(token),
            variable_values=asked.get("variables") or {},
            operation_name=asked.get("operationName") or None,
        )
        return JSONResponse(result.formatted)

    def _root(self, token: Token) -> Json:
        """What a query or a mutation may begin with."""

        def field(function: Callable[..., Any]) -> Callable[..., Any]:
            def resolve(_info: Info, **given: Any) -> Any:
                try:
                    return function(**given)
                except NoError as refused:
                    raise _as_graphql(refused) from refused

            return resolve

        return {
            "app": field(lambda **given: self._app(token, str(given.get("name") or given.get("internalId") or ""))),
            "apps": field(lambda **given: self._apps(token, given)),
            "organization": field(lambda **given: self._organization(token, given)),
            "organizations": field(lambda **_: _page([self._organization(token, {"slug": token.organization})])),
            "personalOrganization": field(lambda: self._organization(token, {"slug": "personal"})),
            "viewer": {"id": token.name, "email": f"{token.name}@tokens.fly.io", "name": token.name},
            "latestImageDetails": field(_latest_image),
            "canPerformBluegreenDeployment": field(lambda **given: bool(self._allowed(token, given["name"]))),
            "appNameAvailable": field(lambda name: name not in self._world.apps),
            "createApp": field(lambda **given: self._create_app(token, given["input"])),
            "createRelease": field(lambda **given: self._create_release(token, given["input"])),
            "updateRelease": field(lambda **given: self._update_release(token, given["input"])),
            "lockApp": field(lambda **given: self._lock(token, given["input"])),
            "unlockApp": field(lambda **given: self._unlock(token, given["input"])),
        }

    def _allowed(self, token: Token, name: str, *, changes: bool = False) -> App:
        app = next((app for app in self._world.apps.values() if name in {app.name, app.id, str(app.number)}), None)
        if not app or app.organization != token.organization:
            raise NoError(404, f'Could not find App "{name}"')
        allow(token, changes=changes, app=app)
        return app

    def _app(self, token: Token, name: str) -> Json:
        return self._shown(token, self._allowed(token, name))

    def _apps(self, token: Token, given: Json) -> Json:
        allow(token, changes=False)
        apps = [
            app
            for app in self._world.apps.values()
            if app.organization == token.organization and token.app in {"", app.name}
        ]
        organization = self._world.organizations[token.organization]
        if given.get("organizationId") not in {None, organization["id"]}:
            apps = []
        return _page([self._shown(token, app) for app in apps], given)

    def _organization(self, token: Token, given: Json) -> Json:
        allow(token, changes=False)
        wanted = {given.get("slug"), given.get("name"), given.get("id")} - {None}
        for organization in self._world.organizations.values():
            if wanted & {organization["slug"], organization["name"], organization["id"]}:
                if organization["slug"] != token.organization:
                    break
                return {
                    **organization,
                    "internalNumericId": str(organization["number"]),
                    "rawSlug": organization["slug"],
                    "paidPlan": False,
                    "billable": True,
                    "viewerRole": "admin",
                    "limitedAccessTokens": {"nodes": []},
                }
        raise NoError(404, "Could not find Organization")

    def _shown(self, token: Token, app: App) -> Json:
        async def image(_info: Info, ref: str) -> Json | None:
            found = await self._registry.describe(ref, app.organization)
            if not found:
                return None
            size = found["size"]
            sizes = {"compressedSize": min(size, 2**31 - 1), "compressedSizeFull": str(size)}
            return {"id": f"img_{found['digest'][7:19]}", "digest": found["digest"], "ref": ref, **sizes,
                    "manifest": found["manifest"]}  # fmt: skip

        def listed(_info: Info, **given: Any) -> Json:
            return _page([_shown_release(release) for release in app.releases], given)

        current = _shown_release(app.releases[0]) if app.releases else None
        return {
            "id": app.id,
            "internalNumericId": str(app.number),
            "name": app.name,
            "hostname": app.hostname,
            "cnameTarget": app.hostname,
            "deployed": bool(app.alive),
            "network": app.network,
            "status": app.status,
            "appUrl": f"http://{app.hostname}",
            "platformVersion": "machines",
            "version": len(app.releases),
            "createdAt": app.created_at,
            "config": {"definition": app.releases[0]["definition"] if app.releases else {}},
            "services": [_shown_service(service) for service in _services(app)],
            "imageDetails": app.alive[-1].image_ref if app.alive else None,
            "machines": {"nodes": [_shown_machine(app, machine) for machine in app.alive]},
            "limitedAccessTokens": {"nodes": []},
            "organization": lambda _info: self._organization(token, {"slug": app.organization}),
            "role": {"name": "app"},
            "secrets": [{"name": name, "digest": digest_of(value)[:16]} for name, value in app.secrets.items()],
            "ipAddresses": {"nodes": [_shown_ip(ip) for ip in app.ips if not ip["shared"]]},
            "sharedIpAddress": next((ip["ip"] for ip in app.ips if ip["shared"]), None),
            "egressIpAddresses": {"nodes": []},
            "image": image,
            "currentRelease": current,
            "currentReleaseUnprocessed": current,
            "releases": listed,
            "releasesUnprocessed": listed,
            "currentLock": _live_lock(app),
        }

    async def _create_app(self, token: Token, given: Json) -> Json:
        allow(token, changes=True)
        name = given.get("name") or f"app-{ulid().lower()[-8:]}"
        if name in self._world.apps:
            raise _as_graphql(NoError(422, "Validation failed: Name has already been taken"))
        return {"app": self._shown(token, await self._make_app(name, token.organization))}

    def _create_release(self, token: Token, given: Json) -> Json:
        app = self._allowed(token, given["appId"], changes=True)
        release = releases.create(app, token, given["image"], given["definition"], given["strategy"])
        self._changed()
        return {"release": _shown_release(release), "app": self._shown(token, app)}

    def _update_release(self, token: Token, given: Json) -> Json:
        app, release = releases.update(self._world, given["releaseId"], given["status"], given.get("metadata"))
        allow(token, changes=True, app=app)
        self._changed()
        return {"release": _shown_release(release)}

    def _lock(self, token: Token, given: Json) -> Json:
        app = self._allowed(token, given["appId"], changes=True)
        if _live_lock(app):
            raise NoError(409, "App is already locked")
        expiration = datetime.now(UTC) + timedelta(seconds=LOCK_SECONDS)
        app.lock = {"lockId": ulid().lower(), "expiration": expiration.isoformat()}
        self._changed()
        return app.lock

    def _unlock(self, token: Token, given: Json) -> Json:
        app = self._allowed(token, given["appId"], changes=True)
        held = _live_lock(app)
        if not held or held["lockId"] != given["lockId"]:
            raise NoError(404, "Could not find that lock")
        app.lock = None
        self._changed()
        return {"app": self._shown(token, app)}

    # -- /api/v1 -----------------------------------------------------------------------------------------------------

    async def get_organization(self, request: Request) -> Response:
        found = self._organization(self._token(request), {"slug": request.path_params["slug"]})
        return JSONResponse({"organization": _rest_organization(found)})

    async def list_organizations(self, request: Request) -> Response:
        token = self._token(request)
        found = self._organization(token, {"slug": token.organization})
        return JSONResponse({"organizations": [_rest_organization(found)]})

    async def create_build(self, request: Request) -> Response:
        self._named_app(request, await body_of(request))
        return JSONResponse({"id": self._world.next_number(), "status": "started", "wallclock_time_ms": 0})

    async def finish_build(self, request: Request) -> Response:
        asked = await body_of(request)
        self._named_app(request, asked)
        return JSONResponse({"id": asked.get("build_id"), "status": asked.get("status"), "wallclock_time_ms": 0})

    async def create_release(self, request: Request) -> Response:
        asked = await body_of(request)
        app = self._named_app(request, asked)
        strategy = str(asked.get("strategy") or "ROLLING")
        release = releases.create(app, self._token(request), str(asked.get("image")), asked.get("definition"), strategy)
        self._changed()
        return JSONResponse({"release": releases.shown(release)}, status_code=201)

    async def update_release(self, request: Request) -> Response:
        asked, token = await body_of(request), self._token(request)
        number, status = request.path_params["release"], str(asked.get("status"))
        app, release = releases.update(self._world, number, status, asked.get("metadata"))
        allow(token, changes=True, app=app)
        self._changed()
        return JSONResponse(releases.shown(release))

    async def list_releases(self, request: Request) -> Response:
        app = app_of(self._world, request)
        limit = request.query_params.get("limit", str(DEFAULT_RELEASES))
        listed = app.releases[: int(limit) if limit.isdigit() else DEFAULT_RELEASES]
        return JSONResponse({"releases": [releases.shown(release) for release in listed]})

    async def get_current_release(self, request: Request) -> Response:
        app = app_of(self._world, request)
        if not app.releases:
            raise NoError(404, "release not found")
        return JSONResponse(releases.shown(app.releases[0]))

    async def list_current_releases(self, request: Request) -> Response:
        token = self._token(request)
        allow(token, changes=False)
        apps = [app for app in self._world.apps.values() if app.organization == token.organization and app.releases]
        return JSONResponse({app.name: app.releases[0]["created_at"] for app in apps})

    async def get_logs(self, request: Request) -> Response:
        app_of(self._world, request)
        return JSONResponse({"data": [], "meta": {"next_token": ""}})

    def _token(self, request: Request) -> Token:
        return token_of(self._world, request.headers.get("authorization", ""))

    def _named_app(self, request: Request, asked: Json) -> App:
        token = self._token(request)
        app = self._world.apps.get(str(asked.get("app_name") or ""))
        if not app:
            raise NoError(404, f"app not found: {asked.get('app_name')}")
        allow(token, changes=True, app=app)
        return app


def _tell_viewers_apart(schema: GraphQLSchema) -> None:
    viewer: Any = schema.type_map["Viewer"]
    viewer.resolve_type = lambda *_: "User"


def _operation(query: str) -> OperationDefinitionNode:
    for node in parse(query).definitions:
        if isinstance(node, OperationDefinitionNode):
            return node
    raise ValueError("no operation")


def _texts(value: Any) -> list[str]:
    """Every text in a JSON value."""
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return [value] if isinstance(value, str) else []


def _page(nodes: list[Json], given: Json | None = None) -> Json:
    """A connection: the first `first` nodes after the cursor `after`."""
    asked = given or {}
    start = int(asked.get("after") or 0)
    first = asked.get("first")
    end = len(nodes) if first is None else start + int(first)
    more = {"hasNextPage": end < len(nodes), "endCursor": str(end)}
    return {"nodes": nodes[start:end], "pageInfo": more, "totalCount": len(nodes)}


def _shown_release(release: Json) -> Json:
    said = releases.shown(release)
    return {
        **said,
        "inProgress": said["in_progress"],
        "imageRef": said["image_ref"],
        "createdAt": said["created_at"],
        "deploymentStrategy": said["strategy"],
        "evaluationId": "",
        "user": {"id": release["user"], "email": said["user"], "name": release["user"]},
        "description": release["description"],
        "reason": release["reason"],
        "configDefinition": release["definition"],
    }


def _rest_organization(organization: Json) -> Json:
    return {
        "id": organization["id"],
        "internal_numeric_id": organization["number"],
        "slug": organization["slug"],
        "raw_slug": organization["slug"],
        "name": organization["name"],
        "personal": organization["type"] == "PERSONAL",
        "paid_plan": False,
        "billable": True,
        "billing_status": "CURRENT",
    }


def _latest_image(image: str, **_: Any) -> None:
    """Fly follows the versions of its own images alone, and no app here runs one."""
    raise NoError(404, f'Unknown repository "{image.partition(":")[0]}"')


def _services(app: App) -> list[Json]:
    """Those of the newest machine."""
    return list(app.alive[-1].config.get("services") or []) if app.alive else []


def _shown_service(service: Json) -> Json:
    ports = [{"port": int(port["port"]), "handlers": port.get("handlers") or []} for port in service.get("ports") or []]
    said = {"protocol": str(service.get("protocol") or "tcp").upper(), "internalPort": int(service["internal_port"])}
    return {**said, "description": "", "ports": ports}


def _shown_machine(app: App, machine: Machine) -> Json:
    return {
        "id": machine.id,
        "name": machine.name,
        "config": machine.config,
        "state": machine.state,
        "region": machine.region,
        "createdAt": machine.created_at,
        "app": {"name": app.name},
        "ips": {"nodes": [{"family": "v6", "kind": "privatenet", "ip": machine.private_ip, "maskSize": 112}]},
        "host": {"id": "flysim"},
    }


def _shown_ip(ip: Json) -> Json:
    kind = "v6" if ":" in ip["ip"] else "v4"
    return {
        "id": f"ip_{ip['ip']}",
        "address": ip["ip"],
        "type": kind,
        "region": ip["region"],
        "createdAt": ip["created_at"],
    }


def _live_lock(app: App) -> Json | None:
    lock = app.lock
    return lock if lock and datetime.fromisoformat(lock["expiration"]) > datetime.now(UTC) else None


def _as_graphql(refused: NoError) -> GraphQLError:
    codes = {401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND", 409: "CONFLICT", 422: "UNPROCESSABLE"}
    return GraphQLError(str(refused), extensions={"code": codes.get(refused.status, "UNKNOWN")})
