# expect: CH0103 line 5
import chainctl as chains


exec("1 +")


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1
