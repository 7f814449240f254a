# expect: CH0903 line 5
import chainctl as chains


class Notify(chains.Component):
    channel: str

    @chains.trigger("apply", requires="chanel")
    def start(self) -> None: ...


class Hello(chains.ChainletBase):
    def run_remote(self, name: str) -> str:
        return f"Hello, {name}"
