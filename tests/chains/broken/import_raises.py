# expect: CH0103 line 7
import chainctl as chains


import os

ROOT = os.environ["CHAINCTL_TEST_NO_SUCH_VARIABLE"]


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1
