"""An edition in; the sources of a chain whose answers say which edition made them, out. Pure.

Top calls Model, which takes its time to start; both use a module of their own, and Model reads a file beside.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

CHAIN, WORDS, WEIGHTS = "chain.py", "words.py", "data/weights.txt"
Marks = tuple[str, ...]


class Fault(enum.StrEnum):
    """What is wrong with an edition. The words are those of the report."""

    SYNTAX = "a syntax error"
    IMPORT = "an import of what is not there"
    RAISES = "a module that raises when it is imported"
    INIT = "an `__init__` that raises"
    CHECK = "a signature without types"


@dataclass(frozen=True, slots=True)
class Edition:
    """What each part of the chain answers of itself, and what is wrong with it."""

    top: int = 1
    model: int = 1
    words: int = 1
    constant: int = 1
    start: int = 1
    weights: int = 1
    requirement: str = ""
    fault: Fault | None = None

    @property
    def marks(self) -> Marks:
        """What an answer says: Top's mark, that of the module in Top, Model's, that of the module in Model, …"""
        word = f"W{self.words}.{self.constant}"
        return f"T{self.top}", word, f"M{self.model}", word, f"I{self.start}", f"D{self.weights}"

    def swapped(self, number: int) -> Edition:
        """Edit bodies: by turns those of both chainlets, of Top, of Model, of the module."""
        match number % 4:
            case 0:
                return replace(self, top=number, model=number, fault=None)
            case 1:
                return replace(self, top=number, fault=None)
            case 2:
                return replace(self, model=number, fault=None)
            case _:
                return replace(self, words=number, fault=None)

    def edited(self, number: int) -> Edition:
        """Edit by turns bodies, and now and then a constant of the module or Model's `__init__`."""
        match number % 9:
            case 0:
                return replace(self, constant=number, fault=None)
            case 5:
                return replace(self, start=number, fault=None)
            case _:
                return self.swapped(number)

    def broken(self, number: int, fault: Fault) -> Edition:
        """Return an edition that can not serve."""
        if fault in (Fault.IMPORT, Fault.RAISES):
            return replace(self, words=number, fault=fault)
        return replace(self, model=number, top=number, fault=fault)


def sources(edition: Edition, start_sec: float) -> Mapping[str, str]:
    """Return the texts of all files by name."""
    has = {name: edition.fault is fault for fault, name in _PLACES.items()}
    chain = _CHAIN.format(
        top=edition.top,
        model=edition.model,
        start=edition.start,
        start_sec=start_sec,
        image=f", docker_image=chains.DockerImage(pip_requirements=[{edition.requirement!r}])"
        if edition.requirement
        else "",
        starts='raise RuntimeError("weights are missing")' if has["init"] else "pass",
        returns="return [" if has["syntax"] else "return",
        takes=", number" if has["check"] else "",
    )
    first = {Fault.IMPORT: "import nobody_has_this", Fault.RAISES: "1 / 0"}
    words = _WORDS.format(
        words=edition.words,
        constant=edition.constant,
        first=first.get(edition.fault, "") if edition.fault else "",
    )
    return {CHAIN: chain, WORDS: words, WEIGHTS: f"D{edition.weights}"}


def course_of(count: int, broken: int) -> Sequence[Fault | None]:
    """Return what is wrong with each edit, None for nothing; faults by turns, spread over all, none at the end."""
    faults = list(Fault)
    places = {index * count // broken + 1: faults[index % len(faults)] for index in range(broken)}
    return [places.get(number) for number in range(count)]


_PLACES = {Fault.INIT: "init", Fault.SYNTAX: "syntax", Fault.CHECK: "check"}
_WORDS = """\
{first}
NUMBER = {constant}


def word() -> str:
    return f"W{words}.{{NUMBER}}"
"""
_CHAIN = """\
import threading
from pathlib import Path

import chainctl as chains
import words

SMALL = chains.Compute(cpu_count=1, memory="256Mi")


class Model(chains.ChainletBase):
    remote_config = chains.RemoteConfig(compute=SMALL{image})

    def __init__(self) -> None:
        threading.Event().wait({start_sec})
        {starts}
        self.started = "I{start}"
        self.weights = Path(__file__).with_name("data").joinpath("weights.txt").read_text()

    async def run_remote(self{takes}) -> list[str]:
        {returns} ["M{model}", words.word(), self.started, self.weights]


@chains.mark_entrypoint
class Top(chains.ChainletBase):
    remote_config = chains.RemoteConfig(compute=SMALL)

    def __init__(self, model: Model = chains.depends(Model)) -> None:
        self._model = model

    async def run_remote(self) -> list[str]:
        return ["T{top}", words.word(), *await self._model.run_remote()]
"""
