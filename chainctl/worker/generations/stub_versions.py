"""A stand-in for another chainlet in; the same object, speaking of the classes of its caller's generation, out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

from chainctl.calls.call_context import CURRENT_CALL
from chainctl.calls.remote import RemoteChainlet, RemoteEndpoint


class StubVersions:
    """The endpoints of a stand-in by generation; as long as there are two, it chooses."""

    def __init__(self, stub: RemoteChainlet, committed: Callable[[], int]) -> None:
        self.stub = stub
        self._committed = committed
        self._all: list[tuple[int, Any]] = [(0, stub.run_remote)]

    @property
    def endpoint(self) -> Optional[RemoteEndpoint]:
        """The newest endpoint."""
        endpoint = getattr(self._all[-1][1], "__self__", None)
        return endpoint if isinstance(endpoint, RemoteEndpoint) else None

    @property
    def is_settled(self) -> bool:
        return len(self._all) == 1

    def add(self, number: int, endpoint: RemoteEndpoint) -> None:
        """Let calls from a generation on use another endpoint."""
        self._all = [*self._all, (number, endpoint.run_remote())]
        is_awaited = endpoint.endpoint.is_async and not endpoint.endpoint.is_stream
        self.stub.run_remote = self._awaited if is_awaited else self._called

    def drop(self, number: int) -> None:
        self._settle([version for version in self._all if version[0] != number])

    def drop_before(self, number: int) -> None:
        base = max((at for at, _ in self._all if at <= number), default=0)
        self._settle([version for version in self._all if version[0] >= base])

    def _settle(self, left: list[tuple[int, Any]]) -> None:
        self._all = left
        if self.is_settled:
            self.stub.run_remote = left[0][1]

    def _called(self, *args: Any, **kwargs: Any) -> Any:
        return self._chosen()(*args, **kwargs)

    async def _awaited(self, *args: Any, **kwargs: Any) -> Any:
        return await self._chosen()(*args, **kwargs)

    def _chosen(self) -> Any:
        call = CURRENT_CALL.get()
        number = call.generation if call is not None else None
        if number is None:
            number = self._committed()
        return next((run for at, run in reversed(self._all) if at <= number), self._all[0][1])
