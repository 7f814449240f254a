# entrypoint: LIMIT
# expect: CH0109 line 0
import chainctl as chains


LIMIT = 3


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return LIMIT
