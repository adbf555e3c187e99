"""The commands: parses them, calls the story, prints, and chooses the exit code."""

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from code_insight_deploy import apps, images, source
from code_insight_deploy.errors import DeployError
from code_insight_deploy.proofs import BuiltImage, Smoked

DEFAULT_BASE = "python:3.14-slim"
DEFAULT_CONFIG = "fly.toml"

people = Console(stderr=True, highlight=False, soft_wrap=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (see errors.py). Results go to stdout, everything else to stderr."""
    options = _parser().parse_args(argv)
    try:
        proof = _run(options)
    except DeployError as error:
        _print_error(error, as_json=options.json)
        return error.exit_code
    if options.json:
        print(json.dumps(dataclasses.asdict(proof), indent=2))
    else:
        _print_proof(proof)
    return 0


def _run(options: argparse.Namespace) -> BuiltImage | Smoked:
    folder, base = options.folder, options.base
    if options.command == "build":
        return build(folder, base, allow_dirty=options.allow_dirty, twice=options.check_reproducible)
    return smoke(folder, base, options.config, allow_dirty=options.allow_dirty)


def build(folder: Path, base: str, *, allow_dirty: bool, twice: bool = False) -> BuiltImage:
    """Build the tree of `folder` on the image `base`; `twice` and cold, to see whether it comes out the same."""
    tree = source.source_tree(folder, allow_dirty=allow_dirty)
    _say(f"tree {tree.tree} of commit {tree.commit}{', with changes that no commit holds' if tree.dirty else ''}")
    with images.engine() as engine:
        return (images.build_twice if twice else images.build)(engine, folder, tree, base, _say)


def smoke(folder: Path, base: str, config: str, *, allow_dirty: bool) -> Smoked:
    """Build the tree of `folder`, and run the image as the app in the file `config` would be run."""
    from code_insight_deploy import smoking  # an MCP client takes 2 s to import; `build` does without

    app = apps.read_app(source.top_folder(folder) / config)
    built = build(folder, base, allow_dirty=allow_dirty)
    _say(f"running {built.reference} with {app.memory_bytes // apps.MEGABYTE} MB, {app.cpus} CPU, read-only, as 10001")
    with images.engine() as engine:
        return smoking.smoke(engine, built, app, _say)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="code-insight-deploy", description="Brings code-insight to Fly.io.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--folder", type=Path, default=Path(), help="inside the clone to build (default: here)")
    common.add_argument(
        "--base",
        default=os.environ.get("BASE") or DEFAULT_BASE,
        help=f"the image to build on (default: $BASE, else {DEFAULT_BASE})",
    )
    common.add_argument("--allow-dirty", action="store_true", help="build what no commit holds, and tag it as dirty")
    common.add_argument("--json", action="store_true", help="print the result as JSON on stdout")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    building = commands.add_parser("build", parents=[common], help="build the image of this tree, or find it")
    building.add_argument(
        "--check-reproducible", action="store_true", help="build twice from nothing, and fail if the images differ"
    )
    running = commands.add_parser("smoke", parents=[common], help="build, then run it as a Fly machine would")
    running.add_argument(
        "--config", default=DEFAULT_CONFIG, help=f"the app's file in the repository (default: {DEFAULT_CONFIG})"
    )
    return parser


def _say(line: str) -> None:
    people.print(line, style="dim", markup=False)


def _print_error(error: DeployError, *, as_json: bool) -> None:
    if as_json:
        said = {"error": type(error).__name__, "happened": error.happened, "next_step": error.next_step}
        print(json.dumps(said, indent=2))
        return
    people.print(error.happened, style="red", markup=False)
    people.print(error.next_step, markup=False)


def _print_proof(proof: BuiltImage | Smoked) -> None:
    built = proof if isinstance(proof, BuiltImage) else proof.image
    if isinstance(proof, Smoked):
        table = Table("what was looked at", "what was seen", "seconds", title=f"smoke run of {built.reference}")
        for found in proof.evidence:
            table.add_row(found.claim, found.seen, f"{found.seconds:.2f}")
        Console(soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 140).print(table)
    print(f"{built.reference}  {built.image_id}  {built.size_bytes / 1e6:.1f} MB  tree {built.tree}")
