# expect: CH0910 line 9
import chainctl as chains


class Node(chains.Component):
    after: chains.Component | None = None


first = Node("first")
second = Node("second", after=first)
first.after = second


class Hello(chains.ChainletBase):
    def run_remote(self, name: str) -> str:
        return f"Hello, {name}"
