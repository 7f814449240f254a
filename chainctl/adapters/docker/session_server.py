"""Bytes that an engine sends over a session in; the bytes to answer with out. No I/O: HTTP/2 by `h2`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from chainctl.adapters.docker.session_services import Method, SessionRefusal, Status
from chainctl.adapters.docker.session_wire import (
    LARGEST_REQUEST,
    SessionWireError,
    framed,
    unary_message,
)

if TYPE_CHECKING:
    from h2.events import Event as H2Event

_LONGEST_REASON = 200
_HEADERS = [(":status", "200"), ("content-type", "application/grpc")]


class SessionProtocolError(Exception):
    """What came is no HTTP/2: the connection can not be used any more."""


@dataclass(slots=True)
class _Request:
    """One call under way: what it asks, and what of its answer could not be sent yet."""

    path: str
    body: bytearray = field(default_factory=bytearray)
    answer: memoryview | None = None


class SessionServer:
    """The server's side of one connection. Answers wait for the peer's flow control, each for its own.

    Memory is bounded: by the number of calls (100, as `h2` has it), the length of a request and of an answer.
    """

    def __init__(self, methods: Mapping[str, Method]) -> None:
        from h2.config import H2Configuration
        from h2.connection import H2Connection

        self.is_over = False
        self._methods = methods
        self._requests: dict[int, _Request] = {}
        # grpc-go leaves fields away that a strict reading wants.
        self._http = H2Connection(
            H2Configuration(client_side=False, header_encoding=None, validate_inbound_headers=False)
        )
        self._http.initiate_connection()

    def start(self) -> bytes:
        """Return the preface that a server sends first."""
        return self._http.data_to_send()

    def receive(self, data: bytes) -> bytes:
        """Take what came and return what is to be sent.

        Raises SessionProtocolError for what is no HTTP/2; `last_words` is then to be sent.
        """
        from h2.exceptions import ProtocolError

        try:
            for event in self._wanted(self._http.receive_data(data)):
                self._take(event)
            self._send_waiting()
        except ProtocolError as error:
            self.is_over = True
            raise SessionProtocolError(type(error).__name__) from None
        return self._http.data_to_send()

    def last_words(self) -> bytes:
        """Return what is to be sent before the connection is closed, after an error too."""
        from h2.exceptions import ProtocolError

        with suppress(ProtocolError):  # it may be closed already
            self._http.close_connection()
        return self._http.data_to_send()

    def _wanted(self, came: list[H2Event]) -> list[H2Event]:
        """Leave out what a later event of the same bytes made pointless: there is no stream to answer on."""
        from h2 import events

        if any(isinstance(event, events.ConnectionTerminated) for event in came):
            self.is_over = True
            return []
        reset = {event.stream_id for event in came if isinstance(event, events.StreamReset)}
        for stream in reset:
            self._requests.pop(stream, None)
        return [event for event in came if getattr(event, "stream_id", None) not in reset]

    def _take(self, event: H2Event) -> None:
        from h2 import events

        match event:
            case events.RequestReceived(stream_id=stream, headers=headers):
                path = next((value for name, value in headers or () if name == b":path"), b"")
                self._requests[stream] = _Request(path.decode("ascii", "replace"))
            case events.DataReceived(stream_id=stream, data=data, flow_controlled_length=length):
                self._http.acknowledge_received_data(length, stream)
                self._keep(stream, data)
            case events.StreamEnded(stream_id=stream):
                self._answer(stream)
            case _:
                pass

    def _keep(self, stream: int, data: bytes) -> None:
        request = self._requests.get(stream)
        if request is None:
            return
        request.body += data
        if len(request.body) > LARGEST_REQUEST:
            self._refuse(stream, Status.RESOURCE_EXHAUSTED, "the request is too long")

    def _answer(self, stream: int) -> None:
        request = self._requests.get(stream)
        if request is None:
            return
        try:
            message = self._call(request)
        except SessionRefusal as refusal:
            self._refuse(stream, refusal.status, refusal.reason)
            return
        request.answer = memoryview(framed(message))
        self._say(stream, _HEADERS)

    def _call(self, request: _Request) -> bytes:
        method = self._methods.get(request.path)
        if method is None:
            raise SessionRefusal(Status.UNIMPLEMENTED, "the session does not do that")
        try:
            return method(unary_message(request.body))
        except SessionWireError as error:
            raise SessionRefusal(Status.INVALID_ARGUMENT, str(error)) from None

    def _refuse(self, stream: int, status: Status, reason: str) -> None:
        """Answer with nothing but a status."""
        self._say(stream, [*_HEADERS, *_trailers(status, reason)], is_end=True)

    def _say(self, stream: int, headers: list[tuple[str, str]], *, is_end: bool = False) -> None:
        self._http.send_headers(stream, headers, end_stream=is_end)
        if is_end:
            self._requests.pop(stream, None)

    def _send_waiting(self) -> None:
        """Send of every answer as much as the peer takes now."""
        for stream, request in [*self._requests.items()]:
            if request.answer is not None and not self.is_over:
                self._send(stream, request)

    def _send(self, stream: int, request: _Request) -> None:
        while request.answer:
            size = min(self._http.local_flow_control_window(stream), self._http.max_outbound_frame_size)
            if size <= 0:
                return
            self._http.send_data(stream, bytes(request.answer[:size]))
            request.answer = request.answer[size:]
        self._say(stream, _trailers(Status.OK, ""), is_end=True)


def _trailers(status: Status, reason: str) -> list[tuple[str, str]]:
    said = [("grpc-message", quote(reason[:_LONGEST_REASON], safe=" "))] if reason else []
    return [("grpc-status", str(int(status))), *said]
