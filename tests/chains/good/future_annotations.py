from __future__ import annotations

import datetime
from typing import Optional

import pydantic

import chainctl as chains


class Item(pydantic.BaseModel):
    name: str
    parent: Optional[Item] = None


class A(chains.ChainletBase):
    def run_remote(self, item: Item, when: Optional[datetime.datetime] = None) -> list[Item]:
        return [item]
