# expect: CH0502 line 6
import chainctl as chains


class A(chains.ChainletBase):
    remote_config: object = chains.RemoteConfig

    def run_remote(self) -> int:
        return 1
