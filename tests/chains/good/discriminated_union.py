from typing import Annotated, Literal, Union

import pydantic

import chainctl as chains


class Cat(pydantic.BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(pydantic.BaseModel):
    kind: Literal["dog"]
    name: str


Pet = Annotated[Union[Cat, Dog], pydantic.Field(discriminator="kind")]


class A(chains.ChainletBase):
    def run_remote(self, pet: Pet) -> list[Pet]:
        return [pet]
