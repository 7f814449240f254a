import enum
from typing import Literal

import chainctl as chains


class Mode(enum.Enum):
    FAST = "fast"
    EXACT = "exact"


class A(chains.ChainletBase):
    def run_remote(self, mode: Mode, level: Literal[1, 2, 'max'] = 'max') -> Mode:
        return mode
