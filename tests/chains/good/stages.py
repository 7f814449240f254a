"""Stages of all kinds, with the types between them written, left out, or of a package that is not here."""

from collections.abc import AsyncIterator

import numpy as np
import pydantic

import chainctl as chains

WITH_NUMPY = chains.RemoteConfig(docker_image=chains.DockerImage(pip_requirements=["numpy"]))


class Picture(pydantic.BaseModel):
    url: str


class Label(pydantic.BaseModel):
    name: str
    score: float


class Classify(chains.ChainletBase):
    remote_config = WITH_NUMPY

    async def preprocess(self, picture: Picture, size: int = 8) -> "np.ndarray":
        return np.zeros(size)

    def run_remote(self, pixels: "np.ndarray") -> dict[str, float]:
        return {"cat": float(pixels.sum())}

    async def postprocess(self, scores: dict[str, float] | None) -> list[Label]:
        return [Label(name=name, score=score) for name, score in (scores or {}).items()]


class Count(chains.ChainletBase):
    remote_config = WITH_NUMPY

    async def preprocess(self, words: AsyncIterator[str]) -> list[str]:
        return [word async for word in words]

    async def run_remote(self, words) -> AsyncIterator[int]:
        for word in words:
            yield len(word)


class Embed(chains.ChainletBase):
    remote_config = WITH_NUMPY

    @chains.batched(max_size=8, max_latency=0.01, argument="text")
    async def run_remote(self, texts: list[str]) -> list[list[float] | Exception]:
        return [[float(len(text))] if text else ValueError("no text") for text in texts]


class Total(chains.ChainletBase):
    remote_config = WITH_NUMPY

    def preprocess(self, a: int, b: int = 2) -> int:
        return a + b

    @chains.batched(max_size=8, max_latency=0)
    def run_remote(self, sums):
        return sums

    def postprocess(self, total: float) -> float:
        return total / 2


@chains.mark_entrypoint
class Main(chains.ChainletBase):
    remote_config = WITH_NUMPY

    def __init__(
        self,
        classify=chains.depends(Classify),
        count=chains.depends(Count),
        embed=chains.depends(Embed),
        total=chains.depends(Total),
    ):
        self._all = (classify, count, embed, total)

    async def run_remote(self, url: str) -> list[Label]:
        return await self._all[0].run_remote(Picture(url=url))
