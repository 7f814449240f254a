# expect: CH0404 line 9
# expect: CH0404 line 10
import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(
        self,
        name,
        times=1,
    ) -> str:
        return name * times
