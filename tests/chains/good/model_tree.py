import pydantic

import chainctl as chains


class Tree(pydantic.BaseModel):
    value: int
    children: list["Tree"] = []


class A(chains.ChainletBase):
    def run_remote(self, tree: Tree) -> Tree:
        return tree
