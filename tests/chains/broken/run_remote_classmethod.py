# expect: CH0402 line 7
import chainctl as chains


class A(chains.ChainletBase):
    @classmethod
    async def run_remote(cls, name: str) -> str:
        return name
