"""Questions in; answers made of sentences from a folder of documents, each with its source, out.

Retrieval is TF-IDF in plain Python: no model, no download. `Embed` turns texts into weighted
words, `Retrieve` finds the passages nearest to a question, `Answer` picks sentences and cites them.
"""

import asyncio
import math
import re
from collections import Counter
from pathlib import Path

import pydantic

import chainctl as chains

DOCUMENTS = chains.DockerImage(data_dir=chains.make_abs_path_here("documents"))
SMALL = chains.Compute(cpu_count=1, memory="256Mi")
STOP_WORDS = """
    a after all an and any are as at be before by can do does each every for from give given has how i
    if in is it its many much not of on or that the their them then there they this to was what when
    where which who why will with
"""


class Passage(pydantic.BaseModel):
    """One paragraph of a document. `place` is the file and the number of the paragraph in it."""

    place: str
    text: str


class Vector(pydantic.BaseModel):
    """The words of a text with their weights; the squares of the weights add up to 1."""

    weights: dict[str, float]

    def similarity(self, other: "Vector") -> float:
        """Cosine of the angle between two vectors: 1 for the same words, 0 for none in common."""
        return sum(w * other.weights.get(word, 0.0) for word, w in self.weights.items())


class Hit(pydantic.BaseModel):
    """A passage that was found, and how near it is to the question (0 to 1)."""

    passage: Passage
    score: float


class Citation(pydantic.BaseModel):
    """Where a sentence of an answer stands. `number` is the one in brackets behind it."""

    number: int
    place: str


class Reply(pydantic.BaseModel):
    """The answer to one question; without citations when no document speaks of it."""

    question: str
    answer: str
    citations: list[Citation]


class Embed(chains.ChainletBase):
    """Weighs the words of texts: often in the text and rare in the documents weighs much."""

    remote_config = chains.RemoteConfig(docker_image=DOCUMENTS, compute=SMALL)

    def __init__(self, context: chains.DeploymentContext = chains.depends_context()) -> None:
        passages = read_passages(context.data_dir)
        seen = Counter(word for passage in passages for word in set(words_of(passage.text)))
        self._rarity = {word: math.log((1 + len(passages)) / (1 + n)) + 1 for word, n in seen.items()}
        self._unknown = math.log(1 + len(passages)) + 1

    async def run_remote(self, texts: list[str]) -> list[Vector]:
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> Vector:
        counts = Counter(words_of(text))
        weights = {word: n * self._rarity.get(word, self._unknown) for word, n in counts.items()}
        length = math.sqrt(sum(w * w for w in weights.values())) or 1.0
        return Vector(weights={word: w / length for word, w in weights.items()})


class Retrieve(chains.ChainletBase):
    """Finds the passages that are nearest to a question."""

    remote_config = chains.RemoteConfig(docker_image=DOCUMENTS, compute=SMALL)

    def __init__(
        self,
        embed: Embed = chains.depends(Embed, retries=3, timeout_sec=30),
        context: chains.DeploymentContext = chains.depends_context(),
    ) -> None:
        self._embed = embed
        self._passages = read_passages(context.data_dir)
        self._index: list[Vector] = []
        self._indexing = asyncio.Lock()

    async def run_remote(self, question: str, limit: int = 3) -> list[Hit]:
        index = await self._indexed()
        (wanted,) = await self._embed.run_remote([question])
        scored = [
            Hit(passage=passage, score=wanted.similarity(vector))
            for passage, vector in zip(self._passages, index, strict=True)
        ]
        found = sorted((hit for hit in scored if hit.score > 0), key=lambda hit: -hit.score)
        return found[:limit]

    async def _indexed(self) -> list[Vector]:
        """The vectors of all passages; the first call makes them, the others wait for it."""
        async with self._indexing:
            if not self._index:
                self._index = await self._embed.run_remote([p.text for p in self._passages])
        return self._index


@chains.mark_entrypoint("rag")
class Answer(chains.ChainletBase):
    """Answers questions with sentences from the documents, all questions at once."""

    remote_config = chains.RemoteConfig(compute=SMALL)

    def __init__(self, retrieve: Retrieve = chains.depends(Retrieve, retries=3, timeout_sec=60)) -> None:
        self._retrieve = retrieve

    async def run_remote(self, questions: list[str], passages: int = 3) -> list[Reply]:
        return await asyncio.gather(*(self._reply(question, passages) for question in questions))

    async def _reply(self, question: str, passages: int) -> Reply:
        hits = await self._retrieve.run_remote(question, passages)
        chosen = best_sentences(question, hits)
        if not chosen:
            return Reply(question=question, answer="The documents do not say.", citations=[])
        places = list(dict.fromkeys(place for place, _ in chosen))
        cited = [f"{sentence} [{places.index(place) + 1}]" for place, sentence in chosen]
        citations = [Citation(number=n, place=place) for n, place in enumerate(places, 1)]
        return Reply(question=question, answer=" ".join(cited), citations=citations)


def read_passages(directory: Path | None) -> list[Passage]:
    """Read the paragraphs of all documents, without headings, in a stable order."""
    passages = []
    for path in sorted(directory.glob("*.md")) if directory else []:
        paragraphs = [p for p in path.read_text(encoding="utf-8").split("\n\n") if not p.startswith("#")]
        passages += [
            Passage(place=f"{path.name}#{number}", text=" ".join(paragraph.split()))
            for number, paragraph in enumerate(paragraphs, 1)
        ]
    return passages


def words_of(text: str) -> list[str]:
    """The words that carry meaning, in lower case, without plural and other common endings."""
    ignored = STOP_WORDS.split()
    words = re.findall(r"[a-z]+", text.lower())
    return [re.sub(r"(?<=...)(ing|ed|es|s|e)$", "", word) for word in words if word not in ignored]


def best_sentences(question: str, hits: list[Hit], limit: int = 2) -> list[tuple[str, str]]:
    """The sentences that share the most words with the question, with their places."""
    wanted = set(words_of(question))
    scored = []
    for hit in hits:
        for sentence in re.split(r"(?<=\.)\s+", hit.passage.text):
            shared = len(wanted & set(words_of(sentence)))
            scored.append((shared + hit.score, shared, hit.passage.place, sentence))
    scored.sort(key=lambda item: -item[0])
    most = max((shared for _, shared, _, _ in scored), default=0)
    return [(place, text) for _, shared, place, text in scored[:limit] if shared == most > 0]
