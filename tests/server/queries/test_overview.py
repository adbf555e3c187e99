"""What a repository says of itself, and what its files say of it."""

import time
from pathlib import Path

import pytest
from code_insight.errors import NotFound
from code_insight.model import FileRole
from code_insight.queries.overview import overview
from code_insight.queries.readme import module_docs, plain, sentence, summary_of, title_of
from code_insight.store import IndexedCommit

from tests.server.indexed import index


def test_title_and_summary_come_from_a_readme_that_begins_with_html_and_badges(bazaar: IndexedCommit) -> None:
    found = overview(bazaar)
    assert found.title == "Bazaar"
    assert found.summary == "Bazaar is a shop with many doors. It sells things."


def test_what_the_project_is_goes_before_what_it_announces() -> None:
    text = "# Gin\n\nRead about the new release on our blog.\n\n## What\n\nGin is a web framework written in Go.\n"
    assert summary_of(text, "Gin") == "Gin is a web framework written in Go."


def test_how_it_is_installed_is_no_summary() -> None:
    text = "# box\n\nOpens and shuts what is put into it.\n\n## Install\n\nbox is on PyPI, and can be installed via:\n"
    assert summary_of(text, "box") == "Opens and shuts what is put into it."


@pytest.mark.parametrize(
    "text",
    [
        "Project\n=======\n\n.. image:: https://example.invalid/x.svg\n   :target: y\n\nSells things to many people.\n",
        "# Project\n\n|build| |docs|\n\nSells things to many people.\n",
        "<h1 align=center>Project</h1>\n<p align=center>Sells things to many people.</p>\n",
        "---\ntitle: x\n---\n# Project\n\n```sh\nnpm i project\n```\n\nSells things to many people.\n",
        "# Project\n\n- [Docs](a)\n- [More](b)\n\n[Docs](a) | [Chat](b)\n\nSells things to many people.\n",
    ],
    ids=["rst", "substitutions", "html", "front matter and code", "links"],
)
def test_summary_skips_what_is_no_prose(text: str) -> None:
    assert (title_of(text), summary_of(text)) == ("Project", "Sells things to many people.")


def test_a_heading_after_the_first_prose_is_not_the_title() -> None:
    assert title_of("It is fast and small, as all know.\n\n# Features\n") == ""


def test_a_hostile_readme_costs_seconds_of_cpu_at_most() -> None:
    began = time.process_time()
    for text in ("<!--" * 3000, "<pre>" * 2400, "[" * 12_000, "```\n" * 3000, "<a " * 4000, "\n#" * 6000, "`" * 12_000):
        title_of(text)
        summary_of(text)
        module_docs(text)
    assert time.process_time() - began < 5.0


def test_plain_has_no_marks_of_markdown_or_restructuredtext() -> None:
    assert (
        plain("**Flask** is a `WSGI`_ [framework][x] ![](y) for {@link Gson}") == "Flask is a WSGI framework for Gson"
    )


def test_sentence_is_the_first_one_cut_at_a_word() -> None:
    assert sentence("Opens once. Then it is open.") == "Opens once."
    assert sentence("word " * 50, 20) == "word word word…"


@pytest.mark.parametrize(
    ("text", "docs"),
    [
        ('#!/usr/bin/env python\n"""Sells things.\n\nMore.\n"""\n', "Sells things."),
        ("// Copyright 2026\n\n// Package stall sells.\npackage stall\n", "Package stall sells."),
        ("//! Reads TOML.\n//!\n//! More\n", "Reads TOML."),
        ("/**\n * Sells things.\n */\npackage shop;\n", "Sells things."),
        ("/* SPDX-License-Identifier: MIT */\nint x;\n", ""),
        ("int x;\n// Not at the top.\n", ""),
    ],
)
def test_module_docs_are_the_first_comment_that_is_no_licence(text: str, docs: str) -> None:
    assert module_docs(text) == docs


def test_languages_are_counted_by_lines_most_first(bazaar: IndexedCommit) -> None:
    languages = overview(bazaar).languages
    assert languages[0].name == "python"
    assert [entry.lines for entry in languages] == sorted((entry.lines for entry in languages), reverse=True)


def test_folders_that_hold_only_one_folder_are_one_row(bazaar: IndexedCommit) -> None:
    names = {folder.name for folder, _ in overview(bazaar).folders}
    assert {"src/bazaar", "deep/only/this/way"} <= names
    assert "src" not in names


def test_a_folder_has_the_role_of_what_is_in_it(bazaar: IndexedCommit) -> None:
    roles = {folder.path: folder.role for folder, _ in overview(bazaar).folders}
    assert roles["tests"] is FileRole.TEST
    assert roles["src/bazaar"] is FileRole.SOURCE
    assert roles["vendor/lib"] is FileRole.VENDORED


def test_a_folder_says_its_purpose_in_its_own_words(bazaar: IndexedCommit) -> None:
    purposes = {folder.path: purpose for folder, purpose in overview(bazaar).folders}
    assert purposes["src/bazaar"] == "The shop itself."


def test_entry_points_are_commands_libraries_modules_and_mains(bazaar: IndexedCommit) -> None:
    found = {(entry.what, entry.name, entry.target) for entry in overview(bazaar).entry_points}
    assert ("command", "bazaar", "bazaar.cli:main") in found
    assert ("library", "import bazaar", "src/bazaar/__init__.py") in found
    assert ("module", "python -m bazaar", "src/bazaar/__main__.py") in found
    assert ("main function", "main", "go/cmd/stall/main.go:3") in found


