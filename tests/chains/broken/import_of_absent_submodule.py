# expect: CH0103 line 5
import chainctl as chains


import json.no_such_submodule


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1
