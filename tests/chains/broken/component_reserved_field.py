# expect: CH0905 line 5
import chainctl as chains


class Model(chains.Component):
    version: str


class Hello(chains.ChainletBase):
    def run_remote(self, name: str) -> str:
        return f"Hello, {name}"
