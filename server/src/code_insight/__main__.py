"""The wiring: reads the settings, opens the catalog, and serves it over HTTP, over stdio, or to the shell."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code_insight import __version__, access, settings
from code_insight.settings import Settings, SettingsError
from code_insight.web.guard import logs

if TYPE_CHECKING:
    from code_insight.catalog import Added, Catalog
    from code_insight.telemetry import Telemetry
    from code_insight.web.guard.asking import Guard
    from code_insight.web.guard.jwts import Jwts
    from code_insight.web.info import Readiness
    from code_insight.web.shell import Shell

_log = logging.getLogger("code_insight")
_GRACE_SECONDS = 8  # for requests in flight at a signal; below the kill_timeout of the fly*.toml files
_IDLE_SECONDS = 60.0  # that a worker waits for the next change, with 25 MB of its own


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code: 0 well, 1 the answer is an error, 2 usage or settings."""
    options = _parser().parse_args(argv)
    _quiet_libraries()
    try:
        found = settings.read(_environment(options.command))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    logs.configure(found.log_format)
    match options.command:
        case "serve":
            return _serve(found, options.repositories)
        case "stdio":
            return _stdio(found)
        case "doctor":
            return _doctor(found)
        case "index":
            return _index(found, options.url, options.ref)
        case _:
            return _ask(found, options.tool, options.arguments, options.url, as_json=options.json)


