from typing import Generic, TypeVar

import pydantic

import chainctl as chains


T = TypeVar("T")


class Page(pydantic.BaseModel, Generic[T]):
    items: list[T]
    following: "Page[T] | None" = None


class A(chains.ChainletBase):
    def run_remote(self, page: Page[int], pages: list[Page[str]]) -> Page[bytes]:
        raise NotImplementedError
