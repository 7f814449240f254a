# expect: CH0906 line 5
import chainctl as chains


class Notify(chains.Component):
    def __init__(self, channel: str) -> None:
        self.channel = "#" + channel


class Hello(chains.ChainletBase):
    def run_remote(self, name: str) -> str:
        return f"Hello, {name}"
