"""What a name means where it stands: each claim is a small Python repository that says so in its comments."""

from __future__ import annotations

import gc
import re
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from code_insight.queries.resolving import Defined, Instance, Meaning, Module, Outside, Resolver, Super
from code_insight.queries.resolving import resolver as resolver_module
from code_insight.store import Reader

from tests.server.indexed import index

# A comment at the end of a line names one of its names, and what that means: "a.f" is the definition f in a.py,
# "a.C()" a value of the class C, "module a" the module, "outside" not of this repository, "unknown" not told.
CLAIMS = {
    # Names
    "a name means the function of its module": """
        def helper(): ...
        def main():
            helper()  # helper: main.helper
        """,
    "the innermost definition is meant": """
        def helper(): ...
        def main():
            def helper(): ...
            def inner():
                helper()  # helper: main.main.helper
        """,
    "a parameter hides the module's function": """
        def helper(): ...
        def main(helper):
            helper()  # helper: unknown
        """,
    "a parameter of a lambda hides the module's function": """
        def helper(): ...
        def main():
            return lambda helper: helper()  # helper: unknown
        """,
    "a local variable hides the module's function": """
        def helper(): ...
        def main(items):
            helper = items[0]
            helper()  # helper: unknown
        """,
    "a variable of a loop, of a comprehension and of a nested pattern hides the module's function": """
        def helper(): ...
        def loop(items):
            for helper in items:
                helper()  # helper: unknown
        def deep(items):
            for _, (_, helper) in items:
                helper()  # helper: unknown
        def comprehension(items):
            return [helper() for helper in items]  # helper: unknown
        def unpacked(items):
            _, (_, *helper) = items
            helper()  # helper: unknown
        def starred(*helper):
            helper()  # helper: unknown
        def annotated(*helper: int):
            helper()  # helper: unknown
        def caught():
            with open("x") as (_, helper):
                helper()  # helper: unknown
        def matched(items):
            match items:
                case [helper]:
                    helper()  # helper: unknown
        """,
    "a variable named like another function of the module means that function": """
        def helper(): ...
        def main():
            work = helper
            work()  # work: main.helper
        """,
    "a method is not seen from a method without its class": """
        def run(): ...
        class Door:
            def run(self): ...
            def main(self):
                run()  # run: main.run
        """,
    "a class body sees its own names": """
        def make(): ...
        class Door:
            def make(): ...
            handle = make()  # make: main.Door.make
        """,
    "a built-in name is outside": """
        def main(items):
            print(len(items))  # print: outside
            sorted(items)  # sorted: outside
        """,
    "a name that nobody defines is not known": """
        def main():
            gettext_of_old()  # gettext_of_old: unknown
        """,
    "a module's own name comes before the built-in one": """
        def print(): ...
        def main():
            print()  # print: main.print
        """,
    "what is called on an untyped parameter is not known": """
        class Door:
            def open(self): ...
        def main(door):
            door.open()  # open: unknown
        """,
    "what isinstance() has made sure of is known where it holds": """
        class Door:
            def open(self): ...
        class Gate:
            def open(self): ...
        def main(door, gate):
            if isinstance(door, Gate):
                door.open()  # open: main.Gate.open
            else:
                door.open()  # open: unknown
            if not isinstance(door, Door):
                return door.open()  # open: unknown
            door.open()  # open: main.Door.open
            opened = isinstance(gate, Gate) and gate.open()  # open: main.Gate.open
            return gate.open()  # open: unknown
        """,
    "what isinstance() has made sure of holds until there is another value": """
        class Door:
            def open(self): ...
        def main(door, other):
            if isinstance(door, Door):
                door = other(door.open())  # open: main.Door.open
                door.open()  # open: unknown
            if isinstance(other, str):
                other.open()  # open: outside
        """,
    "a definition of the module that stands after its use is meant": """
        def main():
            return later()  # later: main.later
        def later(): ...
        """,
    # Imports
    "an import means the definition": """
        from .doors import knock
        knock()  # knock: doors.knock
        -- doors.py
        def knock(): ...
        """,
    "an import under another name means the definition": """
        from .doors import knock as beat
        beat()  # beat: doors.knock
        def knock(): ...
        knock()  # knock: main.knock
        -- doors.py
        def knock(): ...
        """,
    "an import from a package above": """
        -- deep/er/main.py
        from ...doors import knock
        knock()  # knock: doors.knock
        -- deep/er/__init__.py
        -- deep/__init__.py
        -- __init__.py
        -- doors.py
        def knock(): ...
        """,
    "a module that is imported by name leads to its functions": """
        from . import doors
        doors.knock()  # knock: doors.knock
        doors.gone()  # gone: unknown
        doors  # doors: module doors
        -- doors.py
        def knock(): ...
        """,
    "import * brings what the file does not define": """
        from .doors import *
        knock()  # knock: doors.knock
        ring()  # ring: main.ring
        print()  # print: outside
        def ring(): ...
        -- doors.py
        def knock(): ...
        def ring(): ...
        """,
    "after import * from outside a built-in name is not known": """
        from elsewhere import *
        print()  # print: unknown
        """,
    "a re-export is followed to the definition": """
        from .pkg import knock, beat
        knock()  # knock: doors.knock
        beat()  # beat: doors.knock
        -- pkg/__init__.py
        from .api import knock
        from .api import knock as beat
        from .star import *
        -- pkg/api.py
        from .star import knock as knock
        -- pkg/star.py
        from .doors import *
        -- pkg/doors.py
        def knock(): ...
        """,
    "a dotted import binds its first name": """
        import alpha.beta.gamma
        alpha.beta.gamma.knock()  # knock: gamma.knock
        alpha.ring()  # ring: alpha.ring
        -- alpha/__init__.py
        def ring(): ...
        -- alpha/beta/__init__.py
        -- alpha/beta/gamma.py
        def knock(): ...
        """,
    "a dotted import under another name binds the last module": """
        import delta.beta.gamma as short
        short.knock()  # knock: gamma.knock
        -- delta/__init__.py
        -- delta/beta/__init__.py
        -- delta/beta/gamma.py
        def knock(): ...
        """,
    "two dotted imports of one package lead to both modules": """
        import omega.one
        import omega.two
        omega.one.knock()  # knock: one.knock
        omega.two.ring()  # ring: two.ring
        -- omega/__init__.py
        -- omega/one.py
        def knock(): ...
        -- omega/two.py
        def ring(): ...
        """,
    "what comes from a package elsewhere is outside": """
        import json
        import requests.adapters as adapters
        from os.path import join
        def dumps(): ...
        def send(): ...
        json.dumps()  # dumps: outside
        adapters.HTTPAdapter().send()  # send: outside
        join("a")  # join: outside
        """,
    "an import inside a function is of that function": """
        from .doors import knock
        def first():
            from .windows import knock
            knock()  # knock: windows.knock
        def second():
            knock()  # knock: doors.knock
        def knock_twice():
            from .windows import knock_twice
            knock_twice()  # knock_twice: windows.knock_twice
        -- doors.py
        def knock(): ...
        -- windows.py
        def knock(): ...
        def knock_twice(): ...
        """,
    "a name imported from two modules is not known": """
        try:
            from .doors import knock
        except ImportError:
            from .windows import knock
        knock()  # knock: unknown
        -- doors.py
        def knock(): ...
        -- windows.py
        def knock(): ...
        """,
    # Classes
    "a method on self is the class's own": """
        class Door:
            def open(self): ...
            def main(self):
                self.open()  # open: main.Door.open
        class Window:
            def open(self): ...
        """,
    "a method on self in a nested function is the class's own": """
        class Door:
            def open(self): ...
            def main(self):
                def inner():
                    self.open()  # open: main.Door.open
        """,
    "a method on cls is the class's own": """
        class Door:
            def open(self): ...
            @classmethod
            def main(cls):
                cls().open()  # open: main.Door.open
                cls.open()  # open: main.Door.open
        """,
    "a method comes from the nearest base": """
        from .base import Thing
        class Middle(Thing):
            def close(self): ...
        class Door(Middle):
            def main(self):
                self.open()  # open: base.Thing.open
                self.close()  # close: main.Middle.close
        -- base.py
        class Thing:
            def open(self): ...
            def close(self): ...
        """,
    "a base that is named with its module": """
        from . import base
        class Door(base.Thing):
            def main(self):
                self.open()  # open: base.Thing.open
        -- base.py
        class Thing:
            def open(self): ...
        """,
    "a generic base": """
        from typing import Generic, TypeVar
        T = TypeVar("T")
        class Thing(Generic[T]):
            def open(self): ...
        class Door(Thing[int]):
            def main(self):
                self.open()  # open: main.Thing.open
                self.gone()  # gone: outside
        """,
    "what only an unknown base can have is outside": """
        from elsewhere import Base
        class Door(Base):
            def main(self):
                self.run()  # run: outside
                self.open()  # open: main.Door.open
            def open(self): ...
        class Other:
            def run(self): ...
        """,
    "what no base has is not known": """
        class Door:
            def main(self):
                self.run()  # run: unknown
        class Other:
            def run(self): ...
        """,
    "super() means the base": """
        class Thing:
            def open(self): ...
            def __init__(self): ...
        class Door(Thing):
            def open(self):
                super().open()  # open: main.Thing.open
                super(Door, self).open()  # open: main.Thing.open
            def __init__(self):
                super().__init__()  # __init__: main.Thing.__init__
        """,
    "an override is meant where the class is known": """
        class Thing:
            def open(self): ...
        class Door(Thing):
            def open(self): ...
        def main():
            Door().open()  # open: main.Door.open
            Thing().open()  # open: main.Thing.open
        """,
    "a method that is taken from the class": """
        class Door:
            def open(self): ...
        Door.open(None)  # open: main.Door.open
        """,
    "a class attribute is meant, also from self": """
        class Door:
            width = compute()
            def main(self):
                self.width  # width: main.Door.width
        Door.width  # width: main.Door.width
        """,
    "a nested class is found in its class": """
        class Door:
            class Lock:
                def turn(self): ...
            def main(self):
                self.Lock().turn()  # turn: main.Door.Lock.turn
        Door.Lock().turn()  # turn: main.Door.Lock.turn
        """,
    "a class attribute that names a class makes its values": """
        class Lock:
            def turn(self): ...
        class Door:
            lock_class = Lock
            def main(self):
                self.lock_class().turn()  # turn: main.Lock.turn
        """,
    "what two bases share is asked after both": """
        class Thing:
            def open(self): ...
        class Left(Thing): ...
        class Right(Thing):
            def open(self): ...
        class Door(Left, Right):
            def main(self):
                self.open()  # open: main.Right.open
        """,
    "super() of a named base means what is above that": """
        class Thing:
            def open(self): ...
        class Middle(Thing):
            def open(self): ...
        class Door(Middle):
            def main(self):
                super(Middle, self).open()  # open: main.Thing.open
                super(Door, self).open()  # open: main.Middle.open
        """,
    "what a method of an unknown base gives is not known": """
        from elsewhere import Base
        class Door(Base):
            def open(self): ...
            def main(self):
                self.made()  # made: outside
                self.made().open()  # open: unknown
                super().made().open()  # open: unknown
        """,
    "the class of self makes values of it": """
        class Door:
            def open(self): ...
            def main(self):
                self.__class__().open()  # open: main.Door.open
                type(self)(1).open()  # open: main.Door.open
        """,
    "self is a parameter like any other outside a class": """
        def main(self):
            self.open()  # open: unknown
        def open(): ...
        """,
    # Values
    "what __init__ gives to self is known in other methods": """
        class Lock:
            def turn(self): ...
        class Door:
            def __init__(self):
                self.lock = Lock()
            def main(self):
                self.lock.turn()  # turn: main.Lock.turn
        def other(door: Door):
            door.lock.turn()  # turn: main.Lock.turn
        """,
    "what a base's __init__ gives to self is known in the class": """
        from .base import Thing
        class Door(Thing):
            def main(self):
                self.lock.turn()  # turn: base.Lock.turn
        -- base.py
        class Lock:
            def turn(self): ...
        class Thing:
            def __init__(self):
                self.lock = Lock()
        """,
    "an attribute is typed by the parameter that it keeps": """
        class Lock:
            def turn(self): ...
        class Door:
            def __init__(self, lock: Lock):
                self.lock = lock
            def main(self):
                self.lock.turn()  # turn: main.Lock.turn
        """,
    "a parameter's annotation says its class": """
        from __future__ import annotations
        import typing as t
        from typing import Optional
        class Lock:
            def turn(self): ...
        def plain(lock: Lock):
            lock.turn()  # turn: main.Lock.turn
        def default(lock: Lock = None):
            lock.turn()  # turn: main.Lock.turn
        def optional(lock: Optional[Lock]):
            lock.turn()  # turn: main.Lock.turn
        def either(lock: Lock | None = None):
            lock.turn()  # turn: main.Lock.turn
        def quoted(lock: "Lock"):
            lock.turn()  # turn: main.Lock.turn
        def both(lock: t.Optional["Lock"]):
            lock.turn()  # turn: main.Lock.turn
        def quoted_either(lock: "Lock | None"):
            lock.turn()  # turn: main.Lock.turn
        def quoted_part(lock: "Lock" | None):
            lock.turn()  # turn: main.Lock.turn
        def union(lock: t.Union[Lock, None]):
            lock.turn()  # turn: main.Lock.turn
        def noted(lock: t.Annotated[Lock, "x, y"]):
            lock.turn()  # turn: main.Lock.turn
        def a_class(lock: type[Lock]):
            lock().turn()  # turn: main.Lock.turn
        def keyword(*, lock: Lock):
            lock.turn()  # turn: main.Lock.turn
        """,
    "an annotation that leaves two classes says nothing": """
        import typing as t
        class Lock:
            def turn(self): ...
        class Key:
            def turn(self): ...
        def main(one: Lock | Key, other: t.Union[Lock, Key]):
            one.turn()  # turn: unknown
            other.turn()  # turn: unknown
        """,
    "what a container holds is of the type that its annotation says": """
        import typing as t
        from collections.abc import Iterator, Mapping
        class Lock:
            def turn(self): ...
        class Key:
            def turn(self): ...
        class Ring:
            keys: dict[str, "Key"] = {}
            def __iter__(self) -> Iterator[Key]: ...
            def main(self, locks: t.Sequence[Lock] | None, by_key: Mapping[Key, Lock], pairs: list[tuple[Lock, Key]]):
                for lock in locks:
                    lock.turn()  # turn: main.Lock.turn
                [key.turn() for key in by_key]  # turn: main.Key.turn
                by_key["a"].turn()  # turn: main.Lock.turn
                by_key.get("a").turn()  # turn: main.Lock.turn
                {value.turn() for value in self.keys.copy().values()}  # turn: main.Key.turn
                for one, other in by_key.items():
                    one.turn()  # turn: main.Key.turn
                    other.turn()  # turn: main.Lock.turn
                for (first, second) in pairs:
                    second.turn()  # turn: main.Key.turn
        def walk(ring: Ring, rings: list[Ring], words: list[str], any: object, either: list[Lock | Key]):
            for key in ring:
                key.turn()  # turn: main.Key.turn
            for a, b in rings:
                a.turn()  # turn: unknown
            for word in words:
                word.turn()  # turn: outside
            for thing in any:
                thing.turn()  # turn: unknown
            any[0].turn()  # turn: unknown
            either[0].turn()  # turn: unknown
        """,
    "an annotation of a container is the container's": """
        class Lock:
            def turn(self): ...
            def append(self): ...
        def main(locks: list[Lock], more: Lock):
            locks.append(more)  # append: outside
            locks[0].turn()  # turn: main.Lock.turn
            locks.pop().turn()  # turn: main.Lock.turn
            locks.pop(0).append()  # append: main.Lock.append
            locks[1:].turn()  # turn: unknown
        def many(*locks: Lock, **named: Lock):
            locks.append()  # append: unknown
            named.append()  # append: unknown
        def maker(make: Callable[[], Lock]):
            make().turn()  # turn: unknown
        """,
    "an attribute's annotation says its class": """
        class Lock:
            def turn(self): ...
        class Door:
            lock: Lock
            other: "Lock | None" = None
            def __init__(self, x):
                self.third: Lock = x
            def main(self):
                self.lock.turn()  # turn: main.Lock.turn
                self.other.turn()  # turn: main.Lock.turn
                self.third.turn()  # turn: main.Lock.turn
        """,
    "the annotation of a return says what a call gives": """
        from typing import Self
        class Door:
            def open(self): ...
            def knock(self) -> Self: ...
            def again(self) -> "Door": ...
        class Gate(Door):
            def open(self): ...
        def make() -> Door: ...
        async def later() -> Door: ...
        def main():
            make().open()  # open: main.Door.open
            make().again().again().open()  # open: main.Door.open
            door = make()
            door.open()  # open: main.Door.open
            Gate().knock().open()  # open: main.Gate.open
            Gate().again().open()  # open: main.Door.open
        async def waiting():
            (await later()).open()  # open: main.Door.open
        """,
    "a variable is of the class that made it": """
        class Door:
            def open(self): ...
        def main():
            door = Door()
            door.open()  # open: main.Door.open
            Door().open()  # open: main.Door.open
            if (other := Door()):
                other.open()  # open: main.Door.open
            copy = door
            copy.open()  # open: main.Door.open
        """,
    "a module's variable is of the class that made it, also elsewhere": """
        from .doors import front
        from . import doors
        front.open()  # open: doors.Door.open
        doors.front.open()  # open: doors.Door.open
        def main():
            front.open()  # open: doors.Door.open
        -- doors.py
        class Door:
            def open(self): ...
        front = Door()
        """,
    "with names what __enter__ gives": """
        class Door:
            def __enter__(self):
                return self
            def open(self): ...
        class Porch:
            def __enter__(self) -> Door: ...
            def open(self): ...
        def main():
            with Door() as door:
                door.open()  # open: main.Door.open
            with Porch() as porch:
                porch.open()  # open: main.Door.open
            with open("x") as file:
                file.open()  # open: outside
        """,
    "a context manager of a function is not its annotation": """
        from contextlib import contextmanager
        class Door:
            def open(self): ...
        @contextmanager
        def opened():
            yield Door()
        def main():
            with opened() as door:
                door.open()  # open: unknown
        """,
    "a property is its value, and its name means the definition": """
        class Lock:
            def turn(self): ...
        class Door:
            @property
            def lock(self) -> Lock: ...
            @property
            def made(self):
                return Lock()
            @made.setter
            def made(self, value): ...
            def plain(self) -> Lock: ...
            def main(self):
                self.lock.turn()  # turn: main.Lock.turn
                self.lock  # lock: main.Door.lock
                self.made.turn()  # turn: main.Lock.turn
                self.plain.turn()  # turn: unknown
        """,
    "a function without annotation gives what it returns": """
        class Door:
            def open(self): ...
        def make():
            return Door()
        def through():
            door = make()
            return door
        def either(x):
            if x:
                return Door()
            return x
        def maybe(x):
            if x:
                return Door()
            return None
        def main():
            make().open()  # open: main.Door.open
            through().open()  # open: main.Door.open
            either(1).open()  # open: unknown
            maybe(1).open()  # open: main.Door.open
        """,
    "two different values of one name are not known": """
        class Door:
            def open(self): ...
        class Window:
            def open(self): ...
        def main(x):
            way = Door()
            if x:
                way = Window()
            way.open()  # open: unknown
        class House:
            def __init__(self):
                self.way = Door()
            def change(self):
                self.way = Window()
                self.way.open()  # open: unknown
        """,
    "values of one class, and None, are that class": """
        class Door:
            def open(self): ...
        def main(x):
            way = None
            if x:
                way = Door()
            else:
                way = Door()
            way.open()  # open: main.Door.open
        class House:
            way = None
            def change(self):
                self.way = Door()
                self.way.open()  # open: main.Door.open
        """,
    "a name that is bound to what it was stays it": """
        class Door:
            def open(self): ...
            def knock(self) -> "Door": ...
        def main():
            door = Door()
            door = door.knock()
            door.open()  # open: main.Door.open
        """,
    "a function that gives what it gets": """
        import copy
        import typing as t
        class Door:
            def open(self): ...
            def again(self):
                return copy.copy(self)
        class Gate(Door):
            def again(self):
                return super().again()
            def open(self): ...
        def main(x):
            Door().again().open()  # open: main.Door.open
            Gate().again().open()  # open: main.Gate.open
            t.cast("Door", x).open()  # open: main.Door.open
            next(x).open()  # open: unknown
            max(x).open()  # open: unknown
            list(x).pop().open()  # open: unknown
        """,
    "self is given in the class that was asked": """
        class Door:
            def open(self): ...
            def knock(self):
                return self
        class Gate(Door):
            def open(self): ...
        Gate().knock().open()  # open: main.Gate.open
        Door().knock().open()  # open: main.Door.open
        """,
    "a function that is defined, and also given as a parameter, is not known": """
        def main(helper=None):
            if helper is None:
                def helper(): ...
            helper()  # helper: unknown
        """,
    "what stands for a parameter that is not given is its value": """
        class Lock:
            def turn(self): ...
        class Key:
            def turn(self): ...
        class Door:
            def __init__(self, lock=None, key=Key(), bolt: Key = None):
                self.lock = lock or Lock()
                self.key = key or Lock()
                self.bolt = bolt or Lock()
            def main(self):
                self.lock.turn()  # turn: main.Lock.turn
                self.key.turn()  # turn: unknown
                self.bolt.turn()  # turn: unknown
        def main(lock=None):
            if lock is None:
                lock = Lock()
            lock.turn()  # turn: main.Lock.turn
        def other(lock=None):
            lock.turn()  # turn: unknown
        """,
    "each value is read where it is given": """
        class Lock:
            def turn(self): ...
        class Key:
            def turn(self): ...
        class Door:
            def first(self, key: Key):
                self.part = key
            def second(self, lock: Lock):
                self.part = lock
            def third(self):
                self.part.turn()  # turn: unknown
        """,
    "literals are of built-in classes": """
        class Door:
            def append(self): ...
        def main():
            items = []
            items.append(1)  # append: outside
            {}.append()  # append: outside
            "".append()  # append: outside
            f"{items}".append()  # append: outside
        """,
    "an attribute of something that is more than names is not known": """
        class Door:
            def open(self): ...
        def main(doors):
            doors[0].open()  # open: unknown
            (doors or Door()).open()  # open: unknown
        """,
    "what is made in a function of another file is read there": """
        from .doors import make
        class Door:
            def open(self): ...
        make().open()  # open: doors.Door.open
        -- doors.py
        class Door:
            def open(self): ...
        def make():
            return Door()
        """,
    # Circles
    "files that import each other know each other's definitions": """
        from .other import Window
        class Door:
            def open(self): ...
        Window().door().open()  # open: main.Door.open
        -- other.py
        from .main import Door
        class Window:
            def door(self) -> Door: ...
        """,
    "names that only mean each other mean nothing": """
        from .other import circle
        first = second
        second = first
        first()  # first: unknown
        circle()  # circle: unknown
        itself = itself
        itself()  # itself: unknown
        def forth():
            return back()
        def back():
            return forth()
        forth().open()  # open: unknown
        -- other.py
        from .main import circle
        """,
    "classes that inherit from each other end": """
        class Door(Window):
            def main(self):
                self.open()  # open: main.Window.open
                self.gone()  # gone: unknown
                super().gone()  # gone: unknown
        class Window(Door):
            def open(self): ...
        class Alone(Alone):
            def main(self):
                self.gone()  # gone: unknown
        """,
    "files that star-import each other end": """
        from .other import *
        knock()  # knock: other.knock
        gone()  # gone: unknown
        -- other.py
        from .main import *
        def knock(): ...
        """,
}

