# expect: CH0402 line 13
import chainctl as chains


import functools


def work(self, name: str) -> str:
    return name


class A(chains.ChainletBase):
    run_remote = functools.partialmethod(work, name="a")
