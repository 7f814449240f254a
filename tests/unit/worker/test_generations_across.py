"""Two chainlets that call each other over real sockets, edited meanwhile: no answer mixes generations."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import importlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import strategies as st

from chainctl.worker.generations.generations import Generations
from chainctl.worker.generations.refusal import Refused
from tests.unit.worker.edited import HEAD
from tests.unit.worker.fabric import Net, net_of, run

INNER = (
    HEAD
    + """
import asyncio

import pydantic


class Word(pydantic.BaseModel):
    text: str


class Inner(chains.ChainletBase):
    def __init__(self) -> None:
        self.calls = 0

    async def run_remote(self, steps: int) -> Word:
        first = self.told()
        for _ in range(steps):
            await asyncio.sleep(0)
        assert self.told() == first == "V0", "mixed"
        return Word(text="V0")

    def told(self) -> str:
        return "V0"
"""
)
OUTER = (
    HEAD
    + """
import asyncio

import pydantic


class Word(pydantic.BaseModel):
    text: str


class Inner(chains.ChainletBase):
    async def run_remote(self, steps: int) -> Word: ...


class Outer(chains.ChainletBase):
    def __init__(self, inner: Inner = chains.depends(Inner)) -> None:
        self.inner = inner
        self.calls = 0

    async def run_remote(self, steps: int) -> list[str]:
        said = ["V0", self.told()]
        for _ in range(2):
            word = await self.inner.run_remote(steps)
            assert isinstance(word, Word), "a class of another generation"
            for _ in range(steps):
                await asyncio.sleep(0)
            said += [self.told()]
            later = asyncio.create_task(self.asked(steps))
            said += [word.text, await later]
        return said

    async def asked(self, steps: int) -> str:
        return (await self.inner.run_remote(steps)).text

    def told(self) -> str:
        return "V0"
"""
)
TEXTS = {"Inner": INNER, "Outer": OUTER}
MODULES = {"Inner": "inner_edited", "Outer": "outer_edited"}


@dataclass
class Chain:
    """The chain, what its generations are, and the answers that came."""

    net: Net
    generations: dict[str, Generations]
    versions: dict[str, int] = field(default_factory=lambda: {"Inner": 0, "Outer": 0})
    states: dict[int, tuple[int, int]] = field(default_factory=lambda: {0: (0, 0)})
    number: int = 0
    calls: list[asyncio.Task[list[str]]] = field(default_factory=list)

    def begin(self, count: int, steps: int) -> None:
        stub = self.net.stub(type(self.net.workers["Outer"].servings.all[0].instance))
        self.calls += [asyncio.create_task(stub.run_remote(steps)) for _ in range(count)]

    async def edit(self, names: list[str], action: Any, steps: int) -> None:
        """Make all touched chainlets ready, then commit one after the other, the entrypoint last."""
        number = self.number = self.number + 1
        for name in names:
            text = TEXTS[name].replace("V0", f"V{number}")
            await asyncio.to_thread(
                self.generations[name].prepare, number, action, {f"{MODULES[name]}.py": text}
            )
            await self.go_on(steps)
        for name in ("Inner", "Outer"):
            self.generations[name].commit(number)
            await self.go_on(steps)
        self.versions.update(dict.fromkeys(names, number))
        self.states[number] = (self.versions["Outer"], self.versions["Inner"])

    async def broken(self, name: str, action: Any) -> None:
        texts = {f"{MODULES[name]}.py": TEXTS[name] + "\nraise ValueError\n"}
        with contextlib.suppress(Refused):
            await asyncio.to_thread(self.generations[name].prepare, self.number + 1, action, texts)
            raise AssertionError("it was taken")

    def retire(self) -> None:
        """Let go of what the entrypoint has no call of."""
        old = [int(n) for n in self.generations["Outer"].status()["in_flight"]]
        for generations in self.generations.values():
            generations.retire(min([self.number, *old]))

    async def go_on(self, steps: int) -> None:
        for _ in range(steps):
            await asyncio.sleep(0)


EDITS = st.tuples(
    st.just("edit"),
    st.sampled_from([["Inner"], ["Outer"], ["Inner", "Outer"]]),
    st.sampled_from(["swap", "reimport", "reinit"]),
    st.integers(0, 20),
)
BEGINS = st.tuples(st.just("begin"), st.integers(1, 4), st.integers(0, 10))
BROKEN = st.tuples(
    st.just("broken"), st.sampled_from(["Inner", "Outer"]), st.sampled_from(["reimport", "reinit"])
)
STEPS = st.one_of(
    EDITS, BEGINS, BROKEN, st.tuples(st.just("retire")), st.tuples(st.just("go_on"), st.integers(1, 60))
)


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(st.lists(STEPS, min_size=3, max_size=20))
def test_no_answer_mixes_two_generations(steps: list[tuple[Any, ...]]) -> None:
    """Whatever is edited, committed and retired while calls go: each answer is of one generation of the whole chain."""

    async def work(inner: type, outer: type) -> None:
        async with net_of(inner, outer) as net:
            origins = {name: worker.origin for name, worker in net.workers.items()}
            chain = Chain(
                net,
                {n: Generations(net.workers[n].servings, o) for n, o in origins.items() if o is not None},
            )
            try:
                await done(chain, steps)
            finally:
                for generations in chain.generations.values():
                    generations.close()

    with chain_classes() as (inner, outer):
        run(work(inner, outer))


async def done(chain: Chain, steps: list[tuple[Any, ...]]) -> None:
    for verb, *arguments in steps:
        result = getattr(chain, verb)(*arguments)
        if asyncio.iscoroutine(result):
            await result
    chain.begin(1, 0)
    answers = await asyncio.gather(*chain.calls)
    known = {(f"V{outer}", f"V{inner}") for outer, inner in chain.states.values()}
    for said in answers:
        first, second, *rest = said
        assert first == second
        assert {tuple(rest[at : at + 2]) for at in (0, 3)} <= known, (said, known)
        assert len({(rest[at], rest[at + 1], rest[at + 2]) for at in (0, 3)}) == 1, said
        assert rest[0] == first, said
        assert rest[1] == rest[2], said
    newest = chain.states[chain.number]
    assert answers[-1][0] == f"V{newest[0]}"
    assert answers[-1][3] == f"V{newest[1]}"
    chain.retire()
    for generations in chain.generations.values():
        assert generations.status()["in_flight"] == {}
        assert len(generations._servings.all) == 1


@contextlib.contextmanager
def chain_classes() -> Iterator[tuple[type, type]]:
    plain_import = builtins.__import__
    with tempfile.TemporaryDirectory() as directory:
        for name, text in TEXTS.items():
            Path(directory, f"{MODULES[name]}.py").write_text(text)
        sys.path.insert(0, directory)
        importlib.invalidate_caches()
        try:
            inner, outer = (importlib.import_module(MODULES[name]) for name in ("Inner", "Outer"))
            yield inner.Inner, outer.Outer
        finally:
            builtins.__import__ = plain_import  # two services in one process cannot take theirs back in turn
            sys.path.remove(directory)
            for module in MODULES.values():
                sys.modules.pop(module, None)
