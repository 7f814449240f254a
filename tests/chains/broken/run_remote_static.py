# expect: CH0402 line 7
import chainctl as chains


class A(chains.ChainletBase):
    @staticmethod
    def run_remote(name: str) -> str:
        return name
