import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self) -> str:
        return __name__
