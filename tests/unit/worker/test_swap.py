"""Edits of bodies of functions: new code on the live objects, and a call runs wholly in its generation."""

from __future__ import annotations

import asyncio
import gc
import types
import weakref
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from chainctl.calls.call_context import CURRENT_CALL, CallContext
from chainctl.wire.fault import user_frames
from chainctl.worker.generations.refusal import Refused
from chainctl.worker.worker import Call
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


@pytest.fixture(autouse=True)
def no_call() -> Iterator[None]:
    """Tests after one that says in which call it is are in none."""
    token = CURRENT_CALL.set(None)
    yield
    CURRENT_CALL.reset(token)


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
        assert (c.loaded, c.instance) == (module, instance)
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


STREAM = (
    HEAD
    + """
from collections.abc import AsyncIterator, Iterator

class C(chains.ChainletBase):
    async def run_remote(self, count: int) -> AsyncIterator[str]:
        for one in range(count):
            yield f"{self.item()} V0"

    def item(self) -> str:
        return "V0"
"""
)


def test_a_stream_goes_on_with_the_code_that_it_began_with(tmp_path: Path) -> None:
    """All its items are of one generation, methods that it calls later included, and it is counted until its end."""

    async def work(c: Edited) -> None:
        CURRENT_CALL.set(context := CallContext())
        reply = await c.worker.call(Call(b'{"count": 3}', context=context))
        body: Any = reply.body
        first = await anext(body)
        c.edit("swap", chain=newer(STREAM))
        assert c.generations.status()["in_flight"] == {"0": 1}
        rest = [chunk async for chunk in body]
        assert b"".join([first, *rest]) == b"V0 V0" * 3
        assert c.generations.status()["in_flight"] == {}
        CURRENT_CALL.set(context := CallContext())
        reply = await c.worker.call(Call(b'{"count": 2}', context=context))
        assert b"".join([chunk async for chunk in reply.body]) == b"V1 V1" * 2  # type: ignore[union-attr]

    with edited(tmp_path, {"chain": STREAM}) as c:
        run(work(c))


CONVERSATION = (
    HEAD
    + """
class C(chains.ChainletBase):
    async def run_remote(self, websocket: chains.WebSocketProtocol) -> None:
        async for text in websocket.iter_text():
            await websocket.send_text(f"{text} V0 {self.part()}")

    def part(self) -> str:
        return "V0"
"""
)


class Talk:
    """A websocket whose other side is the test."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[str | None] = asyncio.Queue()
        self.heard: asyncio.Queue[str] = asyncio.Queue()

    async def iter_text(self) -> AsyncIterator[str]:
        while (text := await self.said.get()) is not None:
            yield text

    async def send_text(self, data: str) -> None:
        await self.heard.put(data)

    async def ask(self, text: str) -> str:
        await self.said.put(text)
        return await self.heard.get()


def test_a_conversation_goes_on_with_the_code_that_it_began_with(tmp_path: Path) -> None:
    """Messages on an open websocket are answered by old code, those on a new one by new code."""

    async def work(c: Edited) -> None:
        old, new = Talk(), Talk()
        talks = [asyncio.create_task(c.worker.websocket(cast(Any, old), CallContext()))]
        assert await old.ask("a") == "a V0 V0"
        c.edit("swap", chain=newer(CONVERSATION))
        assert await old.ask("b") == "b V0 V0"
        talks.append(asyncio.create_task(c.worker.websocket(cast(Any, new), CallContext())))
        assert (await new.ask("c"), await old.ask("d")) == ("c V1 V1", "d V0 V0")
        for talk in (old, new):
            await talk.said.put(None)
        await asyncio.gather(*talks)
        assert c.generations.status()["in_flight"] == {}

    with edited(tmp_path, {"chain": CONVERSATION}) as c:
        run(work(c))


PLAIN = (
    HEAD
    + """
class C(chains.ChainletBase):
    def __init__(self) -> None:
        self.calls = []

    def run_remote(self, fail: bool = False) -> str:
        self.keep()
        if fail:
            self.raises()
        return "V0"

    def keep(self):
        def later():
            return "later V0"
        self.calls.append(later)

    def raises(self):
        raise ValueError("it failed")
