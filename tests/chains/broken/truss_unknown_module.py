# expect: CH0103 line 2
from truss_chains import code_gen

import truss_chains as chains


class Echo(chains.ChainletBase):
    def run_remote(self, text: str) -> str:
        return code_gen.echo(text)
