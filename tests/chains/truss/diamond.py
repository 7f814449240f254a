"""Two chainlets that depend on the same third one, with models of pydantic between them."""

import pydantic
import truss_chains as chains


class Text(pydantic.BaseModel):
    words: list[str]


class Count(pydantic.BaseModel):
    words: int
    letters: int = 0


class Split(chains.ChainletBase):
    def run_remote(self, text: str, least: int = 1) -> Text:
        return Text(words=[word for word in text.split() if len(word) >= least])


class Words(chains.ChainletBase):
    def __init__(self, split: Split = chains.depends(Split)) -> None:
        self._split = split

    def run_remote(self, text: str) -> int:
        return len(self._split.run_remote(text).words)


class Letters(chains.ChainletBase):
    def __init__(self, split=chains.depends(Split, timeout_sec=20, concurrency_limit=2)) -> None:
        self._split = split

    def run_remote(self, text: str) -> int:
        return sum(map(len, self._split.run_remote(text, least=2).words))


@chains.mark_entrypoint
class Diamond(chains.ChainletBase):
    def __init__(
        self, words: Words = chains.depends(Words), letters: Letters = chains.depends(Letters)
    ) -> None:
        self._words = words
        self._letters = letters

    def run_remote(self, text: str) -> tuple[Count, str]:
        count = Count(words=self._words.run_remote(text), letters=self._letters.run_remote(text))
        return count, text
