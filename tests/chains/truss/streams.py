"""A stream with a header, items and a footer, read by another chainlet that streams text."""

from typing import AsyncIterator

import pydantic
import truss_chains as chains
from truss_chains import streaming


class Header(pydantic.BaseModel):
    count: int


class Item(pydantic.BaseModel):
    word: str


class Footer(pydantic.BaseModel):
    letters: int


TYPES = streaming.stream_types(Item, header_type=Header, footer_type=Footer)


class Generator(chains.ChainletBase):
    async def run_remote(self, words: list[str]) -> AsyncIterator[bytes]:
        writer = streaming.stream_writer(TYPES)
        yield writer.yield_header(Header(count=len(words)))
        for word in words:
            yield writer.yield_item(Item(word=word))
        yield writer.yield_footer(Footer(letters=sum(map(len, words))))


@chains.mark_entrypoint
class Consumer(chains.ChainletBase):
    def __init__(self, generator=chains.depends(Generator)) -> None:
        self._generator = generator

    async def run_remote(self, words: list[str]) -> AsyncIterator[str]:
        reader = streaming.stream_reader(TYPES, self._generator.run_remote(words))
        yield f"{(await reader.read_header()).count}:"
        async for item in reader.read_items():
            yield f" {item.word}"
        yield f" ({(await reader.read_footer()).letters})"
