from typing import TypeVar

import chainctl as chains


T = TypeVar("T")


class A(chains.ChainletBase):
    def run_remote(self, value: T) -> T:
        return value
