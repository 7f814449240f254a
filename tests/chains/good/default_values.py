import datetime

import pydantic

import chainctl as chains


class Options(pydantic.BaseModel):
    size: int = 3


class A(chains.ChainletBase):
    def run_remote(self, a: int = 1, b: list[str] = ["x"], c: bytes = b"\xff", d: Options = Options(), e: datetime.date = datetime.date(2024, 2, 29), *, f: float = float("inf"), g: int = None) -> str:
        return ""
