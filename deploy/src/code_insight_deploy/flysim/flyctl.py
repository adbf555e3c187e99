"""A stand-in for flyctl: the commands that a release uses, the calls that flyctl makes, and what flyctl believes.

superfly/flyctl ad0172fa is the model, its gaps included: `deploy` passes the reference on as it was given, never
starts a stopped machine, waits without a version, is content where no check is configured, and leaves mixed versions
behind when it fails. docs/flysim.md names each of them. Standard library only, because it is started often.
"""

import argparse
import contextlib
import http.client
import json
import os
import sys
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code_insight_deploy.flysim import tomls

VERSION = "0.0.0-flysim"
ANSWER_SECONDS = 120
LEASE_SECONDS = 13
ERROR, DEADLINE, CANCELLED = 1, 126, 127
MACAROONS = ("fm1r_", "fm1a_", "fm2_")
RELEASES = """query ($appName: String!, $limit: Int!) { app(name: $appName) {
  releases: releasesUnprocessed(first: $limit) { nodes {
  id version description reason status imageRef stable user { id email name } createdAt } } } }"""
APP = """query ($name: String!) { appcompact: app(name: $name) { id internalNumericId name hostname cnameTarget deployed
  network status appUrl platformVersion organization { id internalNumericId slug paidPlan }
  postgresAppRole: role { name } } }"""
APPS = """query ($after: String) { apps(type: "container", first: 200, after: $after) {
  pageInfo { hasNextPage endCursor } nodes { id name deployed hostname platformVersion network
  organization { slug name } currentRelease { createdAt status } status } } }"""
LATEST_IMAGE = """query ($image: String!, $flyVersion: String) {
  latestImageDetails(image: $image, flyVersion: $flyVersion) { registry repository tag version digest } }"""
ORGANIZATIONS = """query { organizations(admin: false) { nodes { id slug rawSlug name type paidPlan billable viewerRole
  internalNumericId } } }"""

Json = dict[str, Any]


class FlyctlError(Exception):
    """What flyctl prints after `Error:`."""

    exit_code = ERROR


class DeadlineError(FlyctlError):
    """Something did not come in time."""

    exit_code = DEADLINE


