# expect: CH0911 line 5
import chainctl as chains


class Warm(chains.Component):
    @chains.trigger("apply")
    def load(self):
        yield "loading"


class Hello(chains.ChainletBase):
    def run_remote(self, name: str) -> str:
        return f"Hello, {name}"
