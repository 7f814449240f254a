import chainctl as chains


class Shared(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1
