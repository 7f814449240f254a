# expect: CH0407 line 6
import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self, name: "Nmae") -> str:
        return ""
