# expect: CH1109 line 17
# expect: CH1109 line 23
# expect: CH1109 line 23
# expect: CH1109 line 29
# expect: CH1109 line 38
from collections.abc import Iterator

import chainctl as chains


@chains.mark_entrypoint
class A(chains.ChainletBase):
    def __init__(self, b=chains.depends("B"), c=chains.depends("C"), d=chains.depends("D")):
        self._all = (b, c, d)

    @chains.batched(max_size=2, max_latency=0.1)
    def run_remote(self, a: list[str], size: int) -> list[str]:
        return a


class B(chains.ChainletBase):
    @chains.batched(max_size=2, max_latency=0.1)
    def run_remote(self, b: str) -> str:
        return b


class C(chains.ChainletBase):
    @chains.batched(max_size=2, max_latency=0.1)
    def run_remote(self, c: list[str]) -> Iterator[str]:
        yield from c


class D(chains.ChainletBase):
    def postprocess(self, text: str) -> str:
        return text

    @chains.batched(max_size=2, max_latency=0.1)
    def run_remote(self, d):
        return d
