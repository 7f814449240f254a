# expect: CH0205 line 12
import chainctl as chains


class One(chains.ChainletBase):
    remote_config = chains.RemoteConfig(name="worker")

    def run_remote(self) -> int:
        return 1


class Two(chains.ChainletBase):
    remote_config = chains.RemoteConfig(name="worker")

    def run_remote(self) -> int:
        return 2


@chains.mark_entrypoint
class Main(chains.ChainletBase):
    def __init__(self, one=chains.depends(One), two=chains.depends(Two)):
        self._deps = (one, two)

    def run_remote(self) -> int:
        return 3
