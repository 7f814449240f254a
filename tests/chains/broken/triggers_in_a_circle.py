# expect: CH0901 line 5
import chainctl as chains


class Warm(chains.Component):
    @chains.trigger("apply", depends_on="report")
    def load(self) -> None: ...

    @chains.trigger("apply", depends_on="load")
    def report(self) -> None: ...


class Hello(chains.ChainletBase):
    def run_remote(self, name: str) -> str:
        return f"Hello, {name}"
