# expect: CH0503 line 5
import chainctl as chains


VALUE = chains.depends("Dep", hedge_after_sec=0.5)


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1
