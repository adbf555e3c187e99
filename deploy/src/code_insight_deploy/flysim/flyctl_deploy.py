"""`flyctl deploy --image`: which calls it makes, in which order, and when it is content."""

import argparse
import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from code_insight_deploy.flysim import tomls
from code_insight_deploy.flysim.flyctl import LEASE_SECONDS, VERSION, DeadlineError, Fly, FlyctlError, RefusedError

SMOKE_SECONDS = 1.0
"""flyctl looks for 10 s, and is content when nothing bad was seen; nobody need wait that long here."""
POLL_SECONDS = 0.25
REFRESH_SECONDS = 4.0
NEW_LEASE_SECONDS = 300
MOST_WAIT_SECONDS = 60
PATCH_TRIES = 3
SETTLE_SECONDS = 0.5
"""flyctl lets 10 s pass between the steps of a blue-green deployment."""
IMAGE = """query ($appName: String!, $imageRef: String!) { app(name: $appName) { id image(ref: $imageRef) {
  id digest ref compressedSize: compressedSizeFull manifest } } }"""
EGRESS = "query ($appName: String!) { app(name: $appName) { egressIpAddresses { nodes { id address } } } }"
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

Json = dict[str, Any]


@dataclass(slots=True)
class Deployment:
    """One deployment under way."""

    fly: Fly
    app: str
    toml: Json
    image: str
    wait_seconds: float
    release: Json = field(default_factory=dict)

    def machines(self, method: str, path: str, body: Any = None, nonce: str = "") -> Any:
        """A call under the app's path."""
        return self.fly.machines(method, f"/apps/{self.app}{path}", body, nonce)

    def config(self, mounts: list[Json], more: Mapping[str, str]) -> Json:
        """What every machine is to have, and more metadata."""
        metadata = {
            "fly_platform_version": "v2",
            "fly_process_group": "app",
            "fly_release_id": str(self.release["id"]),
            "fly_release_version": str(self.release["version"]),
            "fly_flyctl_version": VERSION,
            **more,
        }
        return tomls.machine_config(self.toml, self.image, mounts, metadata)

    @property
    def region(self) -> str:
        """Where new machines and volumes are made."""
        return str(self.toml.get("primary_region") or "")


def deploy(options: argparse.Namespace, fly: Fly, app: str) -> None:
    """Bring an image to the app's machines, as flyctl would."""
    toml = tomls.load(Path(options.config))
    strategy = options.strategy or (toml.get("deploy") or {}).get("strategy") or "rolling"
    _refuse_what_is_not_known(options, toml, strategy)
    deployment = Deployment(fly, app, toml, "", _seconds(options.wait_timeout))
    found = fly.machines("GET", f"/apps/{app}")
    fly.rest("GET", f"/organizations/{found['organization']['slug']}")
    build = _begin_build(deployment)
    deployment.image = _resolve(deployment, options.image)
    print(f"==> Verifying app config\n--> Verified app config\nimage: {deployment.image}", flush=True)
    _finish_build(deployment, build)
    existing = _existing(deployment)
    if not existing and tomls.services_of(toml):
        _assign_addresses(deployment)
    _begin_release(deployment, strategy, build)
    _deploy_and_tell(deployment, strategy, existing, ha=options.ha not in {"false", "0"})


def _deploy_and_tell(deployment: Deployment, strategy: str, existing: list[Json], *, ha: bool) -> None:
    """Change machines, and write into the release's row what came of it."""
    try:
        if not existing:
            for number in range(2 if ha and tomls.services_of(deployment.toml) else 1):
                _create(deployment, first=number == 0)
        else:
            {"immediate": _immediately, "bluegreen": _blue_green, "canary": _canary}.get(strategy, _rolling)(
                deployment, existing
            )
    except BaseException as error:
        status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        with contextlib.suppress(FlyctlError):
            _patch_release(deployment, status)
        raise
    _patch_release(deployment, "complete")
    print(f"\nVisit your newly deployed app at https://{deployment.app}.fly.dev/")
    if os.environ.get("FLY_EMIT_RELEASE_JSON"):
        row = {"id": deployment.release["id"], "version": deployment.release["version"], "image_ref": deployment.image}
        print(json.dumps(row), flush=True)