class RefusedError(FlyctlError):
    """The platform answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Fly:
    """The platform, as the environment names it."""

    api: str
    flaps: str
    uiex: str
    registry: str
    token: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Fly":
        """Raises FlyctlError when there is no token."""
        token = environment.get("FLY_API_TOKEN") or environment.get("FLY_ACCESS_TOKEN") or ""
        token = token.strip().removeprefix("FlyV1 ").removeprefix("Bearer ")
        if not token:
            raise FlyctlError("no access token available. Please login with 'flyctl auth login'")
        return cls(
            api=environment.get("FLY_API_BASE_URL", "https://api.fly.io"),
            flaps=environment.get("FLY_FLAPS_BASE_URL", "https://api.machines.dev"),
            uiex=environment.get("FLY_UIEX_BASE_URL", "https://api.fly.io"),
            registry=environment.get("FLY_REGISTRY_HOST", "registry.fly.io"),
            token=token,
        )

    @property
    def authorization(self) -> str:
        """Macaroons are sent as FlyV1, all other tokens as Bearer."""
        return f"{'FlyV1' if self.token.startswith(MACAROONS) else 'Bearer'} {self.token}"

    def machines(self, method: str, path: str, body: Any = None, nonce: str = "") -> Any:
        """A call of the Machines API. Raises RefusedError."""
        headers = {"Authorization": self.authorization}
        return _call(
            self.flaps, method, f"/v1{path}", body, headers | ({"fly-machine-lease-nonce": nonce} if nonce else {})
        )

    def rest(self, method: str, path: str, body: Any = None) -> Any:
        """A call of /api/v1, which is always sent a Bearer token. Raises RefusedError."""
        return _call(self.uiex, method, f"/api/v1{path}", body, {"Authorization": f"Bearer {self.token}"})

    def graphql(self, query: str, **variables: Any) -> Json:
        """The data of a query. Raises RefusedError with the first error."""
        asked = {"query": query, "variables": variables}
        said = _call(self.api, "POST", "/graphql", asked, {"Authorization": self.authorization})
        if errors := said.get("errors"):
            raise RefusedError(http.client.OK, str(errors[0]["message"]))
        data: Json = said["data"]
        return data


def _call(base: str, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
    address = urllib.parse.urlsplit(base)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.netloc, timeout=ANSWER_SECONDS)
    content = None if body is None else json.dumps(body)
    try:
        connection.request(
            method, address.path.rstrip("/") + path, content, {"Content-Type": "application/json", **headers}
        )
        answer = connection.getresponse()
        text = answer.read()
    except TimeoutError as error:
        raise DeadlineError(f"{method} {path}: context deadline exceeded") from error
    except (OSError, http.client.HTTPException) as error:
        raise FlyctlError(f"{method} {path}: {error or type(error).__name__}") from error
    finally:
        connection.close()
    return _answered(answer.status, text, f"{method} {path}")


def _answered(status: int, text: bytes, what: str) -> Any:
    try:
        said = json.loads(text) if text.strip() else {}
    except ValueError:
        said = {}
    if status < http.client.BAD_REQUEST:
        return said
    errors = said.get("errors") if isinstance(said, dict) else None
    message = errors[0]["message"] if errors else said.get("error") or said.get("message") or "unknown error"
    raise RefusedError(status, f"{message} (status {status}, {what})")


# -- commands --------------------------------------------------------------------------------------------------------


def show_version(options: argparse.Namespace, _fly: Callable[[], Fly]) -> None:
    if options.json:
        _print_json({"Name": "flyctl", "Version": VERSION, "Commit": "flysim", "OS": "linux", "Architecture": "amd64"})
    else:
        print(f"flyctl v{VERSION} linux/amd64 Commit: flysim")


def show_token(options: argparse.Namespace, fly: Callable[[], Fly]) -> None:
    token = fly().token
    _print_json({"token": token}) if options.json else print(token)


def show_user(options: argparse.Namespace, fly: Callable[[], Fly]) -> None:
    viewer = fly().graphql("query { viewer { ... on User { email } ... on Macaroon { email } } }")["viewer"]
    _print_json({"email": viewer["email"]}) if options.json else print(viewer["email"])


def create_app(options: argparse.Namespace, fly: Callable[[], Fly]) -> None:
    """organizations → POST /v1/apps → GET until it is there → GetApp."""
    platform, name = fly(), options.name or options.given_name
    organizations = platform.graphql(ORGANIZATIONS)["organizations"]["nodes"]
    personal = [found for found in organizations if found["type"] == "PERSONAL"]
    slug = options.org or (personal[0]["slug"] if len(personal) == 1 else "")
    if not slug:
        raise FlyctlError("org slug must be specified when not running interactively")
    asked = {"name": name, "org_slug": slug, "network": options.network or "", "app_role_id": ""}
    platform.machines("POST", "/apps?wait=true", asked)
    platform.machines("GET", f"/apps/{name}")
    if options.json:
        _print_json(_as_app(platform.graphql(APP, name=name)["appcompact"]))
    else:
        print(f"New app created: {name}")


def list_apps(options: argparse.Namespace, fly: Callable[[], Fly]) -> None:
    platform = fly()
    apps: list[Json] = []
    after = None
    while True:
        page = platform.graphql(APPS, after=after)["apps"]
        apps += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    if options.json:
        _print_json([_as_app(app) for app in apps])
    else:
        for app in apps:
            print(f"{app['name']}\t{app['organization']['slug']}\t{app['status']}")


def destroy_app(options: argparse.Namespace, fly: Callable[[], Fly]) -> None:
    if not options.yes:
        raise FlyctlError("yes flag must be specified when not running interactively")
    fly().machines("DELETE", f"/apps/{options.name_of_app}")
    print(f"Destroyed app {options.name_of_app}")


def show_status(options: argparse.Namespace, fly: Callable[[], Fly]) -> None:
    platform, name = fly(), _app_name(options)
    app = platform.graphql(APP, name=name)["appcompact"]
    machines = platform.machines("GET", f"/apps/{name}/machines")
    query = (
        "query ($appName: String!) { app(name: $appName) { currentRelease: currentReleaseUnprocessed { version } } }"
    )
    current = platform.graphql(query, appName=name)["app"]["currentRelease"]
    shown = [machine for machine in machines if _metadata(machine).get("fly_platform_version") == "v2"]
    if not options.json:
        print(f"App\n  Name     = {app['name']}\n  Hostname = {app['hostname']}\n")
        for machine in shown:
            print(f"{machine['id']}\t{machine['state']}\t{machine['region']}\t{machine['image_ref']['digest'][:19]}")
        return
    _print_json({**_as_app(app), "Version": current["version"] if current else 0, "Machines": shown})


def list_releases(options: argparse.Namespace, fly: Callable[[], Fly]) -> None:
    name = _app_name(options)
    found = fly().graphql(RELEASES, appName=name, limit=25)["app"]["releases"]["nodes"]
    rows = [
        {
            "ID": release["id"],
            "Version": release["version"],
            "Stable": release["stable"],
            "Status": release["status"],
            "Description": release["description"],
            "Reason": release["reason"],
            "User": {"ID": release["user"]["id"], "Email": release["user"]["email"], "Name": release["user"]["name"]},
            "CreatedAt": release["createdAt"],
            "ImageRef": release["imageRef"] if options.image else "",
        }
        for release in found
    ]
    if options.json:
        _print_json(rows)
        return
    for row in rows:
        print(f"v{row['Version']}\t{row['Status']}\t{row['Description']}\t{row['CreatedAt']}\t{row['ImageRef']}")


def list_machines(options: argparse.Namespace, fly: Callable[[], Fly]) -> None:
    machines = fly().machines("GET", f"/apps/{_app_name(options)}/machines")
    if options.json:
        _print_json(machines)
        return
    for machine in machines:
        print(f"{machine['id']}\t{machine['name']}\t{machine['state']}\t{machine['region']}")


def list_checks(options: argparse.Namespace, fly: Callable[[], Fly]) -> None:
    machines = fly().machines("GET", f"/apps/{_app_name(options)}/machines")
    if options.json:
        _print_json({machine["id"]: machine["checks"] for machine in machines})
        return
    for machine in machines:
        for check in machine["checks"]:
            print(f"{check['name']}\t{check['status']}\t{machine['id']}\t{check['updated_at']}")


def destroy_machines(options: argparse.Namespace, fly: Callable[[], Fly]) -> None:
    """GET each → a lease on each → one after the other, which has to be stopped unless it is forced."""
    platform, name = fly(), _app_name(options)
    machines = [platform.machines("GET", f"/apps/{name}/machines/{number}") for number in options.ids]
    paths = [f"/apps/{name}/machines/{machine['id']}" for machine in machines]
    nonces = [platform.machines("POST", f"{path}/lease?ttl={LEASE_SECONDS}")["data"]["nonce"] for path in paths]
    try:
        for machine, path, nonce in zip(machines, paths, nonces, strict=True):
            platform.graphql(APP, name=name)
            state = machine["state"]
            if state not in {"stopped", "suspended"} and not options.force:
                raise FlyctlError(f"machine {machine['id']} currently {state}, either stop first or use --force flag")
            print(f"machine {machine['id']} was found and is currently in {state} state, attempting to destroy...")
            platform.machines("DELETE", f"{path}?kill={str(options.force).lower()}", nonce=nonce)
            print(f"{machine['id']} has been destroyed")
    finally:
        for path, nonce in zip(paths, nonces, strict=True):
            with contextlib.suppress(FlyctlError):
                platform.machines("DELETE", f"{path}/lease", nonce=nonce)


def show_image(options: argparse.Namespace, fly: Callable[[], Fly]) -> None:
    """Whether there is a newer version is asked for each machine; of an image that is no one else's, nobody knows."""
    platform, name = fly(), _app_name(options)
    platform.graphql(APP, name=name)
    rows = []
    for machine in platform.machines("GET", f"/apps/{name}/machines"):
        image = machine["image_ref"]
        with contextlib.suppress(RefusedError):
            platform.graphql(LATEST_IMAGE, image=f"{image['repository']}:{image['tag']}", flyVersion="")
        rows.append(
            {
                "MachineID": machine["id"],
                "Registry": image["registry"],
                "Repository": image["repository"],
                "Tag": image["tag"],
                "Version": "N/A",
                "Digest": image["digest"],
                "Labels": "",
            }
        )
    _print_json(rows)


