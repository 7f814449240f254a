# expect: CH1102 line 9
# expect: CH1102 line 12
from collections.abc import AsyncIterator, Iterator

import chainctl as chains


class A(chains.ChainletBase):
    async def preprocess(self, text: str) -> AsyncIterator[str]:
        yield text

    def postprocess(self, text: str) -> Iterator[str]:
        yield text

    def run_remote(self, text: str) -> str:
        return text
