# expect: CH0406 line 12
import chainctl as chains


class Odd:
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> object:
        raise KeyError("no schema today")


class A(chains.ChainletBase):
    def run_remote(self, odd: Odd) -> int:
        return 1
