"""An array that a dependency changes in place, sent as binary. What a Truss server has is not asked for."""

import numpy as np
import pydantic
import truss_chains as chains
from truss_chains import pydantic_numpy


class DataModel(pydantic.BaseModel):
    numbers: pydantic_numpy.NumpyArrayField
    other: str


class Worker(chains.ChainletBase):
    async def run_remote(self, data: DataModel, raw: bytes) -> DataModel:
        data.numbers.array += len(raw)
        return data


@chains.mark_entrypoint
class Consumer(chains.ChainletBase):
    def __init__(self, worker=chains.depends(Worker, use_binary=True)) -> None:
        self._worker = worker

    async def run_remote(self, size: int) -> list[float]:
        data = DataModel(numbers=np.arange(size, dtype=np.float64), other="text")
        result = await self._worker.run_remote(data, b"ten bytes.")
        return [float(number) for number in result.numbers.array]
