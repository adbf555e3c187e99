"""The table of languages: how each is recognised, and what the parser has to know of it.

A language is one row in `LANGUAGES` and, when it has symbols, one query file beside this one. Importing this module
loads no grammar: the server process needs only names and paths.

A query file (`<name>.scm`, the query language of tree-sitter) has two parts, divided by the line `;;; occurrences`, and
may have a third after the line `;;; bindings`.

The first part says what is defined, one match at a time. Captures, after the convention of tree-sitter's tags:

    @name                  the name of what is defined; when two patterns define one name, the first in the file wins
    @definition.<kind>     the whole definition; <kind> is a word of model.SymbolKind. A function inside a type becomes
                           a method, a variable inside a type a field; one inside a function is local and left out.
    @body                  where the signature ends, when that is not the definition's field `body`
    @receiver              the type that owns it without standing around it: Go's receiver, C++'s `Foo::` in `Foo::bar`;
                           with @container instead of @definition, what all definitions inside belong to: Rust's `impl`
    @container             without @receiver: what makes functions methods and is no symbol: Ruby's `class << self`
    @base                  a base class, interface or trait of @name (or of @receiver)
    @doc                   the docstring of @name
    @import.module, @import.name, @import.alias, @import.all     one import; see model.ImportFact
    @import.tree           a nested import that parsing.py takes apart itself (Rust's `use`)
    @import.default, @import.relative, @import.submodule         how an import is meant when its words do not say it
    @declarator            C's and C++'s: the name is somewhere inside it, and it says whether this is a function; one
                           without a body counts when this text has no definition of the same name
    @until.end             it reaches to the end of the text: a namespace without braces

The second part lists what occurs, each node by itself:

    @reference.<kind>      a name that is used; the most telling kind wins: import, inherit, call, type, name
    @local.scope           a function without a name, or a block whose variables are nobody else's business
    @wrapper               what stands around a definition and belongs to it: decorators, `export`, `template <...>`
    @attribute             what stands in front of a definition and belongs to it: `#[derive(...)]`, `@Override`
    @comment               may be documentation of what follows
    @ignored               no reference, although another pattern says so

The third part says what names are attributes of, and which values and types they get (see parsing/bindings.py):

    @member, @of           a name, and what it is an attribute of
    @target                a name that gets @value, or a value of @type; with neither, something that nothing tells
    @assigned              around it: the name is declared elsewhere
    @items                 the target gets each of its items: `for target in items`
    @part, @key            the target gets that attribute of @value, or of a value of @type: `const { part } = value`
    @left, @right          several targets, and what they get: `a, b := f()`; with @ranged instead, its keys and items
    @entered, @with        `with entered as target`
    @variadic              around a parameter that takes many
    @property              a parameter of a constructor that is an attribute too
    @callee, @arguments, @callback    a function that is handed to a call: what its parameters get; or, with @type, one
                           that is put into a variable of that type
    @returns, @returned    the type, or value, that the function around it gives
    @decorator             of @name
    @exported, @alias      what a module gives to others as its default, or under another name
    @case                  where the target is known, when that is not the block around it
    @block                 where variables are known that are declared in it; a language without any has none: a name is
                           known in its whole function
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HEAD_CHARACTERS = 16_384  # how much of a text `language_of` and `is_generated` look at
_OCCURRENCES = "\n;;; occurrences\n"
_BINDINGS = "\n;;; bindings\n"


@dataclass(frozen=True, slots=True)
class Language:
    """One row of the table; without `grammar` and `headings` it is text only, and has no symbols."""

    name: str  # the word that agents see and use
    extensions: tuple[str, ...] = ()  # lower case, with the dot
    file_names: tuple[str, ...] = ()  # whole names of files, lower case
    interpreters: tuple[str, ...] = ()  # as in `#!/usr/bin/env <interpreter>`, without version
    grammar: tuple[str, str] | None = None  # module, and the function in it that returns the grammar
    queries: tuple[str, ...] = ()  # query files without ".scm", the most specific first
    receivers: frozenset[str] = frozenset()  # names of an object for itself: no references
    constructors: frozenset[str] = frozenset()  # methods that make an object
    constructors_are_named_after_type: bool = False
    capitals_are_constants: bool = False  # VARIABLES_LIKE_THIS are constants
    macros_disturb: bool = False  # a preprocessor would take away words that the grammar does not understand
    directives_disturb: bool = False  # lines like `#if` may stand where the grammar has none
    headings: bool = False  # the symbols are headings: Markdown

    @property
    def has_symbols(self) -> bool:
        """Whether a file of this language can have symbols, so that it is worth parsing."""
        return self.grammar is not None or self.headings


def _ecmascript(name: str, extensions: tuple[str, ...], grammar: tuple[str, str], *queries: str) -> Language:
    return Language(
        name,
        extensions,
        grammar=grammar,
        queries=(*queries, "ecmascript"),
        receivers=frozenset({"arguments", "undefined"}),
        constructors=frozenset({"constructor"}),
        interpreters=("node", "nodejs") if name == "javascript" else ("deno", "ts-node", "tsx", "bun"),
    )


LANGUAGES: tuple[Language, ...] = (
    Language(
        "python",
        (".py", ".pyi", ".pyw"),
        file_names=("sconstruct", "sconscript", "wscript"),
        interpreters=("python", "python2", "python3", "pypy", "pypy3"),
        grammar=("tree_sitter_python", "language"),
        queries=("python",),
        receivers=frozenset({"self", "cls", "super"}),
        constructors=frozenset({"__init__"}),
        capitals_are_constants=True,
    ),
    _ecmascript(
        "javascript", (".js", ".jsx", ".mjs", ".cjs"), ("tree_sitter_javascript", "language"), "javascript", "jsx"
    ),
    _ecmascript("tsx", (".tsx",), ("tree_sitter_typescript", "language_tsx"), "typescript", "jsx"),
    _ecmascript("typescript", (".ts", ".mts", ".cts"), ("tree_sitter_typescript", "language_typescript"), "typescript"),
    Language("go", (".go",), grammar=("tree_sitter_go", "language"), queries=("go",), receivers=frozenset({"_"})),
    Language(
        "rust",
        (".rs",),
        grammar=("tree_sitter_rust", "language"),
        queries=("rust",),
        receivers=frozenset({"self", "Self", "super", "crate", "_"}),
    ),
    Language("java", (".java",), grammar=("tree_sitter_java", "language"), queries=("java",)),
    Language(
        "c",
        (".c",),
        grammar=("tree_sitter_c", "language"),
        queries=("c",),
        capitals_are_constants=True,
        macros_disturb=True,
    ),
    Language(
        "cpp",
        (".cpp", ".cc", ".cxx", ".c++", ".hpp", ".hh", ".hxx", ".h++", ".ipp", ".inl", ".tpp", ".cu", ".cuh", ".ino"),
        grammar=("tree_sitter_cpp", "language"),
        queries=("cpp", "c"),
        constructors_are_named_after_type=True,
        macros_disturb=True,
        capitals_are_constants=True,
    ),
    Language(
        "csharp",
        (".cs", ".csx"),
        grammar=("tree_sitter_c_sharp", "language"),
        queries=("csharp",),
        directives_disturb=True,
    ),
    Language(
        "ruby",
        (".rb", ".rake", ".gemspec", ".ru", ".podspec"),
        file_names=("rakefile", "gemfile", "guardfile", "podfile", "vagrantfile", "brewfile", "capfile"),
        interpreters=("ruby", "jruby"),
        grammar=("tree_sitter_ruby", "language"),
        queries=("ruby",),
        constructors=frozenset({"initialize"}),
    ),
    Language(
        "php",
        (".php", ".phtml", ".php5", ".php7"),
        interpreters=("php",),
        grammar=("tree_sitter_php", "language_php"),
        queries=("php",),
        receivers=frozenset({"this", "self", "static", "parent"}),
        constructors=frozenset({"__construct"}),
    ),
    Language(
        "bash",
        (".sh", ".bash", ".ksh", ".bats", ".ebuild", ".eclass"),
        file_names=(".bashrc", ".bash_profile", ".profile", ".bash_aliases", "pkgbuild", "apkbuild"),
        interpreters=("sh", "bash", "dash", "ksh", "ash"),
        grammar=("tree_sitter_bash", "language"),
        queries=("bash",),
        capitals_are_constants=True,
    ),
    Language("markdown", (".md", ".markdown", ".mdx", ".mkd"), headings=True),
    Language("asciidoc", (".adoc", ".asciidoc")),
    Language("cmake", (".cmake",), file_names=("cmakelists.txt",)),
    Language("css", (".css", ".scss", ".sass", ".less")),
    Language("csv", (".csv", ".tsv")),
    Language("cython", (".pyx", ".pxd", ".pxi")),
    Language("dart", (".dart",)),
    Language("dockerfile", (".dockerfile", ".containerfile"), file_names=("dockerfile", "containerfile")),
    Language("elixir", (".ex", ".exs")),
    Language("erlang", (".erl", ".hrl")),
    Language("fish", (".fish",), interpreters=("fish",)),
    Language("go.mod", (".mod",), file_names=("go.mod", "go.sum", "go.work")),
    Language("gradle", (".gradle",)),
    Language("graphql", (".graphql", ".gql")),
    Language("groovy", (".groovy",), file_names=("jenkinsfile",), interpreters=("groovy",)),
    Language("haskell", (".hs", ".lhs", ".cabal")),
    Language("hcl", (".tf", ".tfvars", ".hcl")),
    Language("html", (".html", ".htm", ".xhtml", ".j2", ".jinja", ".jinja2", ".erb", ".ejs", ".hbs", ".tmpl")),
    Language("ini", (".ini", ".cfg", ".conf", ".properties", ".env", ".editorconfig"), file_names=(".gitconfig",)),
    Language("json", (".json", ".jsonc", ".json5", ".geojson", ".ipynb", ".webmanifest")),
    Language("julia", (".jl",), interpreters=("julia",)),
    Language("kotlin", (".kt", ".kts")),
    Language("lua", (".lua",), interpreters=("lua", "luajit")),
    Language("make", (".mk", ".mak"), file_names=("makefile", "gnumakefile", "makefile.am"), interpreters=("make",)),
    Language("nix", (".nix",)),
    Language("objectivec", (".m", ".mm")),
    Language("ocaml", (".ml", ".mli")),
    Language("perl", (".pl", ".pm", ".t"), interpreters=("perl",)),
    Language("powershell", (".ps1", ".psm1", ".psd1"), interpreters=("pwsh",)),
    Language("protobuf", (".proto",)),
    Language("r", (".r", ".rmd"), interpreters=("rscript",)),
    Language("rst", (".rst",)),
    Language("scala", (".scala", ".sc", ".sbt")),
    Language("sql", (".sql", ".psql", ".ddl")),
    Language("starlark", (".bzl", ".star"), file_names=("build", "build.bazel", "workspace", "workspace.bazel")),
    Language("svelte", (".svelte",)),
    Language("swift", (".swift",)),
    Language("tex", (".tex", ".sty", ".cls", ".bib")),
    Language(
        "text",
        (".txt", ".text", ".log", ".in"),
        file_names=("readme", "license", "licence", "copying", "notice", "authors", "changelog", "changes", "news"),
    ),
    Language("toml", (".toml",), file_names=("cargo.lock", "uv.lock", "poetry.lock", "pipfile")),
    Language("vue", (".vue",)),
    Language("xml", (".xml", ".xsd", ".xsl", ".xslt", ".svg", ".plist", ".csproj", ".props", ".targets", ".pom")),
    Language("yaml", (".yaml", ".yml"), file_names=(".clang-format", ".clang-tidy")),
    Language("zig", (".zig",)),
    Language("zsh", (".zsh",), file_names=(".zshrc", ".zshenv", ".zprofile"), interpreters=("zsh",)),
)


@cache
def by_name() -> dict[str, Language]:
    """The languages by their name."""
    return {language.name: language for language in LANGUAGES}


def query_text(language: Language) -> tuple[str, str, str]:
    """The three parts of a language's queries: what is defined, what occurs, what is bound; the last may be empty."""
    texts = [Path(__file__).with_name(f"{name}.scm").read_text("utf-8") for name in language.queries]
    parts = [
        (definitions, *rest.partition(_BINDINGS)) for definitions, _, rest in (t.partition(_OCCURRENCES) for t in texts)
    ]
    return tuple("\n".join(part[at] for part in parts) for at in (0, 1, 3))  # type: ignore[return-value]


