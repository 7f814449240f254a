# expect: CH0501 line 6
import chainctl as chains


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(name="my chainlet")

    def run_remote(self) -> int:
        return 1