_EXPECTED = re.compile(r"# (\w+): ([\w ]+(?:\.\w+)*(?:\(\))?)$")
_STEPS = 2_000
HOSTILE = {
    "aliases.py": "def step0(): ...\n"
    + "".join(f"step{at} = step{at - 1}\n" for at in range(1, _STEPS + 1))
    + f"step{_STEPS}()  # step{_STEPS}: unknown\n",
    "attributes.py": "from . import attributes\n" + "attributes." * 1_000 + "end()  # end: unknown\n",
    "calls.py": "class C:\n    def f(self) -> 'C': ...\nC()" + ".f()" * 1_000 + ".end()  # end: unknown\n",
    "circle.py": "".join(f"class C{at}(C{(at + 1) % _STEPS}): ...\n" for at in range(_STEPS))
    + "C0().gone()  # gone: unknown\n",
    "wide.py": "class W0: ...\n"
    + "".join(f"class W{at}(W{at - 1}, W{at // 2}, W{at // 3}): ...\n" for at in range(1, 300))
    + "W299().gone()  # gone: unknown\n",
    "both.py": "def f0(): ...\ndef f1(): return f0()\n"
    + "".join(f"def f{at}():\n    return f{at - 1}()\n    return f{at - 2}()\n" for at in range(2, 200))
    + "f199().gone()  # gone: unknown\n",
    "own.py": "class C(C.b):\n    def f(self):\n        self.gone()  # gone: outside\n",
    "crossed.py": "def main():\n" + "    x = y.a()\n    y = x.b()\n" * 40 + "    x.end()  # end: unknown\n",
    "many.py": "def main():\n"
    + "".join(f"    x = a{at}()\n    a{at} = x.b{at}()\n" for at in range(200))
    + "    x.end()  # end: unknown\n",
    "deep.py": "class D0:\n    def f(self): ...\n"
    + "".join(f"class D{at}(D{at - 1}): ...\n" for at in range(1, 60))
    + "D59().f()  # f: deep.D0.f\n",
    "rebound.py": "def main(x):\n    x = C()\n" + "    x = x.f()\n" * 300 + "    x.end()  # end: unknown\n",
}


