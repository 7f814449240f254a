from typing import Annotated

from pydantic import AfterValidator, Field

import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self, size: Annotated[int, Field(ge=1, le=10)], name: Annotated[str, AfterValidator(str.strip)] = "a") -> Annotated[list[int], Field(max_length=3)]:
        return [size]
