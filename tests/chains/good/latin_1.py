# -*- coding: latin-1 -*-
import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self) -> str:
        return 'größer'
