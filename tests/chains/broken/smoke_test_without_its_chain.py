# expect: CH0103 line 10
import chainctl as chains


class Hello(chains.ChainletBase):
    def run_remote(self, name: str) -> str:
        return f"Hello, {name}"


smoke = chains.SmokeTest("smoke", payload={"name": "Ada"})  # type: ignore[call-arg]
