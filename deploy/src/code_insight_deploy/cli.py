"""The commands: parses them, calls the story, chooses the exit code. `printing` prints.

Results go to stdout, for people or as JSON; progress and errors go to stderr.
"""

import argparse
import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from code_insight_deploy import (
    apps,
    attestations,
    doctor,
    images,
    ledger,
    registry,
    release,
    reporting,
    source,
    targets,
)
from code_insight_deploy.doctor import Wishes
from code_insight_deploy.errors import CHANGES, REFUSED, VERIFIED, DeployError, NoSource
from code_insight_deploy.printing import Paper
from code_insight_deploy.release import Order, Run
from code_insight_deploy.targets import Target
from code_insight_deploy.verifying import Patience

DEFAULT_BASE = "python:3.14-slim"
DEFAULT_CONFIG = "fly-test001.toml"
INTERRUPTED = 130
EXIT_CODES = (
    "Exit codes: 0 verified or nothing to do; 1 a defect; 2 usage; 3 plan has changes; 10 refused, nothing changed;"
    " 20 build, smoke or push failed, or the platform refused: the app is untouched; 30 failed and rolled back,"
    " verified; 31 changed and not restored; 40 changed, and verification was inconclusive; 130 interrupted, the app"
    " is untouched."
)

Found = tuple[int, object]
"""Exit code, and what there is to print."""
Command = Callable[[argparse.Namespace, Paper], Found]
Adder = Callable[[str, Command, str], argparse.ArgumentParser]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (see errors.py)."""
    options = _parser().parse_args(argv)
    with _ended_in_order(), Paper(as_json=options.json) as paper:
        try:
            run: Command = options.run
            code, found = run(options, paper)
        except DeployError as error:
            paper.error(error)
            return error.exit_code
        except KeyboardInterrupt:
            paper("interrupted; the app is as it was")
            return INTERRUPTED
        paper.result(found)
    return code


@contextlib.contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM is as Ctrl-C: what was begun is brought to an end."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _doctor(options: argparse.Namespace, paper: Paper) -> Found:
    paper.step("look at what a release needs")
    wishes = Wishes(
        folder=options.folder,
        config=lambda: _config(options),
        base=options.base,
        repository=options.repository,
        state=_state(options),
        target=lambda: _target(options, paper),
        app=options.app,
        organization=options.org,
        needs_flyctl=options.engine == "flyctl",
    )
    findings = doctor.checks(wishes)
    return (VERIFIED if all(finding.ok for finding in findings) else REFUSED), findings


def _build(options: argparse.Namespace, paper: Paper) -> Found:
    tree = source.source_tree(options.folder, allow_dirty=options.allow_dirty)
    paper.step(
        f"build the tree {tree.tree} of commit {tree.commit}{', with changes that no commit holds' * tree.dirty}"
    )
    make = images.build_twice if options.check_reproducible else images.build
    with images.engine() as engine:
        return VERIFIED, make(engine, options.folder, tree, options.base, paper)


def _smoke(options: argparse.Namespace, paper: Paper) -> Found:
    from code_insight_deploy import smoking  # its MCP client takes a second to import

    order = _order(options)
    tree = source.source_tree(order.folder, allow_dirty=order.allow_dirty)
    with images.engine() as engine:
        paper.step("build")
        built = images.build(engine, order.folder, tree, order.base, paper)
        paper.step(f"smoke: run {built.reference} as a machine of {order.app.name} would")
        return VERIFIED, smoking.smoke(engine, built, order.app, paper)


def _sbom(options: argparse.Namespace, _paper: Paper) -> Found:
    tree = source.source_tree(options.folder, allow_dirty=options.allow_dirty)
    bill = attestations.bill_of_materials(options.folder, tree)
    if bill is None:
        raise NoSource(f"the tree {tree.tree} holds no {attestations.LOCK}", "Run this in a clone of code-insight.")
    return VERIFIED, bill


def _push(options: argparse.Namespace, paper: Paper) -> Found:
    with _run(options, paper) as run:
        tree = source.source_tree(run.order.folder, allow_dirty=run.order.allow_dirty)
        return VERIFIED, release.published(run, tree)


def _inspect(options: argparse.Namespace, paper: Paper) -> Found:
    with _run(options, paper) as run:
        return VERIFIED, registry.inspect(run.target, reporting.published(run))


def _plan(options: argparse.Namespace, paper: Paper) -> Found:
    with _run(options, paper) as run:
        planned = reporting.plan(run)
        return (CHANGES if planned.actions else VERIFIED), planned


def _release(options: argparse.Namespace, paper: Paper) -> Found:
    if options.dry_run:
        return _plan(options, paper)
    with _run(options, paper) as run:
        return VERIFIED, release.release(run, _state(options))


def _verify(options: argparse.Namespace, paper: Paper) -> Found:
    with _run(options, paper) as run:
        return VERIFIED, reporting.verify(run)


def _rollback(options: argparse.Namespace, paper: Paper) -> Found:
    with _run(options, paper) as run:
        return VERIFIED, release.rollback(run, _state(options), options.to)


def _status(options: argparse.Namespace, paper: Paper) -> Found:
    with _run(options, paper) as run:
        return VERIFIED, reporting.status(run)


def _history(options: argparse.Namespace, paper: Paper) -> Found:
    with _run(options, paper) as run:
        return VERIFIED, reporting.history(run)


def _audit(options: argparse.Namespace, paper: Paper) -> Found:
    with _run(options, paper) as run:
        return VERIFIED, reporting.audit(run)


def _local(options: argparse.Namespace, paper: Paper) -> Found:
    from code_insight_deploy import flysim

    folder = _state(options) / "local"
    if options.action == "stop":
        flysim.stop(folder, remove=options.remove)
        return VERIFIED, {"local": "stopped", "removed": options.remove}
    paper.step("start a platform on this machine")
    sim = flysim.start(folder)
    return VERIFIED, {"local": "started", "machines_api": sim.flaps_url, "registry": sim.registry_host}


@contextlib.contextmanager
def _run(options: argparse.Namespace, paper: Paper) -> Iterator[Run]:
    with release.opened(_order(options), _target(options, paper), _state(options), paper) as run:
        yield run


def _order(options: argparse.Namespace) -> Order:
    app = apps.read_app(_config(options), name=options.app)
    patience = Patience(options.settle_seconds, options.window_seconds)
    return Order(
        folder=options.folder,
        app=app,
        base=options.base,
        repository=options.repository,
        organization=options.org,
        engine=options.engine,
        allow_dirty=options.allow_dirty,
        accept_no_way_back=options.accept_no_way_back,
        patience=patience,
    )


def _config(options: argparse.Namespace) -> Path:
    """The app's file: the one that was named, else the one of the app that was named."""
    top = source.top_folder(options.folder)
    if options.app and not options.config:
        return apps.file_of(top, options.app)
    return top / (options.config or DEFAULT_CONFIG)


