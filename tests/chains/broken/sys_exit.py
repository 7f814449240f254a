# expect: CH0104 line 13
import chainctl as chains


import sys


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1


sys.exit(2)
