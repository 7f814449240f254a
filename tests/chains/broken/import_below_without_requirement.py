# expect: CH0601 line 1 in parts/heavy.py
import chainctl as chains


import parts.heavy


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return parts.heavy.COUNT
