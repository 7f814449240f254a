# expect: CH0405 line 6
import chainctl as chains


class A(chains.ChainletBase):
    async def run_remote(self, name: str):
        return name