"""
)


def test_tracebacks_show_the_lines_as_they_are_now(tmp_path: Path) -> None:
    """Functions that only moved have their new line numbers, and the new text is shown."""
    moved = PLAIN.replace("class C", "# one\n# two\n\nclass C").replace('"V0"', '"V1"')
    with edited(tmp_path, {"chain": PLAIN}) as c:
        c.edit("swap", chain=moved)
        with pytest.raises(ValueError, match="it failed") as raised:
            c.instance.raises()
        frame = user_frames(raised.value)[-1]
        line = moved.splitlines().index('        raise ValueError("it failed")') + 1
        assert (frame.filename, frame.lineno) == (str(tmp_path / "chain.py"), line)
        assert frame.line == 'raise ValueError("it failed")'


def test_tracebacks_have_no_frames_of_ours(tmp_path: Path) -> None:
    """While a function chooses, its caller's frame and its own are all that is shown."""
    with edited(tmp_path, {"chain": PLAIN}) as c:
        c.edit("swap", retire=False, chain=PLAIN.replace("it failed", "it broke"))
        with pytest.raises(ValueError, match="it broke") as raised:
            c.instance.run_remote(fail=True)
        assert [f.name for f in user_frames(raised.value)][-2:] == ["run_remote", "raises"]


def test_functions_made_by_old_code_are_renewed_when_it_is_retired(tmp_path: Path) -> None:
    """What a call of the old generation left in the state runs new code after the last old call."""
    with edited(tmp_path, {"chain": PLAIN}) as c:
        in_generation(0)
        c.edit("swap", retire=False, chain=PLAIN.replace("later V0", "later V1"))
        c.instance.run_remote()
        assert c.instance.calls[-1]() == "later V0"
        c.generations.retire(1)
        assert c.instance.calls[-1]() == "later V1"


@pytest.mark.parametrize(
    ("old", "new", "message", "then"),
    [
        ('def keep(self):', 'def keep(self, more=1):', "more than the bodies", "reimport"),
        ('class C(', 'X = 1\nclass C(', "more than the bodies", "reimport"),
        ('return "V0"', 'yield "V0"', "another kind of function", "reimport"),
        ('self.calls = []', 'self.calls = [1]', "`C.__init__` changed", "reinit"),
        ('return "later V0"', 'return self', "other variables", "reimport"),
        ('def later():', 'def later(x=1):', "arguments", "reimport"),
        ('def later():', 'def sooner():', "not there any more", "reimport"),
    ],
)  # fmt: skip
def test_what_cannot_be_swapped_is_refused(
    tmp_path: Path, old: str, new: str, message: str, then: str
) -> None:
    """The refusal says why, and which action would do; nothing was touched."""
    with edited(tmp_path, {"chain": PLAIN}) as c:
        c.instance.run_remote()
        error = c.refused("swap", chain=PLAIN.replace(old, new))
        assert (error.next, error.path or "chain.py") == (then, "chain.py")
        assert message in error.message
        assert c.instance.run_remote() == "V0"


def test_a_syntax_error_is_the_users(tmp_path: Path) -> None:
    """Nothing else would help, so no other action is named; the place is."""
    with edited(tmp_path, {"chain": PLAIN}) as c:
        for action in ("swap", "reimport", "reinit"):
            error = c.refused(action, chain=PLAIN + "def broken(:\n")
            line = len(PLAIN.splitlines()) + 1
            assert (error.next, error.path, error.line) == (None, "chain.py", line)
            assert error.message.startswith("SyntaxError: ")
        c.edit("swap", chain=newer(PLAIN))
        assert c.instance.run_remote() == "V1"


@pytest.mark.parametrize("path", ["data.json", "lib.so", "../chain.py", "/etc/x.py", "a/../b.py", ""])
def test_other_files_want_a_restart(tmp_path: Path, path: str) -> None:
    """A running process takes on Python sources below the chain's root only."""
    with edited(tmp_path, {"chain": PLAIN}) as c:
        with pytest.raises(Refused) as refused:
            c.generations.prepare(1, "swap", {path: ""})
        assert refused.value.next == "restart"


def test_thirty_swaps_leave_no_old_code(tmp_path: Path) -> None:
    """Each code object is gone when its generation was retired, and functions have theirs directly."""
    with edited(tmp_path, {"chain": PLAIN}) as c:
        codes: weakref.WeakSet[types.CodeType] = weakref.WeakSet()
        for version in range(1, 31):
            c.edit("swap", chain=newer(PLAIN, version))
            codes.add(c.loaded.C.run_remote.__code__)
            if version % 10 == 0:
                c.instance.calls.clear()
                c.instance.run_remote()
        assert c.instance.run_remote() == "V30"
        gc.collect()
        assert len(codes) == 1
        assert c.generations._swapper._choosing == {}
