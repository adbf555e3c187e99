"""What the pages of a large repository cost the server: made anew, kept, known to the browser; and their size as sent.

python benchmarks/pages.py FOLDER [TIMES]

FOLDER is a git repository. "made" is a page that was never asked for, of a server that has answered before; the import
graph and the history, which are worked out once for each commit, are known then, and "first" says what that cost. Of
made pages the processor's time is told, too, which is the same on a machine that others use.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import servers
from code_insight.catalog import Catalog, CatalogLimits
from code_insight.clone_url import ClonePolicy
from code_insight.store import IndexedCommit, Reader
from rich.console import Console
from rich.table import Table

TARGET_MS = 150
LANDING_BYTES, MAP_BYTES = 50_000, 300_000


def pages(indexed: IndexedCommit) -> Iterator[tuple[str, str]]:
    """(what it is, URL) of a page of each kind: the largest file, the symbol that matters most, …"""
    base = f"/repositories/{indexed.repository.name}"
    with Reader(indexed) as reader:
        files = reader.files()
        symbol = reader.central(1)[0][0]
    largest = max((file for file in files if file.language and file.blob), key=lambda file: file.lines)
    yield "the front page", "/"
    yield f"repository, {len(files):,} files", base
    yield "map by language", f"{base}/-/tree"
    yield "map by change", f"{base}/-/tree?colour=change"
    yield "who imports whom", f"{base}/-/dependencies"
    yield f"a file of {largest.lines:,} lines", f"{base}/-/file/{largest.path}"
    yield f"symbol {symbol.name}", f"{base}/-/symbol/{symbol.path}?name={symbol.qualified_name}"
    yield f"search {symbol.name}", f"{base}/-/search?q={symbol.name}"
    yield "commits", f"{base}/-/commits"
    yield "what was skipped", f"{base}/-/skipped"


def _timed(client: httpx2.Client, url: str, **headers: str) -> tuple[float, httpx2.Response]:
    begun = time.perf_counter()
    answer = client.get(url, headers=headers)
    return 1_000 * (time.perf_counter() - begun), answer


def measure(client: httpx2.Client, pid: int, url: str, times: int) -> list[str]:
    """Milliseconds: the first time, made anew, of the processor, kept, known to the browser; then kB as sent."""
    first, answer = _timed(client, url)
    answer.raise_for_status()
    separator = "&" if "?" in url else "?"
    used = servers.cpu_seconds(pid)
    made = [_timed(client, f"{url}{separator}anew={number}")[0] for number in range(times)]
    used = servers.cpu_seconds(pid) - used
    kept = [_timed(client, url)[0] for _ in range(times)]
    known = [_timed(client, url, **{"if-none-match": answer.headers["etag"]})[0] for _ in range(times)]
    return [
        f"{first:.0f}",
        f"{statistics.median(made):.0f} ({min(made):.0f})",
        f"{1_000 * used / times:.0f}",
        f"{statistics.median(kept):.1f}",
        f"{statistics.median(known):.1f}",
        f"{transferred(client, answer) / 1_000:.1f}",
    ]


def transferred(client: httpx2.Client, page: httpx2.Response) -> int:
    """Bytes of a page with its style, script and icon, compressed as they are sent."""
    loaded = {link for link in re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text) if "touch.png" not in link}
    return sum(one.num_bytes_downloaded for one in [page, *[client.get(link) for link in loaded]])


def main(folder: Path, times: int) -> None:
    """Print the table."""
    table = Table(title=f"Pages of {folder.name}")
    for column in ("page", "first, ms", "made, ms: median (least)", "processor", "kept", "known", "kB as sent"):
        table.add_column(column, justify="left" if column == "page" else "right")
    with tempfile.TemporaryDirectory() as data:
        catalog = Catalog(Path(data), CatalogLimits(ClonePolicy(()), local_folders=(folder.parent,), workers=2))
        indexed = catalog.add(str(folder)).indexed
        server = servers.ours(Path(data), indexed.repository.name, "")
        with servers.started(server) as (process, port):
            servers.wait_for_info(port, time.perf_counter())
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                client.get("/try/list_repositories").raise_for_status()
                for what, url in pages(indexed):
                    table.add_row(what, *measure(client, process.pid, url, times))
    Console(width=140).print(table)
    print(f"Targets: made {TARGET_MS} ms; the front page {LANDING_BYTES:,} bytes, a map {MAP_BYTES:,}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 7)