def _target(options: argparse.Namespace, paper: Paper) -> Target:
    if options.target == "fly":
        return targets.fly()
    from code_insight_deploy import flysim

    folder = _state(options) / "local"
    if not flysim.find(folder):
        paper.step("start a platform on this machine")
    sim = flysim.start(folder)
    return targets.local(sim.flaps_url, sim.api_url, sim.registry_host, str(sim.flyctl), sim.token(), sim.app_url)


def _state(options: argparse.Namespace) -> Path:
    """Where ledgers and locks are kept."""
    state: Path | None = options.state
    return state or ledger.state_folder()


def _parser() -> argparse.ArgumentParser:
    description = "Brings code-insight to Fly.io, and proves that it runs there."
    parser = argparse.ArgumentParser(prog="code-insight-deploy", description=description, epilog=EXIT_CODES)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add = _adder(commands)
    add("doctor", _doctor, "what a release needs, what of it is missing, and how to get it")
    building = add("build", _build, "build the image of this tree, or find it")
    building.add_argument(
        "--check-reproducible", action="store_true", help="build twice from nothing; fail if they differ"
    )
    add("smoke", _smoke, "build, then run it as a Fly machine would and ask it what a user would")
    add("push", _push, "build, smoke, and push to the registry what it does not have")
    add("sbom", _sbom, "what is in the image of this tree, by its lock: CycloneDX 1.5, as JSON")
    add("inspect", _inspect, "the manifest of this commit's image, as the registry has it")
    add("plan", _plan, "what a release would change; exit code 3 when that is something")
    releasing = add("release", _release, "all steps: ends verified, untouched, or rolled back and verified")
    releasing.add_argument("--dry-run", action="store_true", help="the same as plan")
    add("verify", _verify, "prove that what answers is the image of this tree")
    back = add("rollback", _rollback, "bring back the verified release before the one that runs, and prove it")
    back.add_argument("--to", default="", metavar="RELEASE", help="a release of `history`, a commit, or a digest")
    add("status", _status, "the app's machines, and what their processes say of themselves")
    add("history", _history, "what was released, when, by whom, and how it ended")
    add("audit", _audit, "prove that the ledger is whole and that what runs is its last verified release")
    local = add("local", _local, "the platform on this machine, for rehearsals: --target local")
    local.add_argument("action", choices=["start", "stop"])
    local.add_argument("--remove", action="store_true", help="with stop: its apps, machines and images go too")
    return parser


def _adder(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> Adder:
    common = _common_options()

    def add(name: str, run: Command, about: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, parents=[common], help=about, description=about, epilog=EXIT_CODES)
        command.set_defaults(run=run)
        return command

    return add


def _common_options() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    add = common.add_argument
    base = os.environ.get("BASE") or DEFAULT_BASE
    add("--folder", type=Path, default=Path(), help="inside the clone to release (default: here)")
    add("--config", default="", help=f"the app's file in the repository (default: that of --app, {DEFAULT_CONFIG})")
    add("--app", default="", help="the app to release to; its fly*.toml names it")
    add("--org", default="", help="the organization in which missing apps are created")
    add("--repository", default=images.NAME, help=f"of the image in the registry (default: {images.NAME})")
    add("--base", default=base, help=f"the image to build on (default: $BASE, else {DEFAULT_BASE})")
    add("--target", choices=["fly", "local"], default="fly", help="Fly.io, or a stand-in for it on this machine")
    add("--engine", choices=["flyctl", "machines"], default="flyctl", help="who changes things (default: flyctl)")
    add("--allow-dirty", action="store_true", help="take what no commit holds, and tag it as dirty")
    add("--accept-no-way-back", action="store_true", help="release even if a failure could not be undone")
    add("--window-seconds", type=float, default=Patience().window_seconds, help="for which all must stay well")
    add("--settle-seconds", type=float, default=Patience().settle_seconds, help="that machines may take to become well")
    add(
        "--state",
        type=Path,
        help="folder of ledgers and locks (default: $CODE_INSIGHT_STATE_DIR, else the user's state folder)",
    )
    add("--json", action="store_true", help="print the result as JSON on stdout")
    return common
