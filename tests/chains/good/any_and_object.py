from typing import Any

import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self, a: Any, b: dict[str, Any]) -> object:
        return a
