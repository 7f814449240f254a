# expect: CH0415 line 13
# expect: CH0416 line 13
# expect: CH0417 line 12
# expect: CH0412 line 13
from collections.abc import AsyncIterable, AsyncIterator

import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(
        self, size: int, numbers: AsyncIterator[int],
        names: AsyncIterable = None,
    ) -> int:
        return size
