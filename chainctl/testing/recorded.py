"""Chainlets in; the same, and a list of what they were called with and what they answered, out."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from typing import Any

from chainctl.sdk.declaration import Declaration, endpoint_of
from chainctl.sdk.stages import caller_signature


@dataclass(slots=True)
class RecordedCall:
    """One call of a chainlet, by its display name. `arguments` has all of them by name, defaults too.

    `result` is what was returned; of a stream, the list of the items so far. `error` is what was raised.
    """

    chainlet: str
    arguments: Mapping[str, Any]
    result: Any = None
    error: BaseException | None = None

    def __str__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        what = f"raised {self.error!r}" if self.error is not None else f"→ {self.result!r}"
        return f"{self.chainlet}({given}) {what}"


@dataclass(slots=True)
class Recorder:
    """The calls in the order in which they began; threads may call at the same time."""

    calls: list[RecordedCall] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def around(self, declaration: Declaration, chainlet: Any) -> Any:
        """Return a chainlet that is called like the given one and is listened to."""
        return _Listened(self, declaration.display_name, declaration.cls, chainlet)

    def begin(self, call: RecordedCall) -> RecordedCall:
        with self._lock:
            self.calls.append(call)
        return call


class _Listened:
    """Stands for a chainlet. What it does not know itself is the chainlet's own."""

    def __init__(self, recorder: Recorder, name: str, cls: type, chainlet: Any) -> None:
        endpoint = endpoint_of(cls)
        self._recorder = recorder
        self._name = name
        self._chainlet = chainlet
        self._signature = caller_signature(cls)
        run = chainlet.run_remote
        self.run_remote: Callable[..., Any] = (
            self._of_stream(run) if endpoint.is_stream and endpoint.is_async
            else self._of_sync_stream(run) if endpoint.is_stream
            else self._of_async(run) if endpoint.is_async
            else self._of_sync(run)
        )  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chainlet, name)

    def _begun(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> RecordedCall:
        """Note a call. Raises TypeError for arguments that it does not take, as the call itself would."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return self._recorder.begin(RecordedCall(self._name, dict(bound.arguments)))

    def _of_sync(self, run: Callable[..., Any]) -> Callable[..., Any]:
        def run_remote(*args: Any, **kwargs: Any) -> Any:
            call = self._begun(args, kwargs)
            try:
                call.result = run(*args, **kwargs)
            except BaseException as error:
                call.error = error
                raise
            return call.result

        return run_remote

    def _of_async(self, run: Callable[..., Any]) -> Callable[..., Any]:
        async def run_remote(*args: Any, **kwargs: Any) -> Any:
            call = self._begun(args, kwargs)
            try:
                call.result = await run(*args, **kwargs)
            except BaseException as error:
                call.error = error
                raise
            return call.result

        return run_remote

    def _of_sync_stream(self, run: Callable[..., Any]) -> Callable[..., Iterator[Any]]:
        def run_remote(*args: Any, **kwargs: Any) -> Iterator[Any]:
            call = self._begun(args, kwargs)
            call.result = []
            try:
                with closing(run(*args, **kwargs)) as items:
                    for item in items:
                        call.result.append(item)
                        yield item
            except Exception as error:  # a caller that wants no more of it is none
                call.error = error
                raise

        return run_remote

    def _of_stream(self, run: Callable[..., Any]) -> Callable[..., AsyncIterator[Any]]:
        async def run_remote(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            call = self._begun(args, kwargs)
            call.result = []
            try:
                async with aclosing(run(*args, **kwargs)) as items:
                    async for item in items:
                        call.result.append(item)
                        yield item
            except Exception as error:  # a caller that wants no more of it is none
                call.error = error
                raise

        return run_remote
