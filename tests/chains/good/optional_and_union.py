from typing import Optional, Union

import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self, a: Optional[int], b: Union[int, str], c: float | None = None) -> int | str | None:
        return a