def _refuse_what_is_not_known(options: argparse.Namespace, toml: Json, strategy: str) -> None:
    if not options.image and not (toml.get("build") or {}).get("image"):
        raise FlyctlError("flysim: this stand-in builds nothing; name an image with --image")
    if options.local_only or not options.remote_only:
        # flyctl would tag the image anew and push it itself, so that the reference and its digest are lost.
        raise FlyctlError("flysim: this stand-in knows --remote-only alone")
    if (toml.get("deploy") or {}).get("release_command"):
        raise FlyctlError("flysim: this stand-in knows no release_command")
    if strategy not in {"rolling", "immediate", "bluegreen", "canary"}:
        raise FlyctlError(f"unsupported deployment strategy: {strategy}")


# -- before machines are touched -------------------------------------------------------------------------------------


def _begin_build(deployment: Deployment) -> int:
    """The number of a build that builds nothing; 0 when Fly gives none, which does not matter."""
    asked = {"app_name": deployment.app, "strategies_available": ["remote"], "machine_id": ""}
    try:
        return int(deployment.fly.rest("POST", "/builds", asked)["id"])
    except FlyctlError as error:
        print(f"WARN failed to create build in graphql: {error}")
        return 0


def _resolve(deployment: Deployment, reference: str) -> str:
    """The reference as it was given: of what GraphQL says of the image, flyctl keeps the tag and drops the digest."""
    reference = reference or deployment.toml["build"]["image"]
    found = deployment.fly.graphql(IMAGE, appName=deployment.app, imageRef=reference)["app"]["image"]
    if not found:
        raise FlyctlError(f'failed to fetch an image or build from source: Could not find image "{reference}"')
    return str(found["ref"])


def _finish_build(deployment: Deployment, build: int) -> None:
    with contextlib.suppress(FlyctlError):
        asked = {"build_id": build, "app_name": deployment.app, "status": "completed", "machine_id": ""}
        deployment.fly.rest("POST", "/builds/finish", asked)


def _existing(deployment: Deployment) -> list[Json]:
    """The machines that it deploys to; asked for once more when there are none."""
    for _ in range(2):
        listed = deployment.machines("GET", "/machines")
        if found := [m for m in listed if (m["config"].get("metadata") or {}).get("fly_platform_version") == "v2"]:
            return found
    return []


def _assign_addresses(deployment: Deployment) -> None:
    if not deployment.machines("GET", "/ip_assignments")["ips"]:
        for kind in ("shared_v4", "v6"):
            deployment.machines("POST", "/ip_assignments", {"type": kind})


def _begin_release(deployment: Deployment, strategy: str, build: int) -> None:
    asked = {
        "app_name": deployment.app,
        "build_id": build,
        "definition": deployment.toml,
        "image": deployment.image,
        "strategy": strategy.upper(),
    }
    deployment.release = deployment.fly.rest("POST", "/releases", asked)["release"]
    with contextlib.suppress(FlyctlError):
        deployment.fly.graphql(EGRESS, appName=deployment.app)
    _patch_release(deployment, "running")


def _patch_release(deployment: Deployment, status: str) -> None:
    for left in reversed(range(PATCH_TRIES)):
        try:
            asked = {"status": status, "metadata": {}}
            deployment.fly.rest("PATCH", f"/releases/{deployment.release['id']}", asked)
        except FlyctlError as error:
            if not left:
                raise FlyctlError(f"failed to set final release status: {error}") from error
        else:
            return


# -- machines --------------------------------------------------------------------------------------------------------


def _create(deployment: Deployment, *, first: bool, cordoned: bool = False, **metadata: str) -> Json:
    """A machine that was not there before, once it is found to be good."""
    print(f"Creating {'a new' if first else 'another'} machine", flush=True)
    asked = {
        "config": deployment.config(_volumes(deployment), metadata),
        "region": deployment.region,
        "skip_launch": False,
        "skip_service_registration": cordoned,
        "lease_ttl": NEW_LEASE_SECONDS,
    }
    machine: Json = deployment.machines("POST", "/machines", asked)
    try:
        _smoke(deployment, machine)
        _wait(deployment, machine, "started")
        _until_healthy(deployment, machine)
        _processes(deployment, machine)
    finally:
        deployment.machines("DELETE", f"/machines/{machine['id']}/lease", nonce=machine["nonce"])
    return machine


def _volumes(deployment: Deployment) -> list[Json]:
    """A volume for each mount: one that nobody has, else a new one."""
    wanted = tomls.mounts_of(deployment.toml)
    free = deployment.machines("GET", "/volumes") if wanted else []
    mounts = []
    for mount in wanted:
        found = [v for v in free if v["name"] == mount["source"] and not v["attached_machine_id"]]
        volume = found[0] if found else deployment.machines("POST", "/volumes", _new_volume(deployment, mount))
        mounts.append({"volume": volume["id"], "path": mount["destination"], "name": mount["source"]})
    return mounts


