"""What a name means in TypeScript: imports, re-exports, classes, interfaces, typed values; who uses an overload."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from code_insight.model import ReferenceKind
from code_insight.queries.graph import Certainty, users
from code_insight.queries.resolving import Defined, Instance, Meaning, Resolver
from code_insight.store import IndexedCommit, Reader

from tests.server.indexed import index
from tests.server.places import Repository, catalog_at

FILES = {
    "src/door.ts": """\
export interface Lock { turn(): void }
export class Base { close(): void {} }
export class Door extends Base {
  private lock: Lock;
  spare = new Key();
  constructor(private readonly bell: Bell) { super(); }
  open(): Door;
  open(force?: boolean): Door {
    this.lock.turn();
    this.spare.cut();
    this.bell.ring();
    super.close();
    this.close();
    return this;
  }
}
export class Key { cut(): void {} }
export class Bell { ring(): void {} }
export function make(): Door { return new Door(new Bell()); }
export const later = async (): Promise<Door> => make();
""",
    "src/index.ts": 'export { Door as Gate, make } from "./door";\nexport * from "./door";\n',
    "src/main.ts": """\
import { Gate, make, Key } from "./index";
import * as doors from "./door";

export async function run(anything: any, given: doors.Door | undefined) {
  new Gate(null).open();
  make().open();
  given!.open();
  (await doors.later()).open();
  const key = new Key();
  key.cut();
  anything.open();
  [given].forEach((given) => given.open());
}
""",
    "src/other.ts": "export class Shop { open() {} }\nfunction f(shop: Shop) { shop.open(); }\n",
}


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> IndexedCommit:
    folder = tmp_path_factory.mktemp("typescript")
    repository = Repository(folder / "doors")
    repository.commit(FILES, "first")
    return catalog_at(folder).add(str(repository.folder)).indexed


@pytest.fixture(scope="module")
def reader(doors: IndexedCommit) -> Iterator[Reader]:
    with Reader(doors) as opened:
        yield opened


def meaning(reader: Reader, path: str, line: int, name: str) -> Meaning | None:
    found = [use for use in reader.occurrences(name) if (use.path, use.line) == (path, line)]
    return Resolver(reader).meaning(found[0])


@pytest.mark.parametrize(
    ("line", "name", "meant"),
    [
        (9, "turn", "Lock.turn"),
        (10, "cut", "Key.cut"),
        (11, "ring", "Bell.ring"),
        (12, "close", "Base.close"),
        (13, "close", "Base.close"),
        (19, "Door", "Door"),
    ],
)
def test_attributes_of_this_have_their_declared_class(reader: Reader, line: int, name: str, meant: str) -> None:
    found = meaning(reader, "src/door.ts", line, name)
    assert isinstance(found, Defined)
    assert found.symbol.qualified_name == meant


@pytest.mark.parametrize(("line", "name"), [(5, "open"), (6, "open"), (7, "open"), (8, "open"), (10, "cut")])
def test_a_call_through_imports_and_types_means_the_method(reader: Reader, line: int, name: str) -> None:
    found = meaning(reader, "src/main.ts", line, name)
    assert isinstance(found, Defined)
    assert found.symbol.path == "src/door.ts"


def test_what_any_says_is_not_known(reader: Reader) -> None:
    assert not isinstance(meaning(reader, "src/main.ts", 11, "open"), Defined | Instance)


def test_users_of_an_overload_are_exact_and_those_of_another_class_left_out(doors: IndexedCommit) -> None:
    found = users(doors, "Door.open")
    exact = [use.occurrence.line for use in found.uses if use.certainty is Certainty.EXACT]
    assert exact[:4] == [5, 6, 7, 8]
    assert found.elsewhere == 1
    assert "src/other.ts" not in {use.occurrence.path for use in found.uses}


def test_uses_under_the_name_that_an_import_gives_are_uses(doors: IndexedCommit) -> None:
    found = users(doors, "Door")
    exact = {(use.occurrence.path, use.occurrence.line) for use in found.uses if use.certainty is Certainty.EXACT}
    assert ("src/main.ts", 5) in exact  # new Gate(null)


TYPES: dict[str, str] = {
    "lib.ts": """\
