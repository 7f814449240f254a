# expect: CH0411 line 8
from collections.abc import AsyncIterator

import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self) -> AsyncIterator[int]:
        yield 1
