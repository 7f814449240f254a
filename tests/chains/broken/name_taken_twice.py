# expect: CH0211 line 13
import chainctl as chains


class Leaf(chains.ChainletBase):
    def run_remote(self, text: str) -> str:
        return text


First = Leaf


class Leaf(chains.ChainletBase):
    def run_remote(self, text: str) -> str:
        return text.upper()


@chains.mark_entrypoint
class Top(chains.ChainletBase):
    def __init__(self, leaf: First = chains.depends(First)) -> None:
        self._leaf = leaf

    def run_remote(self, text: str) -> str:
        return self._leaf.run_remote(text)
