# expect: CH0411 line 6
import chainctl as chains


class A(chains.ChainletBase):
    async def run_remote(self) -> list[str]:
        yield "a"
