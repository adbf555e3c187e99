"""The Machines API of Fly: what an app is, and one change at a time (fly.io/docs/machines/api).

Reading is repeated while the platform is busy. A change is never repeated blindly: when its answer is lost, Ambiguous
is raised, and the caller reads what has become of it. Each change of one machine is paced as Fly's limits ask for.
"""

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from code_insight_deploy import calls
from code_insight_deploy.calls import Answer, NoAnswer
from code_insight_deploy.errors import Ambiguous, LeaseHeld, NameTaken, NoToken, PlanOvertaken, PlatformFailed
from code_insight_deploy.proofs import Check, Machine, Observed
from code_insight_deploy.targets import GET_A_TOKEN, Target, redacted

Json = dict[str, Any]
T = TypeVar("T")

NONCE = "fly-machine-lease-nonce"
CURSOR = "fly-next-cursor"
PAGE = 100
MOST_PAGES = 100
LONGEST_WAIT_SECONDS = 60
"""Of one call; the platform's own limit."""
FRESH_SECONDS = 30.0
"""For how long what was just created may still be unknown to other parts of the platform."""
FRESH_PAUSE_SECONDS = 0.5
LAG_SECONDS = 10.0
"""For how long a machine may be listed and not found."""
BURST, CHANGE_SECONDS = 3, 1.0
READ_BURST, READ_SECONDS = 10, 0.2
GONE = frozenset({"destroyed", "destroying", "replaced", "migrated"})
NOT_THE_APP = frozenset({"fly_app_release_command", "fly_app_console"})
"""Process groups of machines that come and go by themselves."""
LOOK = "Look with `status`, then start the same command again: it takes up from what it finds."
TRY_LATER = "Try again in a few minutes; https://status.flyio.net tells of disturbances."


@dataclass(frozen=True, slots=True)
class Volume:
    """A disk of an app, in one region, for one machine."""

    id: str
    name: str
    region: str
    size_gb: int
    machine: str
    """That has it; "" for none."""


@dataclass(frozen=True, slots=True)
class Release:
    """A row that the platform keeps of a deploy. It says what was asked for, and nothing of what runs."""

    version: int
    status: str
    reference: str
    """Of the image."""
    who: str
    at: str
    """ISO 8601"""


@dataclass(frozen=True, slots=True)
class Rights:
    """What a token may do to one app."""

    owner: str
    """What the platform says of the token: user or kind, with its organizations; "" when it says nothing."""
    may_read: bool
    may_change: bool
    may_push: bool


