# expect: CH0205 line 4 in parts/chainlets.py
import chainctl as chains


from parts.chainlets import Shared as Other


class Shared(chains.ChainletBase):
    def run_remote(self) -> int:
        return 2


@chains.mark_entrypoint
class Main(chains.ChainletBase):
    def __init__(self, one=chains.depends(Shared), two=chains.depends(Other)):
        self._deps = (one, two)

    def run_remote(self) -> int:
        return 3
