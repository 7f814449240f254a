import chainctl as chains


class Dep(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1


class Other(Dep):
    def run_remote(self) -> int:
        return 2


class Main(chains.ChainletBase):
    def __init__(self, dep=chains.depends(Dep)) -> None:
        self._dep = dep

    def run_remote(self) -> int:
        return self._dep.run_remote()


@chains.mark_entrypoint
class WithOther(Main):
    def __init__(self, dep=chains.depends(Other)) -> None:
        super().__init__(dep=dep)


if __name__ == "__main__":
    with chains.run_local():
        print(WithOther().run_remote())