@cache
def _by_extension() -> dict[str, Language]:
    return {extension: language for language in LANGUAGES for extension in language.extensions}


@cache
def _by_file_name() -> dict[str, Language]:
    return {name: language for language in LANGUAGES for name in language.file_names}


@cache
def _by_interpreter() -> dict[str, Language]:
    return {name: language for language in LANGUAGES for name in language.interpreters}


# Patterns are text: `re` compiles them when first used and keeps them, and a server that indexes nothing never does.
_SHEBANG = r"#!\s*(?:\S*/)?(?:env\s+(?:-\S+\s+|\w+=\S+\s+)*(?:\S*/)?)?([A-Za-z_-]+)[\d.]*"
_OBJECTIVE_C_HEADER = r"(?m)^(?:@(?:interface|protocol|class|import)\b|#import\b)"
_CPP_HEADER = (
    r"(?m)^[ \t]*(?:(?:class|namespace)[ \t]+\w|(?:template|using)\b[ \t]*[<\w]|(?:public|private|protected):"
    r"|#[ \t]*include[ \t]*<[a-z_]+>)|\bstd::\w|\bconstexpr\b|\bnullptr\b|\bstatic_cast<"
)


def language_of(path: str, text_head: str = "") -> Language | None:
    """The language that a file is written in, None when nothing tells; `text_head` is how its text begins.

    The path decides; the text only whose header a `.h` is, and for names without an extension by its `#!` line.
    """
    name = path.rpartition("/")[2].lower()
    stem, dot, ending = name.rpartition(".")
    extension = dot + ending if stem and ending else ""
    if extension == ".h":
        return by_name()[_header_language(text_head[:HEAD_CHARACTERS])]
    found = _by_file_name().get(name) or _by_extension().get(extension)
    return found or _by_file_name().get(name.partition(".")[0]) or _language_of_shebang(text_head)


