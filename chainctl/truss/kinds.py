"""Kinds of chainlets that chainctl does not run: files that derive from them load, and are told so by name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, ClassVar, Optional

import pydantic

from chainctl.errors import Problem
from chainctl.sdk.chainlet import ChainletBase
from chainctl.sdk.locate import SourceFile


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
    """A member of a chain that is a Truss directory."""

    truss_dir: ClassVar[Any] = None


class ModelBase(ChainletBase):
    """A model without a chain."""


def unsupported(cls: type) -> Optional[Problem]:
    """Say why a class cannot be run, with its place; None where it can."""
    found = next((kind for kind in _REASONS if issubclass(cls, kind)), None)
    if found is None:
        return None
    code, what, help = _REASONS[found]
    span = SourceFile.of_module(cls.__module__).of_class(cls.__qualname__)
    return span.problem(code, f"`{cls.__name__}` is {what}", help=help)


_REASONS: dict[type, tuple[str, str, str]] = {
    EngineBuilderLLMChainlet: (
        "CH1201",
        "an engine builder chainlet: only the platform that it was written for can build and serve its engine",
        "serve the model with an inference server of your own in a `chains.ChainletBase`, or call one that"
        " runs elsewhere through a `chains.StubBase`",
    ),
    TrussChainlet: (
        "CH1202",
        "a Truss directory as a member of a chain, which chainctl does not support yet",
        "write its model as a `chains.ChainletBase`: `load` becomes `__init__`, `predict` becomes `run_remote`",
    ),
    ModelBase: (
        "CH1202",
        "a model outside of a chain, which chainctl does not support yet",
        "derive it from `chains.ChainletBase` and call its method `run_remote`",
    ),
}
