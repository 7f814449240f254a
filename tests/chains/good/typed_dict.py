from typing_extensions import NotRequired, TypedDict

import chainctl as chains


class Item(TypedDict):
    name: str
    size: NotRequired[int]


class A(chains.ChainletBase):
    def run_remote(self, item: Item) -> Item:
        return item