class Machines:
    """The Machines API with one target's token. Use it in a `with` statement."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._client = calls.client(target.machines_url, {"Authorization": target.token.authorization})
        self._pace = Pace()
        self._fresh: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    # What there is

    def observe(self, app: str) -> Observed:
        """The app with its machines, destroyed ones and those of one command left out; of one that does not exist,
        nothing. Raises NoToken when the token does not open it, PlatformFailed when the API does not answer.
        """
        found = self._app(app)
        if found is None:
            return Observed(app=app, organization="", machines=(), volumes=0, addresses=0)
        volumes, addresses = len(self.volumes(app)), len(self.addresses(app))
        return Observed(app, found, self._machines(app), volumes, addresses)

    def machine(self, app: str, machine: str) -> Machine | None:
        """The machine; None when there is none of that id, or it was destroyed."""
        found = self._machine(app, machine)
        return None if found is None or found.state in GONE else found

    def _machine(self, app: str, machine: str) -> Machine | None:
        """The machine, destroyed or not; None when it is not found."""
        answer = self._read(f"read machine {machine}", _machine_path(app, machine), fresh=_machine_path(app, machine))
        return None if answer.status == httpx2.codes.NOT_FOUND else _understood(answer, _machine)

    def volumes(self, app: str) -> tuple[Volume, ...]:
        """The app's volumes by id, without those that are being destroyed."""
        answer = self._read(f"list the volumes of {app}", f"{_app_path(app)}/volumes", fresh=_app_path(app))
        return tuple(sorted(_understood(answer, _volumes), key=lambda volume: volume.id))

    def addresses(self, app: str) -> tuple[str, ...]:
        """The public and private addresses at which the app is reached."""
        answer = self._read(f"list the addresses of {app}", f"{_app_path(app)}/ip_assignments")
        return _understood(answer, lambda said: tuple(str(ip["ip"]) for ip in said.get("ips") or ()))

    def organizations(self) -> tuple[str, ...]:
        """Slugs of the organizations that the token opens."""
        query = "query { organizations(admin: false) { nodes { slug } } }"
        return _understood(self._graphql("list the organizations", query), _organizations)

    def releases(self, app: str) -> tuple[Release, ...]:
        """The last 25 rows of the app's deploys, the newest first; none when there is no such app.

        Only flyctl writes them: fly.io/docs/flyctl/releases.
        """
        nodes = "nodes { version status imageRef createdAt user { email } }"
        query = (
            f"query($name: String!) {{ app(name: $name) {{ releases: releasesUnprocessed(first: 25) {{ {nodes} }} }} }}"
        )
        return _understood(self._graphql(f"list the releases of {app}", query, name=app), _releases)

    def _graphql(self, what: str, query: str, **variables: str) -> Answer:
        url = f"{self._target.api_url.rstrip('/')}/graphql"
        return self._asked(what, "POST", url, {"query": query, "variables": variables}, again=calls.read)

    def rights(self, app: str) -> Rights:
        """What the token may do to `app`, which need not exist. Raises NoToken when the platform does not know it."""
        images = {"app_name": app, "app_feature": "images", "action": "rw"}
        return Rights(
            owner=self.owner(),
            may_read=self._may({"app_name": app, "action": "r"}),
            may_change=self._may({"app_name": app, "action": "rwcd"}),
            may_push=self._may(images),
        )

    def owner(self) -> str:
        """What the platform says of the token. Raises NoToken when it does not know it."""
        return _understood(self._read("read the token's rights", "/v1/tokens/current"), _owner)

    def _may(self, access: Json) -> bool:
        asked = {"header": self._target.token.authorization, "access": access}
        answer = self._once_again("POST", "/v1/tokens/authorize", asked, calls.read)
        if answer.status < httpx2.codes.BAD_REQUEST:
            return True
        if answer.status in {httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN, httpx2.codes.NOT_FOUND}:
            return False
        raise _failed("ask for the token's rights", answer)

    def _app(self, app: str) -> str | None:
        answer = self._read(f"read app {app}", _app_path(app), fresh=_app_path(app))
        if answer.status == httpx2.codes.NOT_FOUND:
            return None
        return _understood(answer, lambda said: str(said["organization"]["slug"]))

    def _machines(self, app: str) -> tuple[Machine, ...]:
        """All of them. The list may lag behind: it is believed for which machines there are, and each is asked for what
        it is. Once more while one that was just created is missing in the list, or one of the list is not found.
        """
        until = time.monotonic() + LAG_SECONDS
        while True:
            listed = {_machine_path(app, machine.id): machine for machine in self._pages(app)}
            fresh = [path for path in self._fresh if path.startswith(f"{_app_path(app)}/") and self._is_fresh(path)]
            ids = sorted(machine.id for machine in listed.values() if machine.state not in GONE)
            found = [self._machine(app, id_) for id_ in ids]
            if None not in found and all(path in listed for path in fresh):
                return tuple(machine for machine in found if machine and machine.state not in GONE)
            if None in found and time.monotonic() > until:
                raise PlatformFailed(f"{app} has machine {ids[found.index(None)]}, which is not found", TRY_LATER)
            time.sleep(FRESH_PAUSE_SECONDS)

    def _pages(self, app: str) -> Iterator[Machine]:
        cursor = ""
        for _ in range(MOST_PAGES):
            query = {"limit": str(PAGE)} | ({"cursor": cursor} if cursor else {})
            answer = self._read(
                f"list the machines of {app}", f"{_app_path(app)}/machines", query, fresh=_app_path(app)
            )
            yield from _understood(answer, lambda said: [_machine(one) for one in said if not _comes_and_goes(one)])
            cursor = answer.headers.get(CURSOR, "")
            if not cursor:
                return
        raise PlatformFailed(f"the list of machines of {app} has more than {MOST_PAGES} pages", TRY_LATER)

    # What changes it

    def create_app(self, name: str, organization: str) -> None:
        """Make an app. Raises NameTaken with the way out when somebody has one of that name."""
        body = {"name": name, "org_slug": organization}
        try:
            answer = self._change("create app", name, "POST", "/v1/apps", body)
        except Ambiguous:
            if self._app(name) != organization:
                raise
            return
        if answer.status >= httpx2.codes.BAD_REQUEST:
            raise _not_created(name, organization, answer)
        self._fresh[_app_path(name)] = time.monotonic() + FRESH_SECONDS

    def create_volume(self, app: str, name: str, region: str, size_gb: int) -> str:
        """Make a volume; returns its id."""
        body = {"name": name, "region": region, "size_gb": size_gb, "encrypted": True}
        answer = self._done("create volume", app, "POST", f"{_app_path(app)}/volumes", body)
        return _understood(answer, lambda said: str(said["id"]))

    def add_address(self, app: str, kind: str) -> None:
        """Give the app an address: v6, v4, shared_v4 or private_v6."""
        self._done("add address", app, "POST", f"{_app_path(app)}/ip_assignments", {"type": kind})

    def create(
        self,
        app: str,
        config: Mapping[str, Any],
        region: str,
        *,
        name: str = "",
        skip_launch: bool = False,
        skip_service_registration: bool = False,
    ) -> Machine:
        """Make a machine, and start it unless told not to; without registration no user's request reaches it.

        A mount that names a volume without an id gets a free one of that name. Raises PlatformFailed when none is free.
        """
        body: Json = {
            "config": self._with_volumes(app, config, region),
            "region": region,
            "skip_launch": skip_launch,
            "skip_service_registration": skip_service_registration,
        }
        body |= {"name": name} if name else {}
        answer = self._done("create machine", app, "POST", f"{_app_path(app)}/machines", body)
        made = _understood(answer, _machine)
        self._fresh[_machine_path(app, made.id)] = time.monotonic() + FRESH_SECONDS
        return made

    def update(
        self, app: str, machine: str, config: Mapping[str, Any], *, current_version: str, nonce: str = ""
    ) -> Machine:
        """Give the machine another configuration, if it still has `current_version`; returns it with its new version.

        A machine that is stopped stays so. Raises PlanOvertaken when it has another version, is being replaced or is
        gone, LeaseHeld when somebody else holds its lease.
        """
        body = {"config": dict(config), "current_version": current_version}
        answer = self._done("update machine", machine, "POST", _machine_path(app, machine), body, nonce=nonce)
        return _understood(answer, _machine)

    def start(self, app: str, machine: str, *, nonce: str = "") -> None:
        """Start a machine that is stopped or suspended."""
        self._act("start", app, machine, nonce)

    def stop(self, app: str, machine: str, *, nonce: str = "") -> None:
        """Stop a machine."""
        self._act("stop", app, machine, nonce)

    def cordon(self, app: str, machine: str, *, nonce: str = "") -> None:
        """Send no more requests of users to a machine."""
        self._act("cordon", app, machine, nonce)

    def uncordon(self, app: str, machine: str, *, nonce: str = "") -> None:
        """Send requests of users to a machine again."""
        self._act("uncordon", app, machine, nonce)

    def destroy(self, app: str, machine: str, *, nonce: str = "") -> None:
        """Remove a machine, running or not. One that is gone already is what was asked for."""
        self._fresh.pop(_machine_path(app, machine), None)
        with contextlib.suppress(PlanOvertaken):
            path = f"{_machine_path(app, machine)}?force=true"
            self._done("destroy machine", machine, "DELETE", path, nonce=nonce)

    def _act(self, verb: str, app: str, machine: str, nonce: str) -> None:
        self._done(f"{verb} machine", machine, "POST", f"{_machine_path(app, machine)}/{verb}", {}, nonce=nonce)

    def _with_volumes(self, app: str, config: Mapping[str, Any], region: str) -> Json:
        mounts = config.get("mounts") or []
        if all(mount.get("volume") for mount in mounts):
            return dict(config)
        free = [volume for volume in self.volumes(app) if volume.region == region and not volume.machine]
        return {**config, "mounts": [mount if mount.get("volume") else _mounted(mount, free, app) for mount in mounts]}

    # Waiting, leases, metadata

    def wait(
        self, app: str, machine: str, *, version: str, state: str = "started", seconds: float = LONGEST_WAIT_SECONDS
    ) -> bool:
        """Whether `version` of the machine came to `state` within `seconds`. Raises PlanOvertaken when it is gone."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            limit = max(1, min(LONGEST_WAIT_SECONDS, round(left)))
            query = {"version": version, "state": state, "timeout": str(limit)}
            path = f"{_machine_path(app, machine)}/wait"
            answer = self._read(
                f"wait for machine {machine}", path, query, fresh=_machine_path(app, machine), seconds=limit
            )
            if answer.status < httpx2.codes.BAD_REQUEST:
                return True
            if answer.status == httpx2.codes.NOT_FOUND:
                raise PlanOvertaken(f"machine {machine} of {app} is gone", LOOK)
        return False

    @contextlib.contextmanager
    def lease(self, app: str, machine: str, *, seconds: int, description: str) -> Iterator[str]:
        """Hold the lease on a machine, renewed until the end of the `with` statement; gives the nonce for changes.

        Raises LeaseHeld, naming the holder, when somebody else has it.
        """
        path = f"{_machine_path(app, machine)}/lease"
        asked = {"ttl": seconds, "description": description}
        nonce = _understood(self._done("lease machine", machine, "POST", path, asked), _nonce)
        over = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(path, asked, nonce, over), daemon=True)
        renewing.start()
        try:
            yield nonce
        finally:
            over.set()
            renewing.join()
            with contextlib.suppress(Ambiguous, PlanOvertaken, LeaseHeld, PlatformFailed, NoToken):  # it ends by itself
                self._done("release lease", machine, "DELETE", path, nonce=nonce)

    def _renew(self, path: str, asked: Json, nonce: str, over: threading.Event) -> None:
        while not over.wait(asked["ttl"] / 3):
            with contextlib.suppress(NoAnswer):
                self._once_again("POST", path, asked, calls.change, nonce=nonce)

    def metadata(self, app: str, machine: str) -> Mapping[str, str]:
        """The machine's metadata. Raises PlanOvertaken when it is gone."""
        answer = self._read(
            f"read machine {machine}", f"{_machine_path(app, machine)}/metadata", fresh=_machine_path(app, machine)
        )
        if answer.status == httpx2.codes.NOT_FOUND:
            raise PlanOvertaken(f"machine {machine} of {app} is gone", LOOK)
        return _understood(answer, lambda said: {str(key): str(value) for key, value in (said or {}).items()})

    def set_metadata(self, app: str, machine: str, key: str, value: str) -> None:
        """Set one key of the machine's metadata; its version stays."""
        path = f"{_machine_path(app, machine)}/metadata/{_name(key)}"
        self._done("set metadata of machine", machine, "POST", path, {"value": value})

    def delete_metadata(self, app: str, machine: str, key: str) -> None:
        """Remove one key of the machine's metadata, or find it gone."""
        with contextlib.suppress(PlanOvertaken):
            path = f"{_machine_path(app, machine)}/metadata/{_name(key)}"
            self._done("delete metadata of machine", machine, "DELETE", path)

    # How it is asked

    def _read(
        self, what: str, path: str, query: Mapping[str, str] | None = None, *, fresh: str = "", seconds: float = 0
    ) -> Answer:
        """The answer, which may be 404 or 408; 404 is asked again while what it is about was just created."""
        while True:
            self._pace.wait(path, READ_BURST, READ_SECONDS)
            answer = self._asked(what, "GET", path, None, again=calls.read, query=query, seconds=seconds)
            if answer.status != httpx2.codes.NOT_FOUND or not self._is_fresh(fresh):
                return answer
            time.sleep(FRESH_PAUSE_SECONDS)

    def _is_fresh(self, path: str) -> bool:
        return time.monotonic() < self._fresh.get(path, 0)

    def _asked(self, what: str, method: str, url: str, body: Json | None, **how: Any) -> Answer:
        try:
            answer = self._once_again(method, url, body, how.pop("again"), **how)
        except NoAnswer as error:
            raise PlatformFailed(f"could not {what}: {redacted(str(error))}", TRY_LATER) from error
        if answer.status >= httpx2.codes.BAD_REQUEST and answer.status not in {404, calls.TIMED_OUT}:
            raise _failed(what, answer)
        return answer

    def _done(self, action: str, subject: str, method: str, path: str, body: Json | None = None, **how: str) -> Answer:
        answer = self._change(action, subject, method, path, body, **how)
        if answer.status >= httpx2.codes.BAD_REQUEST:
            raise _refused(f"{action} {subject}", answer)
        return answer

    def _change(
        self, action: str, subject: str, method: str, path: str, body: Json | None, *, nonce: str = ""
    ) -> Answer:
        """The answer to a change. Raises Ambiguous when it is lost, NoToken."""
        self._pace.wait(f"{action} {subject}", BURST, CHANGE_SECONDS)
        try:
            answer = self._once_again(method, path, body, calls.change, nonce=nonce)
        except NoAnswer as error:
            if not error.heard:
                raise PlatformFailed(f"could not {action} {subject}: {redacted(str(error))}", TRY_LATER) from error
            raise Ambiguous(f"{action} {subject}: the answer was lost ({redacted(str(error))})", LOOK) from error
        if answer.status == calls.TIMED_OUT or answer.status >= calls.SERVER_ERROR:
            raise Ambiguous(f"{action} {subject}: {answer.quoted()}", LOOK)
        return answer

    def _once_again(
        self,
        method: str,
        url: str,
        body: Json | None,
        again: Callable[[Callable[[], Answer]], Answer],
        *,
        nonce: str = "",
        query: Mapping[str, str] | None = None,
        seconds: float = 0,
    ) -> Answer:
        headers = {NONCE: nonce} if nonce else {}
        timeout = httpx2.Timeout(calls.TIMEOUTS.read + seconds if calls.TIMEOUTS.read else None, connect=10)

        def once() -> Answer:
            request = self._client.build_request(method, url, json=body, params=query, headers=headers, timeout=timeout)
            return calls.ask(self._client, request)

        return again(once)