def test_commands_are_those_of_each_manifest_run_where_it_is(bazaar: IndexedCommit) -> None:
    lines = [command.line for command in overview(bazaar).commands]
    assert lines.index("cd web && npm run build") < lines.index("pytest")
    assert {"pytest", "cd web && npm test", "cd go && go test ./..."} <= set(lines)


def test_central_symbols_are_what_other_files_use_each_name_once(bazaar: IndexedCommit) -> None:
    names = [symbol.name for symbol, _ in overview(bazaar).central]
    assert set(names[:3]) == {"Door", "knock", "Stall"}
    assert len(names) == len(set(names))


def test_central_symbols_leave_out_private_local_and_everybodys_names(bazaar: IndexedCommit) -> None:
    names = {symbol.name for symbol, _ in overview(bazaar).central}
    assert names.isdisjoint({"_fits", "get", "update", "FakeDoor", "test_door_opens", "main"})


def test_a_part_of_the_repository_has_its_own_overview(bazaar: IndexedCommit) -> None:
    found = overview(bazaar, "./src/bazaar/")
    assert (found.path, found.title, found.summary) == ("src/bazaar", "bazaar", "The shop itself.")
    assert {symbol.path.rpartition("/")[0] for symbol, _ in found.central} == {"src/bazaar"}


def test_a_file_has_no_overview_but_an_outline(bazaar: IndexedCommit) -> None:
    with pytest.raises(NotFound, match=r"is a file\. Call outline or read"):
        overview(bazaar, "src/bazaar/doors.py")


def test_an_unknown_folder_is_answered_with_the_nearest(bazaar: IndexedCommit) -> None:
    with pytest.raises(NotFound, match="src/bazaar"):
        overview(bazaar, "src/bazar")


def test_what_is_not_indexed_is_told_with_its_reason(bazaar: IndexedCommit) -> None:
    assert overview(bazaar).skipped == (("binary", 1, "logo.png"),)


def test_documents_that_explain_come_first(bazaar: IndexedCommit) -> None:
    assert overview(bazaar).documents == ("README.md", "docs/index.md")


def test_a_folder_without_words_says_what_is_in_it(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "app.py": "from shop.doors.front import Door\n\nDoor()\n",
        "shop/doors/front.py": "class Door: ...\n",
        "shop/other.py": "",
    }
    purposes = {folder.path: purpose for folder, purpose in overview(index(tmp_path, files)).folders}
    assert purposes["shop/doors"] == "has Door"


def test_routes_and_commands_are_entry_points_of_their_folder_too(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "web/app.py": "import flask\n\n@app.route('/carts')\ndef carts(): ...\n",
        "other/x.py": "",
    }
    commit = index(tmp_path, files)
    wanted = ("HTTP route", "/carts", "web/app.py:4 carts")
    assert wanted in [(entry.what, entry.name, entry.target) for entry in overview(commit).entry_points]
    assert wanted in [(entry.what, entry.name, entry.target) for entry in overview(commit, "web").entry_points]
    assert "HTTP route" not in {entry.what for entry in overview(commit, "other").entry_points}


def test_what_a_readme_only_mentions_is_not_what_the_project_is(tmp_path: Path) -> None:
    readme = "# Log\n\nLog 1.x support is limited at this point.\n\nLog sends what you say to files.\n"
    assert overview(index(tmp_path, {"README.md": readme})).summary == "Log sends what you say to files."


def test_a_manifest_says_it_better_than_a_readme_that_does_not(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "README.md": "# Rx\n\nCurious about what comes next? Follow along with us.\n",
        "package.json": '{"name": "rx", "description": "Streams for everybody"}',
    }
    assert overview(index(tmp_path, files)).summary == "Streams for everybody"


def test_the_main_language_is_what_most_of_the_source_is_written_in(tmp_path: Path) -> None:
    found = overview(index(tmp_path, {"a.md": "x\n" * 50, "a.rb": "x = 1\n" * 5, "a.json": "[\n\n\n\n\n\n\n]"}))
    assert (found.languages[0].name, found.main_language) == ("markdown", "ruby")


def test_of_several_solutions_the_one_to_build_is_named(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"src/Shop.Net20.sln": "", "src/Shop.sln": "", "src/Shop/Shop.csproj": "<Project/>"}
    found = overview(index(tmp_path, files))
    assert [command.line for command in found.commands] == [
        "cd src && dotnet build Shop.sln",
        "cd src && dotnet test Shop.sln",
    ]
    assert [entry.name for entry in found.entry_points] == ["Shop"]


def test_headers_for_others_commands_of_a_gem_and_coordinates_are_entry_points(tmp_path: Path) -> None:
    pom = "<project><groupId>org.shop</groupId><artifactId>cart</artifactId></project>"
    files: dict[str, str | bytes] = {
        "include/shop/cart.h": "int x;\n",
        "shop.gemspec": 'Gem::Specification.new { |s| s.name = "shop"; s.executables = ["shop"] }\n',
        "exe/shop": "#!/usr/bin/env ruby\n",
        "pom.xml": pom,
        "src/main/java/Cart.java": "class Cart {}\n",
    }
    found = {(entry.what, entry.name) for entry in overview(index(tmp_path, files)).entry_points}
    assert {("library", "#include <shop/…>"), ("command", "shop"), ("library", "org.shop:cart")} <= found
