import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self, a: list[list[int]], b: dict[str, dict[int, list[tuple[str, bytes]]]], c: list, d: dict, e: set[frozenset[int]]) -> list[dict[str, list[int]]]:
        return []
