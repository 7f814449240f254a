# expect: CH0908 line 11
import threading

import chainctl as chains


class Counter(chains.Component):
    lock: object


counter = Counter("counter", lock=threading.Lock())


class Hello(chains.ChainletBase):
    def run_remote(self, name: str) -> str:
        return f"Hello, {name}"
