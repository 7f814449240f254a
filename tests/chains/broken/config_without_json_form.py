# expect: CH0503 line 5
import chainctl as chains


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(options=chains.ChainletOptions(metadata={"at": object()}))

    def run_remote(self) -> int:
        return 1
