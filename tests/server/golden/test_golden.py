"""Questions on code that other people wrote: what ought to win, and the worst place at which it may stand.

The packages are pinned by uv.lock. When one is updated and an answer moves, look at the answer before the number.
"""

import pytest
from code_insight.catalog import Catalog
from code_insight.queries import graph, overview, search, symbols

SEARCHES: list[tuple[str, str, str, int]] = [
    ("starlette", "Request", "starlette/requests.py:Request", 1),
    ("starlette", "url_for", "starlette/requests.py:HTTPConnection.url_for", 1),
    ("starlette", "Request.receive", "starlette/requests.py:Request.receive", 1),
    ("starlette", "how are websocket messages received", "starlette/websockets.py:WebSocket.receive", 1),
    ("starlette", "where are static files served from", "starlette/staticfiles.py:StaticFiles.get_response", 3),
    ("starlette", "cors preflight headers", "starlette/middleware/cors.py:CORSMiddleware.preflight_response", 1),
    ("click", "echo", "click/utils.py:echo", 1),
    ("click", "Context.invoke", "click/core.py:Context.invoke", 1),
    ("click", "progress bar rendering", "click/_termui_impl.py:ProgressBar.render_progress", 3),
    ("click", "parse options from the command line", "click/parser.py:_OptionParser.parse_args", 2),
    ("uvicorn", "graceful shutdown timeout", "uvicorn/server.py:Server.shutdown", 1),
    ("uvicorn", "reload on file change", "uvicorn/supervisors/basereload.py:BaseReload.run", 4),
    ("markdown_it", "escape html", "markdown_it/common/utils.py:escapeHtml", 1),
    ("markdown_it", "parse link reference definitions", "markdown_it/rules_block/reference.py:reference", 1),
]

FILES = [
    ("starlette", "routing.py", "starlette/routing.py"),
    ("click", "click/core.py:100", "click/core.py"),
    ("samples", "cart.go", "go/shop/cart.go"),
]

CENTRAL = [
    ("starlette", {"Request", "Response", "HTTPConnection", "Headers"}, 12),
    ("click", {"Context", "Command", "Parameter", "echo"}, 10),
    ("uvicorn", {"Config"}, 5),
    ("markdown_it", {"Token", "StateBlock", "StateInline"}, 10),
]


def ranked(library: Catalog, repository: str, query: str) -> list[str]:
    """path:symbol of what a search found, best first, each once."""
    indexed = library.find(repository)
    found = search.search(indexed, query, search.SearchKind.AUTO, search.Filter())
    around = search.symbols_at(indexed, found.lines)
    names = []
    for line in found.lines:
        symbol, _ = around[line.file.path, line.number]
        names.append(f"{line.file.path}:{symbol.qualified_name if symbol else ''}")
    named = [(passage.file.path, passage.symbol) for passage in found.passages]
    return list(
        dict.fromkeys([*names, *(f"{path}:{symbol.qualified_name if symbol else ''}" for path, symbol in named)])
    )


@pytest.mark.parametrize(("repository", "query", "wanted", "place"), SEARCHES, ids=[q for _, q, _, _ in SEARCHES])
def test_a_search_has_what_is_meant_in_its_place(
    library: Catalog, repository: str, query: str, wanted: str, place: int
) -> None:
    assert wanted in ranked(library, repository, query)[:place]


@pytest.mark.parametrize(("repository", "query", "wanted"), FILES)
def test_a_file_name_finds_the_file_first(library: Catalog, repository: str, query: str, wanted: str) -> None:
    found = search.search(library.find(repository), query, search.SearchKind.AUTO, search.Filter())
    assert found.files[0].path == wanted


@pytest.mark.parametrize(("repository", "wanted", "places"), CENTRAL)
def test_what_matters_most_is_what_a_maintainer_would_say(
    library: Catalog, repository: str, wanted: set[str], places: int
) -> None:
    names = [symbol.name for symbol, _ in overview.overview(library.find(repository)).central[:places]]
    assert wanted <= set(names)
    assert not [name for name in names if name.startswith("_")]


def test_an_inherited_method_is_found_through_the_real_class_tree(library: Catalog) -> None:
    (found, *_) = symbols.find(library.find("starlette"), "Request.url_for")
    assert found.qualified_name == "HTTPConnection.url_for"


def test_derived_types_are_those_of_the_code(library: Catalog) -> None:
    indexed = library.find("starlette")
    (connection, *_) = symbols.find(indexed, "HTTPConnection")
    derived = {symbol.name for symbol in symbols.definition(indexed, connection).derived}
    assert derived == {"Request", "WebSocket"}


def test_users_of_a_function_are_those_that_call_it(library: Catalog) -> None:
    found = graph.users(library.find("starlette"), "run_in_threadpool")
    assert {"starlette/background.py", "starlette/routing.py"} <= {use.occurrence.path for use in found.uses}
    assert found.homonyms == ()


@pytest.mark.parametrize("language", ["python", "typescript", "go", "rust", "java", "cpp", "csharp", "php"])
def test_each_language_answers_where_cart_is_defined(library: Catalog, language: str) -> None:
    found = search.search(library.find("samples"), "Cart", search.SearchKind.SYMBOL, search.Filter(language=language))
    assert found.symbols[0].name == "Cart"
    assert found.symbols[0].language == language
