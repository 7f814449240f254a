import dataclasses

import chainctl as chains


@dataclasses.dataclass(frozen=True)
class Item:
    name: str
    data: bytes = b""
    parts: list[str] = dataclasses.field(default_factory=list)


class A(chains.ChainletBase):
    def run_remote(self, item: Item, items: list[Item]) -> Item:
        return item