def _files() -> Iterator[tuple[str, str]]:
    """(path, text): each claim in a folder of its own; a text that names no file first is main.py."""
    for number, text in enumerate(CLAIMS.values()):
        first, *others = re.split(r"(?m)^-- (.*)\n", textwrap.dedent(text).lstrip("\n") + "\n")
        for path, content in [("main.py", first), *zip(others[::2], others[1::2], strict=True)]:
            if content or path != "main.py":
                yield f"claim{number}/{path}", content
    yield from ((f"hostile/{path}", text) for path, text in HOSTILE.items())


FILES = dict(_files())


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """All the claims' files in one commit."""
    with Reader(index(tmp_path_factory.mktemp("resolving"), dict(FILES))) as opened:
        yield opened


def expected_in(path: str) -> Iterator[tuple[int, str, str]]:
    """(line, name, what it means) as the comments of a file say."""
    for line, text in enumerate(FILES[path].splitlines(), start=1):
        if match := _EXPECTED.search(text):
            yield line, match[1], match[2]


def meaning_at(reader: Reader, path: str, line: int, name: str) -> str:
    """What a name on a line of a file means, in the words of the claims' comments."""
    file = next(file for file in reader.files() if file.path == path)
    uses = [use for use in reader.occurrences_in(file.blob) if (use.line, use.name) == (line, name)]
    resolver = Resolver(reader)
    meanings = {_in_words(resolver.meaning(use._replace(path=path))) for use in uses}
    return " or ".join(sorted(meanings))