def _new_volume(deployment: Deployment, mount: Json) -> Json:
    size = tomls.megabytes(mount.get("initial_size", "1gb")) // 1024 or 1
    return {"name": mount["source"], "region": deployment.region, "size_gb": size}


def _rolling(deployment: Deployment, existing: list[Json]) -> None:
    """One after the other; the first failure ends it, and those before it stay in the new version."""
    for machine in existing:
        _update(deployment, machine)


def _immediately(deployment: Deployment, existing: list[Json]) -> None:
    for machine in existing:
        _update(deployment, machine, look=False)


def _canary(deployment: Deployment, existing: list[Json]) -> None:
    canary = _create(deployment, first=True, cordoned=True, fly_canary="true")
    deployment.machines("DELETE", f"/machines/{canary['id']}?kill=true")
    _rolling(deployment, existing)


def _update(deployment: Deployment, machine: Json, *, look: bool = True) -> None:
    """A new version for a machine, which keeps what others have put into its metadata (superfly/flyctl,
    internal/appconfig/machines.go). One that is stopped is not started, and nothing is looked at.
    """
    asleep = machine["state"] in {"stopped", "suspended", "created"}
    mounts, metadata = machine["config"].get("mounts") or [], machine["config"].get("metadata") or {}
    kept = {key: value for key, value in metadata.items() if not key.startswith("fly_")}
    print(f"Updating machine {machine['id']}{' [skip launch]' if asleep else ''}", flush=True)
    with _leased(deployment, machine) as nonce:
        asked = {
            "config": deployment.config(mounts, kept),
            "name": machine["name"],
            "region": machine["region"],
            "skip_launch": asleep,
        }
        try:
            deployment.machines("POST", f"/machines/{machine['id']}", asked, nonce)
        except RefusedError as error:
            raise FlyctlError(f"failed to update machine {machine['id']}: {error}") from error
        if look and not asleep:
            _wait(deployment, machine, "started")
            _smoke(deployment, machine)
            _until_healthy(deployment, machine)
            _processes(deployment, machine)


@contextlib.contextmanager
def _leased(deployment: Deployment, machine: Json) -> Iterator[str]:
    """The nonce of a lease that is refreshed for as long as it is needed. One that somebody else holds is an error."""
    path = f"/machines/{machine['id']}/lease"
    try:
        nonce = str(deployment.machines("POST", f"{path}?ttl={LEASE_SECONDS}")["data"]["nonce"])
    except RefusedError as error:
        raise FlyctlError(f"failed to acquire lease: failed to get lease on VM {machine['id']}: {error}") from error
    done = threading.Event()

    def refresh() -> None:
        while not done.wait(REFRESH_SECONDS):
            with contextlib.suppress(FlyctlError):
                deployment.machines("POST", f"{path}?ttl={LEASE_SECONDS}", nonce=nonce)

    thread = threading.Thread(target=refresh, daemon=True)
    thread.start()
    try:
        yield nonce
    finally:
        done.set()
        thread.join()
        with contextlib.suppress(FlyctlError):
            deployment.machines("DELETE", path, nonce=nonce)


def _wait(deployment: Deployment, machine: Json, state: str) -> None:
    """Until it is in that state, in whichever version: a machine that Fly took back to its old one will do."""
    deadline = time.monotonic() + deployment.wait_seconds
    while True:
        left = min(MOST_WAIT_SECONDS, int(deadline - time.monotonic()))
        if left < 1:
            raise DeadlineError(f"timeout reached waiting for machine {machine['id']} to become {state}")
        version = f"&instance_id={machine['instance_id']}" if state == "stopped" else ""
        try:
            deployment.machines("GET", f"/machines/{machine['id']}/wait?state={state}&timeout={left}{version}")
        except RefusedError as error:
            if error.status != 408:
                raise FlyctlError(f"failed to wait for VM {machine['id']} in {state} state: {error}") from error
        else:
            return


