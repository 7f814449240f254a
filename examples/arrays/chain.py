"""Arrays through a chain: a worker adds ten to every number, and the bytes beside them come back reversed."""

import numpy as np
import pydantic

import chainctl as chains
from chainctl import pydantic_numpy

IMAGE = chains.DockerImage(pip_requirements=["numpy>=1.26"])
CONFIG = chains.RemoteConfig(
    docker_image=IMAGE, compute=chains.Compute(cpu_count=1, memory="512Mi", predict_concurrency=4)
)


class Data(pydantic.BaseModel):
    """What is sent: an array, some bytes, and a word."""

    some_numbers: pydantic_numpy.NumpyArrayField
    other_field: str = ""
    raw: bytes = b""


class Summary(pydantic.BaseModel):
    """What comes back: the array as it is now, and what is known of it."""

    some_numbers: pydantic_numpy.NumpyArrayField
    other_field: str
    raw: bytes
    total: float


class Worker(chains.ChainletBase):
    """Changes what it is given: the array that arrives is the worker's own."""

    remote_config = CONFIG

    def run_remote(self, data: Data) -> Data:
        data.some_numbers.array += 10
        return Data(
            some_numbers=data.some_numbers,
            other_field=data.other_field.upper(),
            raw=bytes(reversed(data.raw)),
        )


@chains.mark_entrypoint("arrays")
class Numbers(chains.ChainletBase):
    """Hands its data to the worker, and adds up what comes back."""

    remote_config = CONFIG

    def __init__(self, worker: Worker = chains.depends(Worker, use_binary=True)) -> None:
        self._worker = worker

    async def run_remote(self, data: Data) -> Summary:
        done = self._worker.run_remote(data)
        total = float(done.some_numbers.array.sum(dtype=np.float64))
        return Summary(
            some_numbers=done.some_numbers, other_field=done.other_field, raw=done.raw, total=total
        )
