# expect: CH0102 line 1 in parts/unparsable.py
import chainctl as chains


import parts.unparsable


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1
