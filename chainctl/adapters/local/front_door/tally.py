"""Requests that are given away and answered in; what a door counted of one service out."""

from __future__ import annotations

_FIRST_FAILURE = 500


class Tally:
    """Counts what one service was given and how it answered."""

    def __init__(self) -> None:
        self.begun = 0
        self.answered = 0
        self.failed = 0
        self.answer_sec = 0.0

    @property
    def mean_sec(self) -> float:
        return self.answer_sec / self.answered if self.answered else 0.0

    def begin(self) -> None:
        self.begun += 1

    def end(self, status: int, seconds: float, *, is_broken: bool) -> None:
        """Count an answer by its status and the time to its beginning."""
        self.answered += 1
        self.answer_sec += seconds
        self.failed += is_broken or status >= _FIRST_FAILURE