class Pace:
    """Holds back what would come faster than a service wants it: a few at once, then one in a while, for each key."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait(self, key: str, burst: int, seconds: float) -> None:
        """Come back when it is this call's turn."""
        with self._lock:
            now = time.monotonic()
            due = max(self._due.get(key, now), now)
            self._due[key] = due + seconds
        if (pause := due - now - (burst - 1) * seconds) > 0:
            time.sleep(pause)


# What is understood of an answer


def _understood(answer: Answer, read: Callable[[Any], T]) -> T:
    try:
        return read(answer.json())
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise PlatformFailed(
            f"the platform's answer is not as documented ({type(error).__name__}: {error})",
            "Is the address of the API right (FLY_FLAPS_BASE_URL, FLY_API_BASE_URL)? If so, this is a defect here.",
        ) from error


def _machine(said: Json) -> Machine:
    image, config = said.get("image_ref") or {}, said["config"]
    return Machine(
        id=_name(said["id"]),
        name=str(said.get("name") or ""),
        state=str(said["state"]),
        region=str(said.get("region") or ""),
        version=str(said.get("version") or said["instance_id"]),
        reference=str(config["image"]),
        digest=str(image.get("digest") or ""),
        config=dict(config),
        checks=tuple(_check(check) for check in said.get("checks") or ()),
        is_cordoned=bool(said.get("cordoned")),
        last_exit=next(filter(None, map(_exit, said.get("events") or ())), ""),
    )


