# expect: CH0503 line 5
import chainctl as chains


VALUE = chains.ChainletOptions(env_variables={"SIZE": 3})


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1