def validate_config(options: argparse.Namespace, _fly: Callable[[], Fly]) -> None:
    path = Path(options.config)
    print(f"Validating {path}")
    tomls.load(path)
    print("✓ Configuration is valid")


def deploy_app(options: argparse.Namespace, fly: Callable[[], Fly]) -> None:
    from code_insight_deploy.flysim import flyctl_deploy

    flyctl_deploy.deploy(options, fly(), _app_name(options))


def _app_name(options: argparse.Namespace) -> str:
    """--app, else FLY_APP, else what the file says."""
    name = options.app or os.environ.get("FLY_APP") or ""
    if not name and Path(options.config).exists():
        name = str(tomls.load(Path(options.config)).get("app") or "")
    if not name:
        raise FlyctlError("the config for your app is missing an app name, add an app field to the fly.toml file or specify with the -a flag")  # noqa: E501  # fmt: skip
    return name


def _metadata(machine: Json) -> Json:
    return machine["config"].get("metadata") or {}


def _as_app(app: Json) -> Json:
    """As Go prints a fly.App: the fields' own names."""
    organization = app.get("organization") or {}
    said = {
        "ID": app["id"],
        "Name": app["name"],
        "Deployed": app["deployed"],
        "Status": app["status"],
        "Hostname": app["hostname"],
        "AppURL": app.get("appUrl") or "",
        "PlatformVersion": app["platformVersion"],
        "Network": app.get("network") or "",
        "Organization": {
            "ID": organization.get("id", ""),
            "Slug": organization.get("slug", ""),
            "Name": organization.get("name", ""),
        },
    }
    if current := app.get("currentRelease"):
        said["CurrentRelease"] = {"Status": current["status"], "CreatedAt": current["createdAt"]}
    return said