def _check(said: Json) -> Check:
    return Check(name=str(said["name"]), status=str(said.get("status") or ""), output=str(said.get("output") or ""))


def _exit(event: Json) -> str:
    """What an event says of the end of a process: "01J…: exit code 137, out of memory"; "" when it is of none."""
    told = (event.get("request") or {}).get("exit_event")
    if event.get("type") != "exit" or not told:
        return ""
    reasons = {"oom_killed": "out of memory", "requested_stop": "as asked"}
    more = [words for key, words in reasons.items() if told.get(key)]
    return ", ".join([f"{event.get('id', '')}: exit code {told.get('exit_code')}", *more])


def _comes_and_goes(said: Json) -> bool:
    metadata = (said.get("config") or {}).get("metadata") or {}
    return metadata.get("fly_process_group") in NOT_THE_APP


def _volumes(said: list[Json]) -> list[Volume]:
    return [
        Volume(
            id=_name(one["id"]),
            name=str(one["name"]),
            region=str(one["region"]),
            size_gb=int(one["size_gb"]),
            machine=str(one.get("attached_machine_id") or ""),
        )
        for one in said
        if one.get("state") not in {"destroyed", "pending_destroy", "destroying"}
    ]


def _mounted(mount: Mapping[str, Any], free: list[Volume], app: str) -> Json:
    for volume in free:
        if volume.name == mount.get("name"):
            free.remove(volume)
            return {**mount, "volume": volume.id}
    raise PlatformFailed(f"{app} has no free volume {mount.get('name')!r} in that region", "Make one, then try again.")