def _smoke(deployment: Deployment, machine: Json) -> None:
    """Look for a crash for a while; not to have seen one is enough."""
    deadline = time.monotonic() + SMOKE_SECONDS
    while time.monotonic() < deadline:
        events = deployment.machines("GET", f"/machines/{machine['id']}")["events"]
        exits = [event["request"] for event in events if event["type"] == "exit" and event.get("request")]
        if exits and exits[0]["restart_count"] > 1 and exits[0]["exit_event"]["exit_code"] != 0:
            raise FlyctlError(f"smoke checks for {machine['id']} failed: the app appears to be crashing")
        time.sleep(POLL_SECONDS)


def _until_healthy(deployment: Deployment, machine: Json) -> None:
    """Until all checks pass; at once when there are none."""
    deadline = time.monotonic() + deployment.wait_seconds
    while True:
        checks = deployment.machines("GET", f"/machines/{machine['id']}").get("checks") or []
        if all(check["status"] == "passing" for check in checks):
            return
        if time.monotonic() > deadline:
            raise DeadlineError(f"timeout reached waiting for health checks to pass for machine {machine['id']}")
        time.sleep(POLL_SECONDS)


def _processes(deployment: Deployment, machine: Json) -> None:
    """Only for a warning about the address on which the app listens."""
    with contextlib.suppress(FlyctlError):
        deployment.machines("GET", f"/machines/{machine['id']}/ps")


def _blue_green(deployment: Deployment, blue: list[Json]) -> None:
    """New machines beside the old ones; when all are well, the one set for the other."""
    _refuse_blue_green(deployment, blue)
    green: list[Json] = []
    try:
        for _ in blue:
            green.append(_create_green(deployment))  # noqa: PERF401  # what was made before a failure is to be known
    except BaseException:
        _destroy(deployment, green)
        raise
    for machine in green:
        deployment.machines("POST", f"/machines/{machine['id']}/uncordon")
    for machine in blue:
        path = f"/machines/{machine['id']}/metadata/fly_bluegreen_deployment_tag"
        deployment.machines("POST", path, {"value": "safe_to_destroy"})
    time.sleep(SETTLE_SECONDS)
    for machine in blue:
        deployment.machines("POST", f"/machines/{machine['id']}/cordon")
    time.sleep(SETTLE_SECONDS)
    for machine in blue:
        if machine["state"] == "started":
            deployment.machines("POST", f"/machines/{machine['id']}/stop")
            _wait(deployment, machine, "stopped")
        deployment.machines("DELETE", f"/machines/{machine['id']}?kill=true")


def _refuse_blue_green(deployment: Deployment, blue: list[Json]) -> None:
    able = "query ($name: String!) { canPerformBluegreenDeployment(name: $name) }"
    deployment.fly.graphql(able, name=deployment.app)
    checks = [check for service in tomls.services_of(deployment.toml) for check in service["checks"]]
    if not checks and not deployment.toml.get("checks"):
        raise FlyctlError("bluegreen deployments require at least one health check")
    if tomls.mounts_of(deployment.toml):
        raise FlyctlError("bluegreen deployments are not supported for apps with volumes")
    # The digest has no say in this: two machines with one tag pass for the same image.
    images = {f"{machine['image_ref']['repository']}:{machine['image_ref']['tag']}" for machine in blue}
    if len(images) > 1:
        raise FlyctlError("found multiple image versions; cannot do a bluegreen deployment")


def _destroy(deployment: Deployment, machines: list[Json]) -> None:
    for machine in machines:
        with contextlib.suppress(FlyctlError):
            deployment.machines("DELETE", f"/machines/{machine['id']}?kill=true")


def _create_green(deployment: Deployment) -> Json:
    tag = str(int(time.time()))
    asked = {
        "config": deployment.config([], {"fly_bluegreen_deployment_tag": tag}),
        "region": deployment.region,
        "skip_service_registration": True,
    }
    machine: Json = deployment.machines("POST", "/machines", asked)
    try:
        _wait(deployment, machine, "started")
        _until_healthy(deployment, machine)
    except BaseException:
        _destroy(deployment, [machine])
        raise
    return machine


def _seconds(duration: str) -> float:
    """5m, 90s, 1m30s; a number is seconds."""
    if duration.isdigit():
        return float(duration)
    total, number = 0.0, ""
    rest = duration
    while rest:
        digits = len(rest) - len(rest.lstrip("0123456789."))
        number, rest = rest[:digits], rest[digits:]
        unit = "ms" if rest.startswith("ms") else rest[:1]
        if not number or unit not in UNITS:
            raise FlyctlError(f'invalid duration "{duration}"')
        total, rest = total + float(number) * UNITS[unit], rest[len(unit) :]
    return total
