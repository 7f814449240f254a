# expect: CH0406 line 11
# expect: CH0406 line 11
import chainctl as chains


class Plain:
    pass


class A(chains.ChainletBase):
    def run_remote(self, plain: Plain, lock: "list[Plain]") -> str:
        return ""
