# expect: CH0103 line 2 in parts/raising.py
import chainctl as chains


import parts.raising


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1