def _header_language(text_head: str) -> str:
    if re.search(_OBJECTIVE_C_HEADER, text_head):
        return "objectivec"
    return "cpp" if re.search(_CPP_HEADER, text_head) else "c"


def _language_of_shebang(text_head: str) -> Language | None:
    shebang = re.match(_SHEBANG, text_head.partition("\n")[0])
    return _by_interpreter().get(shebang[1].lower()) if shebang else None


_TEST_FOLDERS = frozenset({"test", "tests", "testing", "__tests__", "spec", "specs", "testdata", "e2e", "fixtures"})
_TEST_PROJECTS = (".test", ".tests", ".unittests", ".integrationtests")  # of .NET: Shop.Cart.Tests
_TEST_FILE = (
    r"test_.+\.py|.+_test\.(?:py|go|rb|cc|cpp|c|exs|dart)|conftest\.py|tests?\.(?:py|rs)"
    r"|.+\.(?:test|spec|e2e|cy)\.[cm]?[jt]sx?"
    r"|.*(?:Test|Tests|TestCase|IT|Spec)\.(?:java|kt|cs|php|scala|groovy|swift)|Test[A-Z].*\.java"
    r"|.+_spec\.rb|test_.+\.(?:rb|c|cpp|cc|sh)|.+\.bats"
)