def _in_words(meaning: Meaning | None) -> str:
    match meaning:
        case Defined(symbol):
            return f"{_stem(symbol.path)}.{symbol.qualified_name}"
        case Instance(symbol):
            return f"{_stem(symbol.path)}.{symbol.qualified_name}()"
        case Super(symbol):
            return f"super of {symbol.qualified_name}"
        case Module(place):
            return f"module {_stem(place)}"
        case Outside():
            return "outside"
        case _:
            return "unknown"


def _stem(path: str) -> str:
    return path.removesuffix("/__init__.py").rpartition("/")[2].removesuffix(".py")


@pytest.mark.parametrize(
    ("number", "claim"), list(enumerate(CLAIMS)), ids=[claim.replace(" ", "_") for claim in CLAIMS]
)
def test_what_a_name_means(reader: Reader, number: int, claim: str) -> None:
    said = [(path, *each) for path in FILES if path.startswith(f"claim{number}/") for each in expected_in(path)]
    assert said, claim
    found = [(path, line, name, meaning_at(reader, path, line, name)) for path, line, name, _ in said]
    assert found == said


@pytest.mark.parametrize("path", sorted(HOSTILE))
def test_a_chain_without_end_is_given_up_soon(reader: Reader, path: str) -> None:
    ((line, name, meaning),) = expected_in(f"hostile/{path}")
    began = time.process_time()
    assert meaning_at(reader, f"hostile/{path}", line, name) == meaning
    assert time.process_time() - began < 2


