"""Rates short texts: input and output around the model, and texts of several calls in one batch."""

import asyncio

import pydantic

import chainctl as chains

GOOD = {"bright", "calm", "kind", "quick"}
BAD = {"dull", "late", "rude", "slow"}


class Rating(pydantic.BaseModel):
    """What callers get for a text."""

    stars: int
    label: str


class Rate(chains.ChainletBase):
    """Rates one text a call; the model sees a list of them."""

    remote_config = chains.RemoteConfig(
        compute=chains.Compute(cpu_count=1, memory="256Mi", predict_concurrency=1)
    )

    async def preprocess(self, text: str) -> list[str]:
        return text.lower().replace(".", " ").split()

    @chains.batched(max_size=16, max_latency=0.005)
    async def run_remote(self, texts: list[list[str]]) -> list[int]:
        return [sum((word in GOOD) - (word in BAD) for word in words) for words in texts]

    def postprocess(self, score: int) -> Rating:
        stars = max(1, min(5, 3 + score))
        return Rating(stars=stars, label="good" if stars > 3 else "bad" if stars < 3 else "so-so")


@chains.mark_entrypoint("rating")
class RateAll(chains.ChainletBase):
    """Rates all texts at once, which makes a batch of them."""

    remote_config = chains.RemoteConfig(compute=chains.Compute(cpu_count=1, memory="256Mi"))

    def __init__(self, rate: Rate = chains.depends(Rate)) -> None:
        self._rate = rate

    async def run_remote(self, texts: list[str]) -> list[Rating]:
        return list(await asyncio.gather(*(self._rate.run_remote(text) for text in texts)))
