"""How much each window of a recording sounds like speech in; the spans of speech, in windows, out.

A window is 32 ms, what Silero VAD judges at a time. A span is (first window, window after the last).
"""

from collections.abc import Iterable, Iterator, Sequence

Span = tuple[int, int]

SPEECH = 0.5  # the least score of a window with speech
SILENCE = 13  # 0.4 s without speech end a span
SHORTEST = 8  # 0.25 s: less is a click
MARGIN = 5  # 0.16 s kept on both sides, where soft consonants hide
LONGEST = 250  # 8 s: a longer piece keeps its recogniser busy for too long


def speech_spans(scores: Sequence[float]) -> list[Span]:
    """Return the spans of speech in order, without overlap, none longer than LONGEST.

    >>> speech_spans([0.0] * 20 + [0.9] * 30 + [0.1] * 20)
    [(15, 55)]
    >>> speech_spans([0.9] * 30 + [0.0] * 13 + [0.9] * 30)
    [(0, 35), (38, 73)]
    >>> speech_spans([0.0] * 40 + [0.9] * 3 + [0.0] * 40)
    []
    """
    spans = [span for span in _grouped(scores) if span[1] - span[0] >= SHORTEST]
    wider = [(max(0, first - MARGIN), min(len(scores), last + MARGIN)) for first, last in spans]
    return [piece for span in wider for piece in _cut(span, scores)]


def _grouped(scores: Iterable[float]) -> list[Span]:
    """Join windows with speech that no SILENCE parts."""
    spans: list[Span] = []
    for i, score in enumerate(scores):
        if score < SPEECH:
            continue
        if spans and i - spans[-1][1] < SILENCE:
            spans[-1] = (spans[-1][0], i + 1)
        else:
            spans.append((i, i + 1))
    return spans


def _cut(span: Span, scores: Sequence[float]) -> Iterator[Span]:
    """Cut a span that is too long where it sounds least like speech."""
    first, last = span
    while last - first > LONGEST:
        middle = min(range(first + LONGEST // 2, first + LONGEST), key=lambda i: scores[i])
        yield first, middle
        first = middle
    yield first, last
