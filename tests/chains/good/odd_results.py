import pydantic

import chainctl as chains


class Outer(pydantic.BaseModel):
    class Inner(pydantic.BaseModel):
        size: int

    inner: Inner


class Single(chains.ChainletBase):
    def run_remote(self) -> tuple[int]:
        return (1,)


class Empty(chains.ChainletBase):
    def run_remote(self) -> tuple[()]:
        return ()


@chains.mark_entrypoint
class Nested(chains.ChainletBase):
    def __init__(self, single=chains.depends(Single), empty=chains.depends(Empty)) -> None:
        self._single, self._empty = single, empty

    def run_remote(self, inner: Outer.Inner) -> tuple[Outer, ...]:
        return (Outer(inner=inner),)
