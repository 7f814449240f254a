"""Edits of bodies of functions: new code on the live objects, and a call runs wholly in its generation."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chainctl.calls.call_context import CURRENT_CALL, CallContext
from tests.unit.worker.edited import HEAD, Edited, edited
from tests.unit.worker.fabric import run

KINDS = (
    HEAD
    + """
import contextlib
import dataclasses
import functools
import threading
from collections.abc import AsyncIterator, Iterator

import pydantic


def timed(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return f"timed {function(*args, **kwargs)}"
    return inner


def helper(a, /, b=2, *rest, c=3, **more):
    return f"{a}{b}{rest}{c}{more}V0"


def maker(base):
    def made(more=1):
        return f"{base}{more}V0"
    return made


@contextlib.contextmanager
def managed() -> Iterator[str]:
    yield "V0"


class Base:
    def told(self):
        return "base V0"


class Derived(Base):
    def told(self):
        return super().told() + " derived V0"


@dataclasses.dataclass
class Point:
    x: int = 1

    def shown(self):
        return f"{self.x} V0"


class Model(pydantic.BaseModel):
    size: int = 1

    @pydantic.field_validator("size")
    @classmethod
    def checked(cls, value: int) -> int:
        return value + len("V0") - 2

    @pydantic.computed_field
    @property
    def doubled(self) -> str:
        return "V0"


class C(chains.ChainletBase):
    def __init__(self) -> None:
        self.made = maker("m")
        self.point = Point()
        self.bound = self.method
        self.count = 0
        self.derived = Derived()

    def method(self, x=1):
        return f"method {x} V0"

    @staticmethod
    def static():
        return "static V0"

    @classmethod
    def klass(cls):
        return cls.__name__ + " V0"

    @property
    def value(self):
        return self._value or "V0"

    @value.setter
    def value(self, new):
        self._value = new + "V0"

    @timed
    def decorated(self):
        return "V0"

    @functools.lru_cache
    def lambdas(self):
        return (lambda: "V0")()

    def items(self):
        got = yield "first V0"
        try:
            yield f"{got} V0"
        except ValueError as error:
            yield f"caught {error} V0"
        return "end V0"

    async def awaited(self, gate):
        begun = "begun V0"
        await gate.wait()
        return begun + " ended V0 " + self.method()

    async def agen(self):
        got = yield "first V0"
        try:
            yield f"{got} V0"
        except ValueError as error:
            yield f"caught {error} V0"

    async def run_remote(self, wait: bool = False) -> str:
        first = "V0"
        if wait:
            started.set()
            await asyncio.to_thread(go.wait)
        return first + self.method() + helper(1)


started, go = threading.Event(), threading.Event()
import asyncio
"""
)


def newer(text: str, version: int = 1) -> str:
    """The same with other bodies, some lines further down."""
    return text.replace("V0", f"V{version}")


def in_generation(number: int | None) -> None:
    CURRENT_CALL.set(CallContext(generation=number))


def told(c: Any) -> list[Any]:
    """What each kind of function says."""
    module = __import__("sys").modules["chain"]
    c._value = None
    with module.managed() as managed:
        return [
            c.method(), c.bound(5), c.static(), type(c).static(), c.klass(), c.value, c.decorated(), c.made(),
            c.made(more=7), c.point.shown(), c.derived.told(), module.helper(1), module.helper(1, 5, 6, c=7, d=8),
            managed, list(c.items()), module.Model(size=4).doubled,
        ]  # fmt: skip


def test_every_kind_of_function_runs_the_new_body_on_the_same_objects(tmp_path: Path) -> None:
    """State, classes, modules and functions are the very same; each kind of function does something new."""
    with edited(tmp_path, {"chain": KINDS}) as c:
        module, instance = c.loaded, c.instance
        before = told(instance)
        kept = (module.helper, module.C, module.Point, module.Model, instance.made, module.C.value)
        c.edit("swap", chain=newer(KINDS))
        assert told(instance) == [_renamed(value) for value in before]
        assert (module.helper, module.C, module.Point, module.Model, instance.made, module.C.value) == kept
        assert c.loaded is module and c.instance is instance
        assert module.helper.__code__.co_filename == str(tmp_path / "chain.py")


def test_each_call_runs_in_its_generation_until_the_old_one_is_retired(tmp_path: Path) -> None:
    """While both are there, the call decides which code runs, and outside of a call it is the committed one."""
    with edited(tmp_path, {"chain": KINDS}) as c:
        before = told(c.instance)
        after = [_renamed(value) for value in before]
        c.prepare(1, "swap", chain=newer(KINDS))
        assert told(c.instance) == before
        for number, expected in ((0, before), (1, after), (2, after), (None, before)):
            in_generation(number)
            assert told(c.instance) == expected
        c.generations.commit(1)
        for number, expected in ((0, before), (1, after), (None, after)):
            in_generation(number)
            assert told(c.instance) == expected
        c.generations.retire(1)
        in_generation(0)
        assert told(c.instance) == after


def test_an_aborted_edit_leaves_nothing(tmp_path: Path) -> None:
    """All functions have the code that they had."""
    with edited(tmp_path, {"chain": KINDS}) as c:
        code = c.loaded.helper.__code__
        c.prepare(1, "swap", chain=newer(KINDS))
        assert c.loaded.helper.__code__ is not code
        c.generations.abort(1)
        assert c.loaded.helper.__code__ is code
        in_generation(7)
        assert c.instance.method() == "method 1 V0"


def _renamed(value: Any) -> Any:
    if isinstance(value, list):
        return [_renamed(one) for one in value]
    return value.replace("V0", "V1")


def test_generators_go_on_with_the_code_that_they_began_with(tmp_path: Path) -> None:
    """One half consumed stays as it is; a new one takes what is sent and thrown through to the new code."""
    with edited(tmp_path, {"chain": KINDS}) as c:
        old = c.instance.items()
        assert next(old) == "first V0"
        c.edit("swap", retire=False, chain=newer(KINDS))
        assert old.send("x") == "x V0"
        new = c.instance.items()
        assert (next(new), new.send("y"), new.throw(ValueError("z"))) == ("first V1", "y V1", "caught z V1")
        with pytest.raises(StopIteration) as end:
            next(new)
        assert end.value.value == "end V1"


def test_async_kinds_go_on_with_the_code_that_they_began_with(tmp_path: Path) -> None:
    """Coroutines and async generators that were begun stay; those of old calls begin with old code still."""

    async def work(c: Edited) -> None:
        gate = asyncio.Event()
        in_generation(0)
        waiting = asyncio.create_task(c.instance.awaited(gate))
        old = c.instance.agen()
        assert await anext(old) == "first V0"
        c.edit("swap", retire=False, chain=newer(KINDS))
        gate.set()
        assert await waiting == "begun V0 ended V0 method 1 V0"
        assert await old.asend("x") == "x V0"
        in_generation(None)
        assert await c.instance.awaited(gate) == "begun V1 ended V1 method 1 V1"
        new = c.instance.agen()
        assert [await anext(new), await new.asend("y"), await new.athrow(ValueError("z"))] == [
            "first V1",
            "y V1",
            "caught z V1",
        ]
        assert [one async for one in new] == []
        closed = c.instance.agen()
        await anext(closed)
        await closed.aclose()

    with edited(tmp_path, {"chain": KINDS}) as c:
        run(work(c))


def test_calls_under_way_end_with_the_code_that_they_began_with(tmp_path: Path) -> None:
    """The call that waits says V0 throughout, the next one V1; the old one is counted until it ends."""

    async def work(c: Edited) -> None:
        waiting = asyncio.create_task(c.call(wait=True))
        await asyncio.to_thread(c.loaded.started.wait)
        c.edit("swap", chain=newer(KINDS))
        assert c.generations.status()["in_flight"] == {"0": 1}
        assert await c.call() == "V1method 1 V112()3{}V1"
        c.loaded.go.set()
        assert await waiting == "V0method 1 V012()3{}V0"
        await until_retired(c)
        assert c.loaded.helper.__code__.co_filename == str(c.root / "chain.py")

    with edited(tmp_path, {"chain": KINDS}) as c:
        run(work(c))


async def until_retired(c: Edited) -> None:
    while c.generations._swapper._choosing:
        await asyncio.sleep(0)


SYNC = (
    HEAD
    + """
import threading

class C(chains.ChainletBase):
    remote_config = chains.RemoteConfig(compute=chains.Compute(predict_concurrency=4))

    def __init__(self) -> None:
        self.started, self.go = threading.Event(), threading.Event()

    def part(self) -> str:
        return "V0"

    def run_remote(self, wait: bool = False) -> str:
        if wait:
            self.started.set()
            self.go.wait()
        return self.part() + "V0"
"""
)


def test_sync_calls_in_threads_keep_their_generation(tmp_path: Path) -> None:
    """A thread that is in the middle of a call calls old code, others new code at the same time."""

    async def work(c: Edited) -> None:
        waiting = asyncio.create_task(c.call(wait=True))
        await asyncio.to_thread(c.instance.started.wait)
        c.edit("swap", chain=newer(SYNC))
        assert await c.call() == "V1V1"
        c.instance.go.set()
        assert await waiting == "V0V0"

    with edited(tmp_path, {"chain": SYNC}) as c:
        run(work(c))
