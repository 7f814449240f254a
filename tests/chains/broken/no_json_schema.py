# expect: CH0406 line 14
import chainctl as chains


from typing import Annotated

import pydantic


def half(value: object) -> float:
    return float(str(value)) / 2


class A(chains.ChainletBase):
    def run_remote(self, call: pydantic.InstanceOf[range]) -> Annotated[float, pydantic.PlainValidator(half)]:
        return 1.0
