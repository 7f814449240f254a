"""A chainlet class in; the methods that a call goes through, and what callers see of them, out."""

from __future__ import annotations

import ast
import functools
import inspect
import types
import typing
from dataclasses import dataclass
from typing import Any, Optional

from chainctl.sdk.batched import Batching, batching_of
from chainctl.sdk.locate import SourceFile

ENDPOINT = "run_remote"
PREPROCESS = "preprocess"
POSTPROCESS = "postprocess"
_AROUND = (PREPROCESS, POSTPROCESS)
_TRUSS_CHAINS = "truss_chains"


@dataclass(frozen=True)
class StageForms:
    """What there is around a `run_remote`: whether each stage is async, None for one that is not there."""

    preprocess_is_async: Optional[bool] = None
    postprocess_is_async: Optional[bool] = None
    batching: Optional[Batching] = None


def stage_forms(cls: type) -> Optional[StageForms]:
    """Read what surrounds a class's `run_remote`, None where calls go straight to it."""
    forms = StageForms(
        _is_async(static(cls, PREPROCESS)),
        _is_async(static(cls, POSTPROCESS)),
        batching_of(static(cls, ENDPOINT)),
    )
    return None if forms == StageForms() else forms


def first_stage(cls: type) -> str:
    """The method that takes what callers send: its parameters are the interface."""
    return ENDPOINT if static(cls, PREPROCESS) is None else PREPROCESS


def last_stage(cls: type) -> str:
    """The method that returns what callers get: its annotation is the interface."""
    return ENDPOINT if static(cls, POSTPROCESS) is None else POSTPROCESS


def caller_signature(cls: type) -> inspect.Signature:
    """How callers call a class, without `self`: what its first stage takes, one element of a batch."""
    first = first_stage(cls)
    function: Any = static(cls, first)
    batching = batching_of(function) if first == ENDPOINT else None
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())[1:]
    if batching is not None and batching.argument:
        parameters = [parameters[0].replace(name=batching.argument), *parameters[1:]]
    return signature.replace(parameters=parameters)


def element_type(annotation: Any) -> Any:
    """The type of the elements of a `list[…]`, Any where it does not say. Exceptions are no results."""
    arguments = typing.get_args(annotation)
    if not arguments:
        return Any
    members = [arguments[0]]
    if typing.get_origin(arguments[0]) in (typing.Union, types.UnionType):
        members = [m for m in typing.get_args(arguments[0]) if not _is_exception(m)]
    return typing.Union[tuple(members)] if members else Any


def static(cls: type, name: str) -> Any:
    """A member as the class has it, unbound; None where it has none, or where it is no stage in spite of its name."""
    found = inspect.getattr_static(cls, name, None)
    return None if found is not None and name in _AROUND and _is_helper(cls, name) else found


def _is_helper(cls: type, name: str) -> bool:
    """Say whether a method stands in a file that was written for Truss Chains, where no name makes it a stage."""
    owner = next((base for base in cls.__mro__ if name in vars(base)), cls)
    return _imports_truss_chains(SourceFile.of_module(owner.__module__))


@functools.lru_cache(maxsize=64)
def _imports_truss_chains(file: SourceFile) -> bool:
    nodes = ast.walk(file.tree) if file.tree else ()
    modules = (
        name
        for node in nodes
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    )
    return any(module.partition(".")[0] == _TRUSS_CHAINS for module in modules)


def _is_async(function: Any) -> Optional[bool]:
    return None if function is None else inspect.iscoroutinefunction(function)


def _is_exception(member: Any) -> bool:
    return isinstance(member, type) and issubclass(member, BaseException)
