# timeout: 1.5
# expect: CH0111 line 0
import chainctl as chains


import threading

threading.Event().wait()


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1
