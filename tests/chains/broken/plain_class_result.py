# expect: CH0406 line 9
import chainctl as chains


import threading


class A(chains.ChainletBase):
    def run_remote(self) -> threading.Thread:
        return threading.current_thread()