def test_files_that_import_all_of_each_other_are_asked_once_each(tmp_path: Path) -> None:
    names = [f"part{number}" for number in range(12)]
    stars = "".join(f"from {name} import *\n" for name in names)
    files: dict[str, str | bytes] = {f"{name}.py": stars for name in names}
    with Reader(index(tmp_path, files | {"use.py": f"{stars}\nmissing()\n"})) as reader:
        (use,) = reader.occurrences("missing")
        assert Resolver(reader).meaning(use) is None  # each of them again by each way to it would take for ever


def test_a_meaning_does_not_depend_on_what_was_asked_before(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    uses = [
        use._replace(path=file.path)
        for file in reader.files()
        for use in reader.occurrences_in(file.blob)[:: 50 if file.path.startswith("hostile/") else 1]
    ]
    alone = {use: Resolver(reader).meaning(use) for use in uses}
    for order in (uses, uses[::-1]):
        resolver = Resolver(reader)
        assert {use: resolver.meaning(use) for use in order} == alone
    monkeypatch.setattr(resolver_module, "_TEXT_KEPT", 0)  # all is let go after each
    for use in uses:
        resolver.trim()
        assert resolver.meaning(use) == alone[use]


def test_what_was_read_of_a_commit_is_freed_when_it_is_let_go(reader: Reader) -> None:
    """Without waiting for the collector, which runs rarely in a server that has much."""
    gc.disable()
    try:
        before = _resolvers()
        resolver = Resolver(reader)
        for file in reader.files():
            for use in reader.occurrences_in(file.blob):
                resolver.meaning(use._replace(path=file.path))
        del resolver
        assert _resolvers() == before
    finally:
        gc.enable()


def _resolvers() -> int:
    return sum(isinstance(one, Resolver) for one in gc.get_objects())
