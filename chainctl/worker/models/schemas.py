"""The class of a model in; JSON Schemas of what callers send and get, as far as its annotations say, out."""

from __future__ import annotations

import inspect
import typing
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable, Iterator
from typing import Any, Literal, Optional

import pydantic

from chainctl.sdk.batched import batching_of
from chainctl.sdk.stages import POSTPROCESS, PREPROCESS, element_type, static
from chainctl.wire.missing import missing_in
from chainctl.worker.models.methods import PREDICT, input_annotation, signature_of

_YIELDS = (AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable, Iterator)
Schema = dict[str, Any]


def schemas_of(cls: Optional[type]) -> tuple[Schema, Schema]:
    """Describe what the first stage takes and what the last one returns; `{}` where nothing says.

    What yields is described by one item, what is batched by one element. Nothing is raised: what cannot be
    described, because its class is not there or is none of data, is not.
    """
    if cls is None or static(cls, PREDICT) is None:
        return {}, {}
    first, last = _present(cls, PREPROCESS) or PREDICT, _present(cls, POSTPROCESS) or PREDICT
    given, made = _annotation(cls, first, "input"), _annotation(cls, last, "output")
    return _schema(given, "validation"), _schema(_item(made), "serialization")


def _present(cls: type, name: str) -> Optional[str]:
    return None if static(cls, name) is None else name


def _annotation(cls: type, name: str, side: Literal["input", "output"]) -> Any:
    """What a method says that it takes or returns, None where it says nothing."""
    function = getattr(cls, name, None)
    try:
        signature = signature_of(function)  # type: ignore[arg-type]  # what cannot be called has none: see below
    except Exception:  # noqa: BLE001  # anything may be called `predict`
        return None
    if side == "input":
        parameters = list(signature.parameters.values())
        is_bound = inspect.ismethod(function) or isinstance(static(cls, name), staticmethod)
        annotation = input_annotation(
            signature.replace(parameters=parameters if is_bound else parameters[1:])
        )
    else:
        empty = signature.return_annotation is inspect.Signature.empty
        annotation = None if empty else signature.return_annotation
    return element_type(annotation) if name == PREDICT and batching_of(function) is not None else annotation


def _item(annotation: Any) -> Any:
    """What a generator yields; anything else as it is."""
    origin = typing.get_origin(annotation)
    return typing.get_args(annotation)[0] if origin in _YIELDS else annotation


def _schema(annotation: Any, mode: Literal["validation", "serialization"]) -> Schema:
    if annotation is None or isinstance(annotation, str):
        return {}
    try:
        schema = pydantic.TypeAdapter(annotation).json_schema(mode=mode)
    except Exception:  # noqa: BLE001  # a class may do anything when it is asked, and most are none of data
        return {}
    return {} if missing_in(schema) else schema
