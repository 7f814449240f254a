# expect: CH0601 line 2
import helprs

import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return helprs.answer()
