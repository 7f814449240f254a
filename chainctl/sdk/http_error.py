"""The error by which user code sets the HTTP status of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

_LOWEST = 400
_HIGHEST = 599


class HTTPError(Exception):
    """Raise it in `run_remote` to answer with a status of 400 to 599, such as `HTTPError(404, "no such user")`.

    `headers` go into the answer of the chainlet that raises it. The status survives every hop up to
    the caller of the chain. Raises ValueError for a status that is none of an error.
    """

    def __init__(self, status: int, message: str = "", headers: Optional[Mapping[str, str]] = None) -> None:
        if not isinstance(status, int) or not _LOWEST <= status <= _HIGHEST:
            raise ValueError(f"{status!r} is no status of an error: give one of {_LOWEST} to {_HIGHEST}")
        super().__init__(message)
        self.status = int(status)
        self.message = message
        self.headers = dict(headers or {})

    @property
    def status_code(self) -> int:
        """The status, by the name that web frameworks give it."""
        return self.status

    def __reduce__(self) -> tuple[type[HTTPError], tuple[int, str, Mapping[str, str]]]:
        return type(self), (self.status, self.message, self.headers)
