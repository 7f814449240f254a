# expect: CH0904 line 5
import chainctl as chains


class Notify(chains.Component):
    @chains.trigger("deploy")
    def start(self) -> None: ...


class Hello(chains.ChainletBase):
    def run_remote(self, name: str) -> str:
        return f"Hello, {name}"
