import chainctl as chains


from collections.abc import Iterator


class A(chains.ChainletBase):
    def run_remote(self) -> Iterator[str]:
        yield "a"
