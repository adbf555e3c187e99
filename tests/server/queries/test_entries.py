"""Routes and commands, as frameworks write them."""

from pathlib import Path

import pytest
from code_insight.queries.entries import entry_points
from code_insight.store import Reader

from tests.server.indexed import index


def entries_of(folder: Path, files: dict[str, str]) -> list[tuple[str, str, str]]:
    with Reader(index(folder, dict(files))) as reader:
        return [(entry.what, entry.name, entry.target) for entry in entry_points(reader)]


FLASK = """\
import flask
app = flask.Flask("shop")

@app.route("/carts")
def carts(): ...

@app.post(
    "/carts/<key>"
)
def add(key):
    '''For example:

        @app.route("/no")
        def no(): ...
    '''
    cache.get("/no")
"""
EXPRESS = "const express = require('express');\nconst app = express();\napp.get('/carts', (q, r) => r.send(1));\n"
GO = """\
package main

import "net/http"

func main() {
\thttp.HandleFunc("GET /carts", carts)
\tclient.Get("https://no")
}

func carts(http.ResponseWriter, *http.Request) {}
"""
SPRING = """\
import org.springframework.web.bind.annotation.*;

class Carts {
  @GetMapping("/carts")
  String carts() { return ""; }
}
"""
ASP = """\
using Microsoft.AspNetCore.Mvc;

class Carts {
    [HttpGet("carts/{id}")]
    public string Cart(int id) { return ""; }
}
"""
ACTIX = 'use actix_web::get;\n\n#[get("/carts")]\nasync fn carts() -> String { String::new() }\n'
LARAVEL = "<?php\nuse Illuminate\\Support\\Facades\\Route;\nRoute::get('/carts', [Carts::class, 'all']);\n"
CLICK = '@group.command("open-shop")\ndef open(): ...\n\n\n@group.command()\ndef close_shop(): ...\n'
COBRA = """\
package main

import "github.com/spf13/cobra"

var open = &cobra.Command{Use: "open [flags]", Short: "opens"}
"""


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("app.py", FLASK,
         [("HTTP route", "/carts", "app.py:5 carts"), ("HTTP route", "POST /carts/<key>", "app.py:10 add")]),
        ("shop/urls.py", "from django.urls import path\nurlpatterns = [\n    path('carts/', carts),\n]\n",
         [("HTTP route", "carts/", "shop/urls.py:3")]),
        ("app.js", EXPRESS, [("HTTP route", "GET /carts", "app.js:3")]),
        ("main.go", GO, [("HTTP route", "GET /carts", "main.go:6")]),
        ("Carts.java", SPRING, [("HTTP route", "GET /carts", "Carts.java:5 Carts.carts")]),
        ("Carts.cs", ASP, [("HTTP route", "GET carts/{id}", "Carts.cs:5 Carts.Cart")]),
        ("src/main.rs", ACTIX, [("HTTP route", "GET /carts", "src/main.rs:4 carts")]),
        ("app.rb", "require 'sinatra'\nget '/carts' do\n  1\nend\n", [("HTTP route", "GET /carts", "app.rb:2")]),
        ("routes/web.php", LARAVEL, [("HTTP route", "GET /carts", "routes/web.php:3")]),
        ("cli.py", f"import click\n{CLICK}",
         [("CLI command", "open-shop", "cli.py:3"), ("CLI command", "close-shop", "cli.py:7")]),
        ("cli.go", COBRA, [("CLI command", "open", "cli.go:5")]),
    ],
)  # fmt: skip
def test_what_a_framework_calls_or_serves_is_an_entry_point(
    tmp_path: Path, path: str, text: str, expected: list[tuple[str, str, str]]
) -> None:
    assert entries_of(tmp_path, {path: text}) == expected


def test_the_same_words_are_nothing_where_nobody_imports_the_framework(tmp_path: Path) -> None:
    assert entries_of(tmp_path, {"app.py": CLICK, "app.js": "app.get('/carts', f);\n"}) == []


def test_tests_and_examples_are_no_entry_points_and_make_none(tmp_path: Path) -> None:
    files = {"tests/test_app.py": FLASK, "examples/app.py": FLASK, "shop.py": CLICK}
    assert entries_of(tmp_path, files) == []


def test_commands_come_before_routes(tmp_path: Path) -> None:
    files = {"a.py": FLASK, "b.py": f"import click\n{CLICK}"}
    assert [what for what, _, _ in entries_of(tmp_path, files)] == ["CLI command"] * 2 + ["HTTP route"] * 2
