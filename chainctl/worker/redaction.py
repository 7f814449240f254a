"""A text that leaves the process in; the same without the secrets that the process has read out."""

from __future__ import annotations

import logging
import re
from typing import Optional

from chainctl.sdk.read_secrets import READ_SECRETS, ReadSecrets

REDACTED = "[REDACTED]"


class Redactor:
    """Replaces all known forms of the secrets that were read with `[REDACTED]`."""

    def __init__(self, secrets: ReadSecrets = READ_SECRETS) -> None:
        self._secrets = secrets
        self._known: Optional[frozenset[str]] = None
        self._pattern: Optional[re.Pattern[str]] = None

    def __call__(self, text: str) -> str:
        """Return a text without secrets."""
        pattern = self._current()
        return pattern.sub(REDACTED, text) if pattern is not None else text

    def _current(self) -> Optional[re.Pattern[str]]:
        forms = self._secrets.forms
        if forms is not self._known:
            longest_first = sorted(forms, key=lambda form: (-len(form), form))
            self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None
            self._known = forms
        return self._pattern


redact = Redactor()


class RedactingFormatter(logging.Formatter):
    """A formatter whose lines, tracebacks included, hold no secrets: wraps the one that does the work."""

    def __init__(self, inner: logging.Formatter, clean: Redactor = redact) -> None:
        super().__init__()
        self._inner = inner
        self._clean = clean

    def format(self, record: logging.LogRecord) -> str:
        return self._clean(self._inner.format(record))