export interface Sink<T> { next(value: T): void; done: () => void }
export class Pipe<T> implements Sink<T> {
  constructor(start?: (this: Pipe<T>, sink: Pipe<T>) => void) {}
  next(value: T): void {}
  done() {}
  each(take: (value: T, place: number) => void): this { return this; }
  last(): T { return null!; }
  get first(): T { return null!; }
}
export class Door { open(): void {} }
export type Taker = (door: Door) => void;
export type Props = { door: Door; onOpen: (door: Door) => void };
export function lift<T>(start: (from: Pipe<T>, to: Sink<T>) => void): void;
export function lift<T>(start: (from: Pipe<T>, to: Sink<T>) => void, more?: unknown): void {}
export const tools = { use() { this.help(); }, help: () => 1 };
export const typed: Sink<Door> = { next() {}, done() {} };
const hidden = () => new Door();
export { hidden as shown };
export default function knock(): Door { return new Door(); }
""",
    "app.tsx": """\
import knock, { Pipe, Door, Taker, Props, lift, tools, typed, shown } from "./lib";
import type { Sink } from "./lib";

lift((from, to) => { from.done(); to.next(1); });  // done: Pipe.done, next: Sink.next
new Pipe<Door>((sink) => sink.done());  // done: Pipe.done
export function main(pipe: Pipe<Door>, all: Door[], named: Map<string, Door>, given: Sink<Door> | Pipe<Door>) {
  pipe.each((door) => door.open());  // open: Door.open
  pipe.each((door) => {}).each((door) => door.open());  // each: Pipe.each, open: Door.open
  pipe.last().open();  // open: Door.open
  pipe.first.open();  // open: Door.open
  all[0].open();  // open: Door.open
  all.forEach((door) => door.open());  // open: Door.open
  for (const door of all) door.open();  // open: Door.open
  named.get("x")!.open();  // open: Door.open
  const take: Taker = (door) => door.open();  // open: Door.open
  tools.use();  // use: tools.use
  typed.next(null!);  // next: Sink.next
  shown().open();  // shown: hidden, open: Door.open
  knock().open();  // knock: knock, open: Door.open
  const door = pipe as unknown as Door;
  door.open();  // open: Door.open
  const one = all.length ? all[0] : knock();
  one.open();  // open: Door.open
  given.next(null!);  // next: unknown
  const again = (n: number) => { if (n) again(n - 1); };  // again: main.again
  anything().then((door) => door.open());  // open: unknown
  socket.onopen = () => { again(1); };  // again: main.again
}
export function View({ door, onOpen }: Props) {
  door.open();  // open: Door.open
  return <Inner door={door} />;  // Inner: Inner
}
const Inner = (props: Props) => <p>{props.door.open()}</p>;  // open: Door.open
""",
}
_EXPECTED = re.compile(r"(\w+): ([\w.]+)(?:, |$)")
CLAIMS = [
    (line, name, meant)
    for line, text in enumerate(TYPES["app.tsx"].splitlines(), start=1)
    if "  // " in text
    for name, meant in _EXPECTED.findall(text.rpartition("  // ")[2])
]


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with Reader(index(tmp_path_factory.mktemp("types"), dict(TYPES))) as opened:
        yield opened


@pytest.mark.parametrize(("line", "name", "meant"), CLAIMS)
def test_types_tell_what_a_name_means(typed: Reader, line: int, name: str, meant: str) -> None:
    uses = [use for use in typed.occurrences(name) if (use.path, use.line) == ("app.tsx", line)]
    meanings = {Resolver(typed).meaning(use) for use in uses if use.kind is ReferenceKind.CALL}
    assert {one.symbol.qualified_name if isinstance(one, Defined) else "unknown" for one in meanings} == {meant}
