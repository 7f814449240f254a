import pydantic

import chainctl as chains


class AInput(pydantic.BaseModel):
    name: str


class A(chains.ChainletBase):
    def run_remote(self, request: AInput) -> AInput:
        return request
