# expect: CH0406 line 7
# expect: CH0406 line 7
import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self, size: 3) -> [str]:
        return []
