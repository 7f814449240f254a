"""The values of secrets that this process has read, so that they can be kept out of what it says."""

from __future__ import annotations

import threading
from urllib.parse import quote

_SHORTEST = 4
_SHORTEST_LINE = 8


class ReadSecrets:
    """Remembers secret values, in each form in which they may turn up in a text. Any thread may add."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forms: frozenset[str] = frozenset()

    @property
    def forms(self) -> frozenset[str]:
        """All texts to keep back. Another object whenever there are more."""
        return self._forms

    def add(self, value: str) -> None:
        """Remember a value; one of fewer than 4 characters would blacken every text, so it is not."""
        bare = value.strip()  # a file's text ends in a line break
        if len(bare) < _SHORTEST:
            return
        forms = {bare, repr(bare)[1:-1], quote(bare, safe="")}
        forms |= {line.strip() for line in bare.splitlines() if len(line.strip()) >= _SHORTEST_LINE}
        if not forms <= self._forms:
            with self._lock:
                self._forms |= forms


READ_SECRETS = ReadSecrets()
