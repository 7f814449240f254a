from typing import Dict, FrozenSet, List, Sequence, Set, Tuple

import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self, a: List[int], b: Dict[str, List[float]], c: Tuple[int, ...], d: Set[str], e: FrozenSet[int], f: Sequence[str]) -> Tuple[int, str]:
        return 1, "a"