def _print_json(said: Any) -> None:
    print(json.dumps(said, indent=4))


# -- the command line ------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--app", "-a", default="")
    common.add_argument("--config", "-c", default="fly.toml")
    common.add_argument("--json", "-j", action="store_true")
    common.add_argument("--yes", "-y", action="store_true")
    common.add_argument("--org", "-o", default="")
    parser = argparse.ArgumentParser(prog="flyctl")
    commands = parser.add_subparsers(dest="command", required=True)

    def add(group: Any, name: str, run: Callable[..., None], *aliases: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = group.add_parser(name, aliases=aliases, parents=[common])
        made.set_defaults(run=run)
        return made

    def group(name: str, *aliases: str) -> Any:
        return commands.add_parser(name, aliases=aliases).add_subparsers(dest="subcommand", required=True)

    add(commands, "version", show_version)
    auth, apps = group("auth"), group("apps", "app")
    add(auth, "token", show_token)
    add(auth, "whoami", show_user)
    create = add(apps, "create", create_app)
    create.add_argument("given_name", nargs="?", default="")
    create.add_argument("--name", default="")
    create.add_argument("--network", default="")
    add(apps, "list", list_apps, "ls")
    add(apps, "destroy", destroy_app).add_argument("name_of_app")
    add(commands, "status", show_status)
    add(commands, "releases", list_releases).add_argument("--image", action="store_true")
    machine = group("machine", "machines", "m")
    add(machine, "list", list_machines, "ls")
    destroy = add(machine, "destroy", destroy_machines, "remove", "rm")
    destroy.add_argument("ids", nargs="+")
    destroy.add_argument("--force", "-f", action="store_true")
    add(group("checks"), "list", list_checks)
    add(group("image"), "show", show_image)
    add(group("config"), "validate", validate_config).add_argument("--strict", "-s", action="store_true")
    deploy = add(commands, "deploy", deploy_app)
    deploy.add_argument("--image", "-i", default="")
    deploy.add_argument("--strategy", default="")
    deploy.add_argument("--wait-timeout", default="5m")
    deploy.add_argument("--lease-timeout", default="13s")
    deploy.add_argument("--release-command-timeout", default="5m")
    deploy.add_argument("--ha", nargs="?", const="true", default="true")
    deploy.add_argument("--region", "-r", default="")
    for flag in (
        "--remote-only",
        "--local-only",
        "--detach",
        "--update-only",
        "--smoke-checks",
        "--dns-checks",
        "--now",
    ):
        deploy.add_argument(flag, nargs="?", const="true", default="")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns flyctl's exit code: 0, 1 for any error, 126 too late, 127 cancelled."""
    try:
        options = _parser().parse_args(argv)
    except SystemExit as asked:
        return ERROR if asked.code else 0
    try:
        options.run(options, lambda: Fly.of(os.environ))
    except KeyboardInterrupt:
        print("Error: context canceled", file=sys.stderr)
        return CANCELLED
    except (FlyctlError, tomls.BadTomlError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return getattr(error, "exit_code", ERROR)
    return 0
