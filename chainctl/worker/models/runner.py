"""A call in; what `predict` made of it out, with its place at the gate kept where that is not done yet."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from chainctl.errors import ChainsRuntimeError
from chainctl.worker.models.responses import is_response, is_whole
from chainctl.worker.stages import Stage, StageRunner, Stages, Visit, async_items


@dataclass(frozen=True)
class Outcome:
    """What a call returned. `leave` gives its place back when what it returned is done; None: it was given back."""

    value: Any
    leave: Optional[Callable[[], None]] = None


def is_generator(value: object) -> bool:
    """Say whether something yields what it has to say."""
    return inspect.isgenerator(value) or inspect.isasyncgen(value)


class ModelRunner(StageRunner):
    """Takes calls through the stages of a model, whose `run` may return what goes on: a generator, a stream."""

    async def outcome(self, stages: Stages, arguments: Mapping[str, Any], visit: Visit) -> Outcome:
        """Take a call through all stages. Raises Overloaded, and user errors."""
        if stages.batching is not None:
            return Outcome(await self.value(stages, arguments, visit))
        args, kwargs = await self._first(stages, arguments, visit)
        made = await self._made(stages.run, functools.partial(stages.run.function, *args, **kwargs), visit)
        if stages.postprocess is None:
            return made
        if made.leave is not None or is_response(made.value):
            _given_up(made)
            kind = "a generator" if is_generator(made.value) else f"a {type(made.value).__name__}"
            raise ChainsRuntimeError(
                f"`{stages.run.name}` returned {kind}, which `{stages.postprocess.name}` cannot take:"
                " do in the one what the other would do, and leave that out"
            )
        return Outcome(await self._beside(stages.postprocess, visit, made.value))

    def production(self, outcome: Outcome, visit: Visit) -> AsyncGenerator[Any, None]:
        """Yield what a generator has to say. The call is there, in its place if it has one, until that is over."""
        leave = leaving(outcome, visit)
        if not inspect.isasyncgen(outcome.value):
            threads = self._threads if outcome.leave is None else self._run_threads
            return threads.items(outcome.value, leave)
        made: Any = outcome.value
        return async_items(made, leave)

    async def _made(self, stage: Stage, work: Callable[[], Any], visit: Visit) -> Outcome:
        """Run in a place, which is kept for what goes on."""
        visit.at = stage.name
        turn = _Turn(self._leaving(await self._enter(visit), visit), is_over=stage.is_async)
        began = time.perf_counter_ns()
        try:
            value = await (work() if stage.is_async else self._run_threads.run(work, turn.end))
        except BaseException:
            turn.give_up()
            raise
        finally:
            if visit.span is not None:
                visit.span.run_ns = time.perf_counter_ns() - began
        if is_generator(value) or (is_response(value) and not is_whole(value)):
            return Outcome(value, turn.leave)
        turn.leave()
        return Outcome(value)


def leaving(outcome: Outcome, visit: Visit) -> Callable[[], None]:
    """What ends a call whose result goes on. Without a place, as it ran beside the gate, it is only held."""
    if outcome.leave is not None:
        return outcome.leave
    visit.hold()
    return visit.release


class _Turn:
    """One stay in a place. A thread cannot be stopped, so one that is given up is left when its thread ends."""

    def __init__(self, leave: Callable[[], None], *, is_over: bool) -> None:
        self.leave = leave
        self._is_over = is_over
        self._is_given_up = False

    def end(self) -> None:
        """Note that the thread is free."""
        self._is_over = True
        if self._is_given_up:
            self.leave()

    def give_up(self) -> None:
        """Note that nobody waits for what is made."""
        self._is_given_up = True
        if self._is_over:
            self.leave()


def _given_up(outcome: Outcome) -> None:
    """Leave what was not begun."""
    if outcome.leave is not None:
        outcome.leave()
