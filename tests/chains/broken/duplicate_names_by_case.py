# expect: CH0205 line 5
import chainctl as chains


class Worker(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1


@chains.mark_entrypoint
class Main(chains.ChainletBase):
    remote_config = chains.RemoteConfig(name="worker")

    def __init__(self, worker=chains.depends(Worker)):
        self._worker = worker

    def run_remote(self) -> int:
        return 3
