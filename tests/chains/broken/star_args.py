# expect: CH0408 line 6
import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self, *names: str) -> str:
        return ""
