# expect: CH0511 line 6
import chainctl as chains


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(options=chains.ChainletOptions(transport=chains.WebsocketOptions()))

    def run_remote(self) -> int:
        return 1
