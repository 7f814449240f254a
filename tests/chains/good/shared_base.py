import chainctl as chains


class Base(chains.ChainletBase):
    """No chainlet of its own: it has no `run_remote`."""

    remote_config = chains.RemoteConfig(name="worker")

    def __init__(self) -> None:
        self._factor = self.factor()

    def factor(self) -> int:
        raise NotImplementedError


class Doubling(Base):
    def factor(self) -> int:
        return 2

    def run_remote(self, number: int) -> int:
        return number * self._factor


Alias = Doubling
