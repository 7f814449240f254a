# expect: CH0407 line 13
from __future__ import annotations

from typing import TYPE_CHECKING

import chainctl as chains

if TYPE_CHECKING:
    from decimal import Decimal


class A(chains.ChainletBase):
    def run_remote(self, amount: Decimal) -> str:
        return ""
