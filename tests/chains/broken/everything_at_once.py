# expect: CH0502 line 15
# expect: CH0402 line 16
# expect: CH0305 line 21
# expect: CH0306 line 21
# expect: CH0307 line 21
# expect: CH0404 line 24
# expect: CH0408 line 24
# expect: CH0405 line 24
# expect: CH0209 line 25
# expect: CH0705 line 27
import chainctl as chains


class Dep(chains.ChainletBase):
    remote_config = 3
    run_remote = 3


@chains.mark_entrypoint
class Main(chains.ChainletBase):
    def __init__(self, size: int, dep: str = chains.depends(Dep), *args):
        self._dep = dep

    def run_remote(self, name, **options: str):
        return Dep()

    def is_healthy(self) -> str:
        return ""
