# expect: CH0410 line 9
import chainctl as chains


import typing


class A(chains.ChainletBase):
    def run_remote(self) -> typing.Iterator[str]:
        return iter([])
