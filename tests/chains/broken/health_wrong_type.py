# expect: CH0705 line 6
import chainctl as chains


class A(chains.ChainletBase):
    async def is_healthy(self) -> int:
        return 1

    def run_remote(self) -> int:
        return 1
