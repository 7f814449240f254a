import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self) -> None:
        return None