def _data(said: Json) -> Json:
    """What GraphQL answers. Raises ValueError with its errors when it has any."""
    if said.get("errors"):
        raise ValueError(redacted(str(said["errors"])[: calls.MOST_CHARACTERS_QUOTED]))
    data: Json = said["data"]
    return data


def _organizations(said: Json) -> tuple[str, ...]:
    return tuple(str(node["slug"]) for node in _data(said)["organizations"]["nodes"])


def _releases(said: Json) -> tuple[Release, ...]:
    app = _data(said)["app"]
    return tuple(
        Release(
            version=int(node["version"]),
            status=str(node["status"]),
            reference=str(node.get("imageRef") or ""),
            who=str((node.get("user") or {}).get("email") or ""),
            at=str(node["createdAt"]),
        )
        for node in (app["releases"]["nodes"] if app else ())
    )


def _owner(said: Json) -> str:
    tokens = said.get("tokens") or ()
    return "; ".join(" ".join(str(token[key]) for key in ("user", "org_slug") if token.get(key)) for token in tokens)


def _nonce(said: Json) -> str:
    return str(said["data"]["nonce"])


# What a refusal means


def _failed(what: str, answer: Answer) -> NoToken | PlatformFailed:
    return _token_trouble(what, answer) or PlatformFailed(f"could not {what}: {answer.quoted()}", TRY_LATER)


