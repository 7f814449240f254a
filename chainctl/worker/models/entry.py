"""The methods of a model in; what a call of one kind goes through, checked, out."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Optional

from chainctl.errors import ChainsUsageError
from chainctl.sdk.batched import Batching, batching_of
from chainctl.sdk.stages import POSTPROCESS, PREPROCESS
from chainctl.worker.models.body import InputForm
from chainctl.worker.models.methods import EXTRAS, PREDICT, WEBSOCKET, Method, method_of
from chainctl.worker.stages import Stages


@dataclass(frozen=True)
class Entry:
    """One way into a model. The first method takes what callers send, the last one returns what they get."""

    run: Method
    preprocess: Optional[Method] = None
    postprocess: Optional[Method] = None
    batching: Optional[Batching] = None

    @property
    def first(self) -> Method:
        return self.preprocess or self.run

    @property
    def last(self) -> Method:
        return self.postprocess or self.run

    @property
    def takes_request(self) -> bool:
        return any(m is not None and m.takes_request for m in (self.preprocess, self.run, self.postprocess))

    @functools.cached_property
    def input_form(self) -> InputForm:
        """How bodies are read."""
        return InputForm(self.first.annotation if self.batching is None else None)

    def stages(self, request: Any = None) -> Stages:
        """What one call goes through; the same for all calls where no method takes the request."""
        return self._stages if not self.takes_request else self._with(request)

    @functools.cached_property
    def _stages(self) -> Stages:
        return self._with(None)

    def _with(self, request: Any) -> Stages:
        return Stages(
            self.run.stage(request),
            None if self.preprocess is None else self.preprocess.stage(request),
            None if self.postprocess is None else self.postprocess.stage(request),
            batching=self.batching,
        )


@dataclass(frozen=True)
class Entries:
    """All ways into a model: `predict` or `websocket`, and the methods that have routes of their own."""

    predict: Optional[Entry]
    websocket: Optional[Method]
    extras: dict[str, Entry]


def entries_of(model: Any) -> Entries:
    """Read a model's methods. Raises ChainsUsageError for what cannot work."""
    name = type(model).__name__
    predict, websocket = method_of(model, PREDICT), _websocket_of(model)
    extras = {n: Entry(found) for n in EXTRAS.values() if (found := method_of(model, n)) is not None}
    if predict is not None and websocket is not None:
        raise ChainsUsageError(
            f"`{name}` has `predict` and `websocket`: a model is called in one of the two ways",
            hint="leave one of them out, or make two models.",
        )
    if predict is None and websocket is None and not extras:
        raise ChainsUsageError(f"`{name}` has no `predict`", hint="write `def predict(self, model_input)`.")
    return Entries(None if predict is None else _predict_of(model, predict), websocket, extras)


def _predict_of(model: Any, predict: Method) -> Entry:
    preprocess, postprocess = method_of(model, PREPROCESS), method_of(model, POSTPROCESS)
    name, batching = type(model).__name__, batching_of(predict.function)
    if preprocess is not None and not predict.takes_input and predict.takes_request:
        raise ChainsUsageError(
            f"`{name}.predict` takes the request only, so what `{name}.preprocess` returns would be lost",
            hint="let `predict` take both, or leave `preprocess` out.",
        )
    if postprocess is not None and not postprocess.takes_input and postprocess.takes_request:
        raise ChainsUsageError(
            f"`{name}.postprocess` takes the request only, so what `{name}.predict` returns would be lost",
            hint="let `postprocess` take both, or leave it out.",
        )
    if postprocess is not None and predict.is_generator:
        raise ChainsUsageError(
            f"`{name}.predict` yields, so there is nothing that `{name}.postprocess` could be given",
            hint="yield what it would make of each item, and leave `postprocess` out.",
        )
    if batching is not None and (predict.takes_request or predict.is_generator or not predict.takes_input):
        raise ChainsUsageError(
            f"`{name}.predict` is batched, so it takes one list and returns one",
            hint="let `preprocess` take the request, and give `predict` the list only.",
        )
    return Entry(predict, preprocess, postprocess, batching)


def _websocket_of(model: Any) -> Optional[Method]:
    websocket = method_of(model, WEBSOCKET)
    if websocket is not None and not (websocket.is_async and websocket.takes_input):
        raise ChainsUsageError(
            f"`{type(model).__name__}.websocket` is not `async def websocket(self, websocket)`",
            hint="make it `async`, with the connection as its one argument.",
        )
    return websocket
