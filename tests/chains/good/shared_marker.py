import chainctl as chains


class Dep(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1


DEP = chains.depends(Dep)
CONTEXT = chains.depends_context()


@chains.mark_entrypoint
class Main(chains.ChainletBase):
    def __init__(self, dep=DEP, context=CONTEXT) -> None:
        self._dep = dep

    def run_remote(self) -> int:
        return self._dep.run_remote()
