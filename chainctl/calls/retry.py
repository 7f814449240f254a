"""A failed attempt in; whether and when to try again out."""

from __future__ import annotations

import random
import re

from chainctl.calls.answer import Answer

RETRIED_HEADER = "x-chainctl-retried"
"""Says that a call was repeated below, in vain: it is not repeated above."""
_FIRST_BACKOFF_SEC = 0.1
_LONGEST_BACKOFF_SEC = 5.0
_RETRIES_PER_CALL = 0.1
_MOST_SAVED = 10.0
_LOST_WORK = (502, 503)
_SECONDS = re.compile("[0-9]{1,9}")


class RetryBudget:
    """Lets a tenth of an edge's calls be repeats, and ten at once.

    When much fails, repeating everything would multiply the load on what is already failing.
    After the retry throttling of gRPC (A6) and the retry budgets of Finagle.
    """

    def __init__(self) -> None:
        self._saved = _MOST_SAVED

    def note_call(self) -> None:
        self._saved = min(_MOST_SAVED, self._saved + _RETRIES_PER_CALL)

    def take(self) -> bool:
        """Say whether a repeat may be made, and count it."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True


def is_not_begun(answer: Answer) -> bool:
    """Say whether an answer tells that no work was begun."""
    return answer.status in _LOST_WORK and answer.headers.get("x-chainctl-not-started") == "1"


def may_help(answer: Answer, *, is_idempotent: bool) -> bool:
    """Say whether the same call might succeed when it is made again, and does no harm."""
    if RETRIED_HEADER in answer.headers:
        return False
    return is_not_begun(answer) or (is_idempotent and answer.status in _LOST_WORK)


def backoff_sec(attempt: int, retry_after: str = "") -> float:
    """Seconds to wait before the next attempt: exponential with full jitter, no less than Retry-After.

    After M. Brooker, "Exponential Backoff And Jitter", 2015.
    """
    jittered = random.uniform(0, min(_LONGEST_BACKOFF_SEC, _FIRST_BACKOFF_SEC * 2 ** min(attempt, 16)))
    return max(jittered, float(retry_after)) if _SECONDS.fullmatch(retry_after) else jittered
