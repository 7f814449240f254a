"""A request of somebody else in, forwarded; the answer with all of its header lines, as they came, out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from chainctl.calls.answer import Answer, Parts
from chainctl.calls.client_connection import ClientConnection

_FINAL = 200


@dataclass
class ForwardedAnswer(Answer):
    """An answer; `lines` are its headers in their order, also where there are several of one name.

    `abandon` closes its connection, which nobody else has until its body is read.
    """

    lines: list[tuple[str, str]] = field(default_factory=list)
    abandon: Callable[[], None] = field(default=lambda: None)


class ForwardingConnection(ClientConnection):
    """A client's connection that also takes answers to HEAD, which say how long a body is and have none."""

    _answer: ForwardedAnswer
    _is_head = False

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._answer.lines.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._is_head and self._answer.status >= _FINAL:
            self._keep_alive = False  # the parser waits for the body
            self._finish()

    def on_message_complete(self) -> None:
        if self._answer.status == 0:  # the final answer is still to come
            self._answer.lines.clear()
        if not self._complete:
            super().on_message_complete()

    def _reset(self, *, streamed: bool) -> None:
        super()._reset(streamed=streamed)
        self._answer = ForwardedAnswer(0, abandon=self.close)

    def _send(self, head: bytes, parts: Parts) -> None:
        self._is_head = head.startswith(b"HEAD ")
        super()._send(head, parts)


def forwarded(answer: Answer) -> ForwardedAnswer:
    """Return an answer that came over such a connection as what it is."""
    return cast(ForwardedAnswer, answer)