def _environment(command: str) -> dict[str, str]:
    """What the settings of a command are read from: traces are of a server, so elsewhere they are not looked at."""
    is_server = command in ("serve", "doctor")
    return {name: text for name, text in os.environ.items() if is_server or not name.startswith("OTEL_")}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="code-insight", description="Answers questions about git repositories.")
    parser.add_argument("--version", action="version", version=f"code-insight {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="answer MCP clients at /mcp and browsers at /")
    serve.add_argument("repositories", nargs="*", metavar="REPOSITORY", help="URL or folder to index at start")
    commands.add_parser("stdio", help="answer one MCP client over stdin and stdout")
    commands.add_parser("doctor", help="say what a server with these settings would find, and what is wrong")
    index = commands.add_parser("index", help="index a repository, with progress")
    index.add_argument("url", help="https URL or folder")
    index.add_argument("--ref", default="", help="branch, tag or commit (default: the default branch)")
    ask = commands.add_parser("ask", help="ask a tool, and print the answer that an agent would see")
    ask.add_argument("tool", help='such as overview; "tools" lists them')
    ask.add_argument("arguments", nargs="*", metavar="NAME=VALUE", help="such as repository=flask name=Flask.route")
    ask.add_argument("--url", default="", help="of a running server's /mcp (default: the indexes of this machine)")
    ask.add_argument("--json", action="store_true", help="print text and structured content as JSON")
    return parser


def _quiet_libraries() -> None:
    """Logs are ours alone; no banner, no question to a package index."""
    os.environ.setdefault("FASTMCP_LOG_ENABLED", "false")
    os.environ.setdefault("FASTMCP_CHECK_FOR_UPDATES", "off")
    os.environ["FASTMCP_TELEMETRY_MODE"] = "off"  # its spans hold texts of clients; ours are `tracing`


def _catalog(
    found: Settings, also_local: Sequence[Path] = (), configured: Sequence[str] = (), *, stays: bool = False
) -> Catalog:
    """The repositories below the data folder; `stays` says that this process will be asked for more than one thing."""
    from code_insight.ancestry import HistoryLimits
    from code_insight.catalog import Catalog, CatalogLimits
    from code_insight.clone_url import ClonePolicy
    from code_insight.git import GitLimits

    limits = CatalogLimits(
        clone=ClonePolicy(found.clone_hosts, found.clone_private_addresses),
        local_folders=(*found.local_folders, *also_local),
        ca_file=found.ca_file,
        repositories=found.repositories_max,
        store_bytes=found.store_bytes_max,
        configured=(*found.repositories, *configured),
        jobs=found.jobs,
        job_seconds=found.job_seconds_max,
        git=GitLimits(
            seconds=found.clone_seconds_max,
            memory_bytes=found.git_memory_bytes_max,
            file_bytes=found.clone_bytes_max,
            files=found.files_max,
        ),
        file_bytes=found.file_bytes_max,
        total_bytes=found.total_bytes_max,
        commits=found.commits_max,
        history=HistoryLimits(commits=found.history_commits_max, redact_secrets=found.redact_secrets),
        workers=found.workers,
        parse_seconds=found.parse_seconds_max,
        idle_seconds=_IDLE_SECONDS if stays else 0,
        redact_secrets=found.redact_secrets,
    )
    return Catalog(found.data_dir.absolute(), limits)


def _serve(found: Settings, also: Sequence[str]) -> int:
    import uvicorn

    from code_insight.web.guard.connections import ConnectionLimits, protocol
    from code_insight.web.info import Identity, Readiness
    from code_insight.web.shell import Shell

    try:
        everybody = access.read(found.access_file)
        jwts = _jwts(found, everybody)
    except (OSError, ValueError, TypeError) as error:
        print(f"CODE_INSIGHT_ACCESS_FILE={found.access_file!r}: {error}", file=sys.stderr)
        return 2
    wanted = (*found.repositories, *(str(Path(u).resolve()) if _is_folder(u) else u for u in also))
    readiness = Readiness(waiting_for=wanted)
    state: dict[str, Any] = {}

    def load() -> Any:
        import pydantic

        # The protocol's three generations of models are built when first used; no process uses them all (0.1 s).
        pydantic.BaseModel.model_config["defer_build"] = True
        from code_insight.web.app import build_app

        if found.traces:
            state["telemetry"] = _telemetry(found)
        catalog = state["catalog"] = _catalog(
            found, [Path(url) for url in wanted if _is_folder(url)], wanted, stays=True
        )
        application = build_app(catalog, __version__, found.own_hosts, everybody.issuer)
        threading.Thread(target=_index_at_start, args=(catalog, readiness), daemon=True).start()
        return application

    def failed() -> None:
        state["failed"] = server.should_exit = True

    def repositories() -> list[dict[str, str]]:
        held = state["catalog"].held()
        return [{"name": indexed.repository.name, "commit": indexed.commit.oid} for indexed in held]

    identity = Identity(__version__, found.source_tree, _index_format(), _machine(found))
    config = uvicorn.Config(
        _guarded(Shell(identity, readiness, load, repositories, failed), found, everybody, jwts),
        host=found.host,
        port=found.port,
        http=protocol(ConnectionLimits(found.connections_max, found.receive_seconds_max)),
        ws="none",
        log_config=None,
        log_level="error",  # its warnings are what strangers sent
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        forwarded_allow_ips="*" if found.fly_app_name else None,
    )
    server = uvicorn.Server(config)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises a signal again when it has ended well
    _log.info("code-insight %s listens at http://%s:%d (MCP at /mcp)", __version__, found.host, found.port)
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        server.run()
    if catalog := state.get("catalog"):
        catalog.close()
    if telemetry := state.get("telemetry"):
        telemetry.close()
    _log.info("code-insight has ended")
    logging.shutdown()
    # The interpreter's own end takes half a second to take modules apart, and waits for threads that need not end.
    os._exit(1 if state.get("failed") or not server.started else 0)


def _jwts(found: Settings, everybody: access.Access) -> Jwts | None:
    if not everybody.issuer:
        return None
    from code_insight.web.guard.jwts import Jwts

    return Jwts(everybody.issuer, found.ca_file)


def _guarded(shell: Shell, found: Settings, everybody: access.Access, jwts: Jwts | None) -> Guard:
    from code_insight.web.guard.asking import Guard, GuardLimits

    limits = GuardLimits(
        body_bytes=found.body_bytes_max,
        requests_at_once=found.requests_at_once,
        client_requests_at_once=found.client_requests_at_once,
        client_requests_per_minute=found.client_requests_per_minute,
    )
    on_fly = bool(found.fly_app_name)
    if not found.metrics_port:
        return Guard(shell, limits, everybody, jwts, is_on_fly=on_fly)
    from code_insight.web.guard.metrics import Metrics

    metrics = Metrics({"version": __version__, "tree": found.source_tree, "region": found.fly_region})
    guard = Guard(shell, limits, everybody, jwts, is_on_fly=on_fly, observer=metrics)
    metrics.serve(found.host, found.metrics_port, lambda: guard.at_once)
    return guard


def _telemetry(found: Settings) -> Telemetry:
    from code_insight import tracing
    from code_insight.telemetry import Telemetry

    machine = {"service.instance.id": found.fly_machine_id, "cloud.region": found.fly_region}
    telemetry = Telemetry({"service.version": __version__, **(machine if found.fly_machine_id else {})})
    tracing.record_with(telemetry)
    return telemetry


def _is_folder(url: str) -> bool:
    return "://" not in url


def _index_format() -> str:
    from code_insight.store.schema import FORMAT_VERSION

    return str(FORMAT_VERSION)


def _machine(found: Settings) -> dict[str, str]:
    about = {
        "id": found.fly_machine_id,
        "version": found.fly_machine_version,
        "image_ref": found.fly_image_ref,
        "region": found.fly_region,
        "app": found.fly_app_name,
    }
    return about if found.fly_machine_id else {}


def _index_at_start(catalog: Catalog, readiness: Readiness) -> None:
    """Every configured repository is indexed at its newest commit; one that was indexed before answers meanwhile."""
    from code_insight.errors import InsightError

    held = {indexed.repository.url for indexed in catalog.newest()}
    wanted = readiness.waiting_for
    readiness.waiting_for = tuple(url for url in wanted if url.rstrip("/").removesuffix(".git") not in held)
    for url in wanted:
        try:
            added = catalog.add(url)
            catalog.deepen_later(added)
            _log.info("%s", _report(added))
        except InsightError as error:
            _log.error("%s is not indexed: %s", url, error)
        except Exception:
            _log.exception("%s is not indexed", url)
        else:
            readiness.waiting_for = tuple(other for other in readiness.waiting_for if other != url)


def _report(added: Added) -> str:
    indexed = added.indexed
    name = f"{indexed.repository.name} @ {indexed.commit.oid[:12]}"
    if added.was_known:
        return f"{name} was indexed already"
    return f"{name} is indexed: {added.blobs_parsed:,} files read in {added.seconds:.1f} s"


def _stdio(found: Settings) -> int:
    from code_insight.tools import build_server

    catalog = _catalog(found, stays=True)
    with contextlib.suppress(KeyboardInterrupt):
        build_server(catalog, __version__).run(transport="stdio", show_banner=False)
    catalog.close()
    return 0


def _doctor(found: Settings) -> int:
    from code_insight import doctor

    logging.basicConfig(handlers=[logging.NullHandler()], force=True)  # what went wrong is printed
    is_well = True
    for finding in doctor.look(found):
        print(f"{'ok' if finding.is_well else 'wrong':5}  {finding.name:8}  {finding.seen}")
        if not finding.is_well:
            print(f"{'':17}{finding.next_step}")
        is_well = is_well and finding.is_well
    return 0 if is_well else 2


def _index(found: Settings, url: str, ref: str) -> int:
    import gc

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from code_insight.errors import InsightError
    from code_insight.git import Call

    folder = Path(url).resolve() if _is_folder(url) else None
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task("Starting", total=100)
            call = Call(progress=lambda phase, percent: bars.update(task, description=phase, completed=percent))
            catalog = _catalog(found, [folder] if folder else [])
            gc.freeze()  # what is imported lives as long as this process
            gc.set_threshold(20_000, 50, 100)
            added = catalog.add(str(folder or url), ref, call)
            catalog.survey(added.indexed, call)
            for _ in catalog.deepen(added.indexed, call):
                pass
    except InsightError as error:
        print(error, file=sys.stderr)
        return 1
    print(_report(added))
    return 0


def _ask(found: Settings, tool: str, arguments: Sequence[str], url: str, *, as_json: bool) -> int:
    import asyncio

    from fastmcp import Client

    from code_insight.tools import build_server

    target: Any = url or build_server(_catalog(found), __version__)

    async def ask() -> int:
        async with Client(target) as client:
            tools = {known.name: known for known in await client.list_tools()}
            if tool not in tools:
                print("\n".join(f"{t.name}: {(t.description or '').partition(chr(10))[0]}" for t in tools.values()))
                return 0 if tool == "tools" else 2
            values = dict(_values(arguments, tools[tool].input_schema.get("properties", {})))
            result = await client.call_tool(tool, values, raise_on_error=False)
        text = "\n".join(block.text for block in result.content if hasattr(block, "text"))
        print(json.dumps({"text": text, "data": result.structured_content}, indent=2) if as_json else text)
        return 1 if result.is_error else 0

    return asyncio.run(ask())


def _values(arguments: Sequence[str], properties: dict[str, Any]) -> Iterator[tuple[str, object]]:
    for argument in arguments:
        name, _, value = argument.partition("=")
        is_number = properties.get(name, {}).get("type") == "integer"
        yield name, int(value) if is_number and value.isdigit() else value


if __name__ == "__main__":
    sys.exit(main())
