# expect: CH0909 line 10
import chainctl as chains


class Notify(chains.Component):
    channel: str


first = Notify("ops", channel="#a")
second = Notify("ops", channel="#b")


class Hello(chains.ChainletBase):
    def run_remote(self, name: str) -> str:
        return f"Hello, {name}"
