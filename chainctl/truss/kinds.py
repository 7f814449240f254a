"""Kinds of classes that only Truss Chains has: what they are here, and which of them cannot run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, ClassVar, Optional

import pydantic

from chainctl.errors import ChainsRuntimeError, Problem
from chainctl.sdk.chainlet import ChainletBase, is_model
from chainctl.sdk.locate import SourceFile
from chainctl.truss.handle import TrussHandle

PREDICT = "predict"
_RUN = "run_remote"


class EngineBuilderLLMInput(pydantic.BaseModel):
    """What an engine is asked: messages as of chat completions, and any other of their fields."""

    model_config = pydantic.ConfigDict(extra="allow")

    messages: Optional[list[dict[str, Any]]] = None


class EngineBuilderLLMChainlet(ChainletBase):
    """A model that a platform compiles and serves; here a stand-in for it can be given by name."""

    engine_builder_config: ClassVar[Any] = None

    async def run_remote(self, llm_input: EngineBuilderLLMInput) -> AsyncIterator[str]:
        """Answer in pieces. Raises NotImplementedError: there is no engine here."""
        for piece in _no_answer(type(self).__name__):
            yield piece


def _no_answer(name: str) -> list[str]:
    raise NotImplementedError(f"`{name}` is an engine that only the platform that it was written for builds")


class TrussChainlet(ChainletBase):
    """A member of a chain that is a Truss directory: `truss_dir`, relative to the file that says so.

    What depends on it gets a TrussHandle, whose `run_remote` is given what the model's first stage takes.
    """

    stand_in_type: ClassVar[type] = TrussHandle
    truss_dir: ClassVar[Any] = None

    def __init__(self) -> None:
        """Raise ChainsRuntimeError: its model runs in a process of its own."""
        name = type(self).__name__
        raise ChainsRuntimeError(
            f"`{name}` is a Truss directory, which runs in a process of its own.",
            hint=f"give an object that stands for it by the name of the argument that depends on `{name}`, or run the"
            " chain with `chainctl run-local --fidelity process`.",
        )

    async def run_remote(self, model_input: Any) -> Any:
        """Answer as the model does; what it streams is gathered."""
        raise NotImplementedError


class ModelBase(ChainletBase):
    """A model without a chain: its `predict` is what callers call. It has the routes of a Truss server, too."""

    is_truss_model: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if PREDICT in vars(cls):
            setattr(cls, _RUN, vars(cls)[PREDICT])


def in_words_of(cls: type, problem: Problem) -> Problem:
    """Return a problem of a class with its endpoint called as the class calls it."""
    if not is_model(cls):
        return problem
    source = SourceFile.of_module(cls.__module__)
    at, place = source.of_method(cls.__qualname__, PREDICT), source.of_class(cls.__qualname__)
    is_at_class = (problem.line, problem.column) == (place.line, place.column)
    if is_at_class and _RUN in problem.message:
        problem = replace(problem, line=at.line, column=at.column, end_column=at.end_column)
    return replace(
        problem, message=_words(problem.message), note=_words(problem.note), help=_words(problem.help)
    )


def _words(text: str) -> str:
    return text.replace(_RUN, PREDICT).replace("chains.ChainletBase", "chains.ModelBase")


def unsupported(cls: type) -> Optional[Problem]:
    """Say why a class cannot be run, with its place; None where it can."""
    if not issubclass(cls, EngineBuilderLLMChainlet):
        return None
    span = SourceFile.of_module(cls.__module__).of_class(cls.__qualname__)
    return span.problem(
        "CH1201",
        f"`{cls.__name__}` is an engine builder chainlet: only the platform that it was written for can build and"
        " serve its engine",
        help="serve the model with an inference server of your own in a `chains.ChainletBase`, or call one that"
        " runs elsewhere through a `chains.StubBase`",
    )
