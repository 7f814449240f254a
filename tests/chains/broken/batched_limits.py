# expect: CH1108 line 17
# expect: CH1108 line 17
# expect: CH1108 line 23
# expect: CH1108 line 23
# expect: CH1108 line 29
# expect: CH1108 line 33
# expect: CH1108 line 42
import chainctl as chains


@chains.mark_entrypoint
class A(chains.ChainletBase):
    def __init__(self, b=chains.depends("B"), c=chains.depends("C"), d=chains.depends("D")):
        self._all = (b, c, d)

    @chains.batched(max_size=0, max_latency=-1.0)
    def run_remote(self, a: list[str]) -> list[str]:
        return a


class B(chains.ChainletBase):
    @chains.batched(max_size=True, max_latency=float("nan"))
    def run_remote(self, b: list[str]) -> list[str]:
        return b


class C(chains.ChainletBase):
    @chains.batched(max_size=2, max_latency=1, argument="a b")
    def run_remote(self, c: list[str]) -> list[str]:
        return c

    @chains.batched(max_size=2, max_latency=1)
    def other(self, c: list[str]) -> list[str]:
        return c


class D(chains.ChainletBase):
    def preprocess(self, text: str) -> str:
        return text

    @chains.batched(max_size=2, max_latency=1, argument="text")
    def run_remote(self, d: list[str]) -> list[str]:
        return d