def is_test_path(path: str) -> bool:
    """Whether a path looks like a test, by the conventions of its language."""
    *folders, name = path.split("/")
    lowered = [folder.lower() for folder in folders]
    in_tests = not _TEST_FOLDERS.isdisjoint(lowered) or any(folder.endswith(_TEST_PROJECTS) for folder in lowered)
    return in_tests or bool(re.fullmatch(_TEST_FILE, name))


_GENERATED_FILE = (
    r"(?i).+(?:\.pb\.(?:go|cc|h)|_pb2(?:_grpc)?\.pyi?|\.g\.(?:cs|dart)|\.designer\.cs|\.generated\.\w+|\.min\.(?:js|css)"
    r"|\.bundle\.js|_generated\.\w+|\.lock|-lock\.(?:json|yaml))|go\.sum|zz_generated\..+|package-lock\.json"
)
_GENERATED_TEXT = (
    r"(?im)^.{0,12}(?:Code generated .{1,80} DO NOT EDIT|@generated\b|<auto-generated|Autogenerated by"
    r"|Generated by (?:GNU Autoconf|the protocol buffer compiler)|(?:auto-?|automatically )generated\b"
    r"|(?:this|the) (?:file|code|source) (?:is|was|has been) (?:auto-?|automatically )?generated\b)"
)
_PROSE = (".md", ".markdown", ".mdx", ".rst", ".adoc", ".txt")
_GENERATED_WITHIN = 2_000  # characters: it is said at the top


def is_generated(path: str, text_head: str) -> bool:
    """Whether a program wrote the file, by its name or by what its first lines say."""
    name, head = path.rpartition("/")[2], text_head[:_GENERATED_WITHIN]
    if name.lower().endswith(_PROSE):  # which may speak of what its project generates: only a comment of it counts
        head = "\n".join(re.findall(r"<!--.{0,400}?-->|^\.\. .*", head, re.DOTALL | re.MULTILINE))
    says_so = "generated" in head.lower() and re.search(_GENERATED_TEXT, head)  # the word alone is looked for faster
    return bool(says_so or re.fullmatch(_GENERATED_FILE, name))


_VENDOR_FOLDERS = frozenset(
    {"vendor", "vendored", "_vendor", "third_party", "thirdparty", "third-party", "node_modules", "bower_components"}
    | {"external", "externals", "extern", "deps", "site-packages"}
)


def is_vendored(path: str) -> bool:
    """Whether the file is a copy of somebody else's work, by the folder that it is in."""
    return not _VENDOR_FOLDERS.isdisjoint(folder.lower() for folder in path.split("/")[:-1])
