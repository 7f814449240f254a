import chainctl as chains


from collections.abc import AsyncGenerator

import pydantic


class Item(pydantic.BaseModel):
    name: str


class A(chains.ChainletBase):
    async def run_remote(self) -> AsyncGenerator[Item, None]:
        yield Item(name="a")
