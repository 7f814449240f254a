"""Which generations of a chain's code a replica serves: told with what it refuses, and minded by callers.

While a chain is edited there can be replicas with older code beside ones with newer code. A call that comes to
the wrong one is refused before it is begun, so that its caller asks another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

from chainctl.calls.answer import Answer
from chainctl.calls.retry import is_not_begun

SERVES_HEADER = "x-chainctl-serves"
ANY_HEADER = "x-chainctl-any-generation"
"""Says of a call that it found no replica of its generation, so that any other is to take it."""
_TEXT = re.compile("([0-9]{1,18})-([0-9]{0,18})")


@dataclass(frozen=True)
class GenerationRange:
    """The generations from `first` to `last`, both of them too; all that follow where `last` is None."""

    first: int = 0
    last: Optional[int] = None

    @classmethod
    def parse(cls, text: str) -> GenerationRange:
        """Read what `text` gave; what can not be read stands for every generation."""
        found = _TEXT.fullmatch(text)
        return cls(int(found[1]), int(found[2]) if found[2] else None) if found else EVERY

    @property
    def text(self) -> str:
        """As it is in a header: `3-5`, or `3-` without an end."""
        return f"{self.first}-{'' if self.last is None else self.last}"

    def has(self, number: Optional[int]) -> bool:
        """Say whether a generation is one of them. A call without one can go anywhere."""
        return number is None or (self.first <= number and (self.last is None or number <= self.last))


EVERY = GenerationRange()


def is_elsewhere(answer: Answer) -> bool:
    """Say whether a replica refused a call because of its generation."""
    return SERVES_HEADER in answer.headers and is_not_begun(answer)
