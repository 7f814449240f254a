# expect: CH0501 line 5
import chainctl as chains


class Größe(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1
