"""One way to estimate a reading time, and four variants of it that share its code.

The base splits a text into words and divides by a reading speed. Each variant changes one thing:
what goes in and out, which chainlet splits the text, or what the service may use.
"""

import asyncio
import re
from typing import Protocol

import pydantic

import chainctl as chains

SMALL = chains.Compute(cpu_count=1, memory="256Mi")
WORDS_PER_MINUTE = 200


class Splitter(Protocol):
    """What the base asks of the chainlet that splits a text."""

    async def run_remote(self, text: str) -> list[str]: ...


class SplitProse(chains.ChainletBase):
    """Splits a text at white space."""

    remote_config = chains.RemoteConfig(compute=SMALL)

    async def run_remote(self, text: str) -> list[str]:
        return text.split()


class SplitCode(chains.ChainletBase):
    """Splits source code into the words of its identifiers: `readLine` and `read_line` are two each."""

    remote_config = chains.RemoteConfig(compute=SMALL)

    async def run_remote(self, text: str) -> list[str]:
        return re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", text)


class ReadingTime(chains.ChainletBase):
    """The base: minutes that somebody needs to read a text."""

    remote_config = chains.RemoteConfig(compute=SMALL)
    words_per_minute = WORDS_PER_MINUTE

    def __init__(self, splitter: Splitter = chains.depends(SplitProse)) -> None:
        self._splitter = splitter

    async def run_remote(self, text: str) -> float:
        words = await self._splitter.run_remote(text)
        return len(words) / self.words_per_minute


class Estimate(pydantic.BaseModel):
    """A reading time as people write it."""

    text: str
    seconds: int


@chains.mark_entrypoint("reading-time")
class ReadingTimeOfPages(ReadingTime):
    """Other input and output: pages in, a readable estimate out; the work is the base's."""

    async def run_remote(self, pages: list[str]) -> Estimate:  # type: ignore[override]  # an adapter
        one_page = super().run_remote
        minutes = sum(await asyncio.gather(*(one_page(page) for page in pages)))
        seconds = round(minutes * 60)
        return Estimate(text=f"{seconds // 60} min {seconds % 60} s", seconds=seconds)


class ReadingTimeOfCode(ReadingTime):
    """Another dependency: the same computation over words that `SplitCode` finds."""

    def __init__(self, splitter: Splitter = chains.depends(SplitCode)) -> None:
        super().__init__(splitter=splitter)


class ReadingTimeAtScale(ReadingTime):
    """Other resources: a new `remote_config`, since changing the base's in place would change both."""

    remote_config = chains.RemoteConfig(
        compute=chains.Compute(cpu_count=2, memory="512Mi", predict_concurrency=8),
        name="BulkReadingTime",
    )


class ReadingTimeForLearners(ReadingTime):
    """Another constant: class variables are inherited and replaced like methods."""

    words_per_minute = 80
