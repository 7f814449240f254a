import chainctl as chains


@chains.mark_entrypoint()
class Main(chains.ChainletBase):
    def __init__(self, later=chains.depends("Later", timeout_sec=5.5)) -> None:
        self._later = later

    def run_remote(self, number: int) -> int:
        return self._later.run_remote(number)


class Later(chains.ChainletBase):
    remote_config = chains.RemoteConfig(name="later-on")

    def run_remote(self, number: int) -> int:
        return number + 1
