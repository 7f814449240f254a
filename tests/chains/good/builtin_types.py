import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self, a: int, b: float, c: complex, d: bool, e: str, f: bytes, g: None) -> tuple[int, str]:
        raise NotImplementedError
