"""The words that a text is about, as a model with stages."""

import os
from collections import Counter

from .words import words_of


class Model:
    """Counts words; what is too common to say anything is in a file of data."""

    def __init__(self, data_dir, **kwargs):
        self._data_dir = data_dir
        self._common = frozenset()

    def load(self):
        self._common = frozenset((self._data_dir / "stopwords.txt").read_text().split())

    async def preprocess(self, inputs):
        return words_of(inputs["text"])

    def predict(self, words):
        return Counter(word for word in words if word not in self._common)

    def postprocess(self, counts):
        most = int(os.environ["MOST_KEYWORDS"])
        return {"keywords": [word for word, _ in sorted(counts.items(), key=_rank)[:most]]}


def _rank(counted):
    word, count = counted
    return -count, word
