"""A text that was said and one that was recognised in; the share of wrong words out."""

import re
from collections.abc import Sequence


def word_error_rate(expected: str, actual: str) -> float:
    """Return (substituted + missing + added words) / words expected. Case and punctuation do not count.

    0.0 is a perfect transcript; many added words give more than 1.0.
    Raises ValueError when nothing was expected.

    >>> word_error_rate("It is ten o'clock.", "it is ten o'clock")
    0.0
    >>> word_error_rate("the cat sat down", "a cat sat")
    0.5
    >>> word_error_rate("no", "no no no")
    2.0
    """
    words = _words(expected)
    if not words:
        raise ValueError("a text without words has no word error rate")
    return _edit_distance(words, _words(actual)) / len(words)


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.lower())


def _edit_distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Levenshtein distance in words, kept one row at a time."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        above = row
        row = [i]
        for j, right in enumerate(b, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (left != right)))
    return row[-1]
