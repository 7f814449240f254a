# expect: CH0208 line 10
import chainctl as chains


class Dep(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1


ANSWER = chains.depends(Dep).run_remote()
