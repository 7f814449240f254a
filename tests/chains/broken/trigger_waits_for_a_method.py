# expect: CH0902 line 5
import chainctl as chains


class Notify(chains.Component):
    def start(self) -> None: ...

    @chains.trigger("apply", depends_on="start")
    def detail(self) -> None: ...


class Hello(chains.ChainletBase):
    def run_remote(self, name: str) -> str:
        return f"Hello, {name}"
