"""The streams of running builds in; all of them cut off at once when the command is cancelled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from requests import Response


class OpenStreams:
    """Knows which responses are being read, over all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._responses: set[Response] = set()
        self._is_cut = False

    @contextmanager
    def reading(self, response: Response) -> Iterator[Response]:
        """Count a response in while it is read, and close it in the end, however that comes."""
        with self._lock:
            self._responses.add(response)
            if self._is_cut:
                response.raw.shutdown()
        try:
            yield response
        finally:
            with self._lock:
                self._responses.discard(response)
            response.close()

    def cut(self) -> None:
        """Wake every reader, of now and of later, with an end of stream; each closes its own."""
        with self._lock:
            self._is_cut = True
            for response in self._responses:
                with suppress(OSError):  # its connection broke: its reader is about to leave
                    response.raw.shutdown()
