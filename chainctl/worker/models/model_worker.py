"""A model in; a Worker that runs its calls in this process out."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from chainctl.calls.call_context import CURRENT_CALL, CallContext
from chainctl.sdk.websocket import WebSocketProtocol
from chainctl.wire.fault import Fault, upgrade_required
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.media import STREAM
from chainctl.worker.error_reply import PASSING, error_reply, input_reply, overload_reply, reply_of
from chainctl.worker.gate import Gate, Overloaded
from chainctl.worker.health import health_of
from chainctl.worker.models.body import value_reply
from chainctl.worker.models.entry import Entry, entries_of
from chainctl.worker.models.items import items_reply
from chainctl.worker.models.methods import EXTRAS, PREDICT
from chainctl.worker.models.requests import as_disconnect, request_of, require_requests, websocket_of
from chainctl.worker.models.responses import (
    gathered_reply,
    is_response,
    is_whole,
    streamed_reply,
    whole_reply,
)
from chainctl.worker.models.runner import ModelRunner, Outcome, is_generator, leaving
from chainctl.worker.models.schemas import schemas_of
from chainctl.worker.origin import Origin
from chainctl.worker.servings import Made, Servings
from chainctl.worker.stages import Visit
from chainctl.worker.threads import CallThreads
from chainctl.worker.worker import Call, Health, Load, Reply


@dataclass(frozen=True)
class ModelLimits:
    """How many calls `predict` takes at once, and how many seconds a stream may be silent."""

    concurrency: int = 1
    silence_sec: float = 60.0

    @classmethod
    def of(cls, truss_config: Mapping[str, Any]) -> ModelLimits:
        """Read them from the configuration of a Truss directory; what it does not say is the default there, too."""
        runtime = truss_config.get("runtime") or {}
        return cls(
            int(runtime.get("predict_concurrency") or cls.concurrency),
            float(runtime.get("streaming_read_timeout") or cls.silence_sec),
        )


_DEFAULTS = ModelLimits()


class ModelWorker:
    """Runs a model's calls: async methods on the event loop, sync ones in threads.

    Limits bound `predict` and `websocket` alone: what is before and after `predict` runs beside it,
    and so do the methods with routes of their own. `name` is what the model is called in error answers.
    `origin` is where its code is, None where that cannot be edited.
    Raises ChainsUsageError for a model that cannot be called.
    """

    def __init__(self, name: str, model: Any, limits: ModelLimits = _DEFAULTS) -> None:
        entries = entries_of(model)
        self._name = name
        self._of = type(model).__name__
        self.servings = Servings(Made(0, model))
        self.origin: Optional[Origin] = None
        self._model = model
        self._predict = entries.predict
        self._websocket = entries.websocket
        self._extras = entries.extras
        self.is_websocket = entries.websocket is not None
        self.body_limit: Optional[int] = None
        self._limits = limits
        self.gate = Gate(limits.concurrency)
        self._threads = CallThreads(limits.concurrency)
        self._bounded = ModelRunner(
            name, self.gate, self._threads, None if self._predict is None else self._predict.batching
        )
        free = Gate(None)
        self._free = ModelRunner(name, free, CallThreads(free.limit))
        for entry in self._entries():
            if entry.takes_request:
                require_requests(f"{self._of}.{entry.run.name}")

    @property
    def streams(self) -> bool:
        """Whether `predict` yields what it has to say."""
        return self._predict is not None and self._predict.run.is_generator

    def offers(self, method: str) -> bool:
        """Say whether the model has a method that calls can go to."""
        return method in self._extras or (method == PREDICT and self._predict is not None)

    async def call(self, call: Call) -> Reply:
        method = PREDICT if call.heading is None else EXTRAS.get(call.heading.path, PREDICT)
        entry = self._predict if method == PREDICT else self._extras.get(method)
        if entry is None:
            return reply_of(upgrade_required(self._name) if self.is_websocket else _no_method(method))
        began = time.perf_counter_ns()
        try:
            value, request = self._given(call, entry)
        except InvalidValue as error:
            return input_reply(error)
        except PASSING:
            raise
        except BaseException as error:  # noqa: BLE001  # a user's own validators run here
            return error_reply(error, self._name, call.span, entry.first.name)
        if call.span is not None:
            call.span.decode_ns = time.perf_counter_ns() - began
        return await self._answered(call, entry, value, request)

    async def websocket(self, socket: WebSocketProtocol, context: CallContext) -> None:
        assert self._websocket is not None
        CURRENT_CALL.set(context)
        self.servings.of(context)
        flights = self.servings.enter(context)
        try:
            await self._conversed(self._websocket.stage().function, socket)
        finally:
            flights.land()

    async def _conversed(self, converse: Callable[[Any], Awaitable[None]], socket: WebSocketProtocol) -> None:
        since = await self.gate.enter()
        try:
            await converse(websocket_of(socket))
        except Exception as error:
            gone = as_disconnect(error)
            if gone is None:
                raise
            raise gone from error
        finally:
            self.gate.leave(since)

    async def health(self) -> Health:
        return await health_of(getattr(self._model, "is_healthy", None), self._threads)

    @property
    def waiting(self) -> int:
        """How many calls wait for `predict`, or for their batch."""
        return self.gate.waiting + self._bounded.waiting

    def load(self) -> Load:
        return Load.of(self.servings.count, self.waiting)

    def drain(self) -> None:
        """Let nothing wait for calls that will not come."""
        self._bounded.drain()

    def schemas(self) -> dict[str, Any]:
        given, made = schemas_of(type(self._model))
        return {"input": given, "output": made}

    def _entries(self) -> list[Entry]:
        return [*([] if self._predict is None else [self._predict]), *self._extras.values()]

    def _given(self, call: Call, entry: Entry) -> tuple[Any, Any]:
        """What a call brings: its value, where a method takes one, and the request. Raises InvalidValue."""
        if call.chunks is not None:
            raise InvalidValue.malformed(f"a model takes no stream: send anything but {STREAM}")
        value = entry.input_form.value(call) if entry.first.takes_input else None
        return value, request_of(call, f"{self._of}.{entry.first.name}") if entry.takes_request else None

    async def _answered(self, call: Call, entry: Entry, value: Any, request: Any) -> Reply:
        runner = self._bounded if entry is self._predict else self._free
        self.servings.of(call.context)
        flights = self.servings.enter(call.context)
        try:
            visit = runner.visit(call.context, call.span, flights.land)
        except Overloaded as error:
            flights.land()
            return overload_reply(error)
        call.outlives_its_answer = True
        try:
            outcome = await runner.outcome(entry.stages(request), {"value": value}, visit)
            return await self._reply(runner, outcome, call, entry, visit)
        except PASSING:
            raise
        except Overloaded as error:
            return overload_reply(error)
        except BaseException as error:  # noqa: BLE001  # the boundary to user code
            return error_reply(error, self._name, call.span, visit.at)
        finally:
            visit.release()

    async def _reply(
        self, runner: ModelRunner, outcome: Outcome, call: Call, entry: Entry, visit: Visit
    ) -> Reply:
        """Answer with what a call returned; while that goes on, the call is there."""
        value, of = outcome.value, f"{self._of}.{entry.last.name}"
        if is_response(value) and call.is_inner:
            return await gathered_reply(value, call, leaving(outcome, visit), of)
        if is_response(value) and is_whole(value):
            return whole_reply(value)
        if is_response(value):
            return await streamed_reply(value, call, leaving(outcome, visit))
        if is_generator(value):
            items = runner.production(outcome, visit)
            return await items_reply(items, call, of, self._name, self._limits.silence_sec)
        began = time.perf_counter_ns()
        reply = value_reply(value, call, of)
        if call.span is not None:
            call.span.encode_ns = time.perf_counter_ns() - began
        return reply


def _no_method(method: str) -> Fault:
    return Fault.of(404, "not_found", f"the model has no method `{method}`")
