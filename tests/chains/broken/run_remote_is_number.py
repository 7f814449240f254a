# expect: CH0402 line 6
import chainctl as chains


class A(chains.ChainletBase):
    run_remote = 3
