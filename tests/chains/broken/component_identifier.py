# expect: CH0907 line 9
import chainctl as chains


class Notify(chains.Component):
    channel: str


notify = Notify("to the operators", channel="#ops")


class Hello(chains.ChainletBase):
    def run_remote(self, name: str) -> str:
        return f"Hello, {name}"