def _token_trouble(what: str, answer: Answer) -> NoToken | None:
    if answer.status == httpx2.codes.UNAUTHORIZED:
        return NoToken(f"could not {what}: the token is expired or unknown ({answer.quoted()})", GET_A_TOKEN)
    if answer.status == httpx2.codes.FORBIDDEN:
        return NoToken(f"could not {what}: the token is without rights for it ({answer.quoted()})", GET_A_TOKEN)
    return None


def _refused(what: str, answer: Answer) -> NoToken | LeaseHeld | PlanOvertaken | PlatformFailed:
    said = f"could not {what}: {answer.quoted()}"
    if answer.status == httpx2.codes.CONFLICT and "lease" in said.lower():
        return LeaseHeld(said, "Wait until that lease ends, or ask its holder; `fly machine leases view` shows it.")
    if answer.status in {httpx2.codes.NOT_FOUND, httpx2.codes.CONFLICT, httpx2.codes.PRECONDITION_FAILED}:
        return PlanOvertaken(said, LOOK)
    return _failed(what, answer)


def _not_created(name: str, organization: str, answer: Answer) -> NameTaken | NoToken | PlatformFailed:
    is_refused = answer.status == httpx2.codes.UNPROCESSABLE_CONTENT
    if is_refused and "taken" in answer.body.decode("utf-8", "replace").lower():
        return name_taken(name, organization)
    return _failed(f"create app {name} in {organization}", answer)


def name_taken(name: str, organization: str) -> NameTaken:
    """That somebody has the name, with the ways out."""
    return NameTaken(
        f"could not create app {name} in {organization}: the name is taken",
        "Choose another name in the app's file (`app = …`), or with --repository for the app that has the images; "
        "names are shared by all users of Fly. If it is yours, in another organization, use a token of that one.",
    )


# Paths


def _name(text: Any) -> str:
    """A name that may stand in a path as it is."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", str(text)):
        raise ValueError(f"{str(text)[:64]!r} is no name")
    return str(text)


def _app_path(app: str) -> str:
    return f"/v1/apps/{_name(app)}"


def _machine_path(app: str, machine: str) -> str:
    return f"{_app_path(app)}/machines/{_name(machine)}"
