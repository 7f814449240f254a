from __future__ import annotations

from typing import TYPE_CHECKING

import pydantic

import chainctl as chains

if TYPE_CHECKING:
    from typing import Iterable


@chains.mark_entrypoint
class Main(chains.ChainletBase):
    """Its types are written further down."""

    def __init__(self, dep: Dep = chains.depends("Dep"), context: chains.DeploymentContext = chains.depends_context()) -> None:
        self._dep = dep
        self._context = context

    async def run_remote(self, request: Request) -> Response:
        return await self._dep.run_remote(request)

    def _names(self, items: Iterable[str]) -> list[str]:
        return list(items)


class Dep(chains.ChainletBase):
    async def run_remote(self, request: Request) -> Response:
        return Response(parts=request.text.split())

    async def is_healthy(self) -> bool:
        return True


class Request(pydantic.BaseModel):
    text: str


class Response(pydantic.BaseModel):
    parts: list[str]
