# expect: CH0103 line 12
import chainctl as chains


import pydantic


class Options(pydantic.BaseModel):
    size: int


OPTIONS = Options(size="large")


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return OPTIONS.size
