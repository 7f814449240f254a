from typing import NamedTuple

import chainctl as chains


class Item(NamedTuple):
    name: str
    size: int = 1


class A(chains.ChainletBase):
    def run_remote(self, item: Item) -> list[Item]:
        return [item]
