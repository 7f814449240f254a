"""A question and a time limit in; the first answer that is not None out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

_FIRST_PAUSE_SEC = 0.05
_GROWTH = 1.5
Answer = TypeVar("Answer")


def first_answer(
    ask: Callable[[], Answer | None], within_sec: float, *, longest_pause_sec: float = 1.0
) -> Answer | None:
    """Ask again, less and less often, until there is an answer; None when time is up."""
    deadline, pause = time.monotonic() + within_sec, _FIRST_PAUSE_SEC
    while (answer := ask()) is None:
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        threading.Event().wait(min(pause, left))
        pause = min(pause * _GROWTH, longest_pause_sec)
    return answer
