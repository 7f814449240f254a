# expect: CH0503 line 5
import chainctl as chains


VALUE = chains.Compute(gpu="<A100>")


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1
