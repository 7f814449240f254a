"""A SessionServer in; an engine that asks it over HTTP/2, all in memory, and what it was told, out."""

from __future__ import annotations

from dataclasses import dataclass, field

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes

from chainctl.adapters.docker.session_server import SessionServer
from chainctl.adapters.docker.session_wire import framed

HEADERS = ((":method", "POST"), (":scheme", "http"), ("content-type", "application/grpc"), ("te", "trailers"))


@dataclass
class Told:
    """The answer to one question, as far as it came."""

    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    is_ended: bool = False

    @property
    def status(self) -> str:
        return self.headers.get("grpc-status", "")

    @property
    def message(self) -> bytes:
        assert self.body[:5] == framed(self.body[5:])[:5]
        return self.body[5:]


class AskingEngine:
    """The client's side of a session. With `window`, it takes no more bytes of an answer than that at once."""

    def __init__(self, *, window: int | None = None) -> None:
        self.http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.http.initiate_connection()
        if window is not None:
            self.http.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.told: dict[int, Told] = {}
        self.is_taking = True
        self.largest_unread = 0

    def ask(self, path: str, message: bytes = b"", *, body: bytes | None = None) -> int:
        """Put a question; its bytes wait in `http`."""
        stream = self.http.get_next_available_stream_id()
        self.told[stream] = Told()
        self.http.send_headers(stream, [(":path", path), (":authority", "localhost"), *HEADERS])
        self.http.send_data(stream, framed(message) if body is None else body, end_stream=True)
        return stream

    def hear(self, data: bytes) -> None:
        """Take what the session sent."""
        for event in self.http.receive_data(data):
            match event:
                case events.ResponseReceived(stream_id=stream, headers=headers):
                    self._named(stream, headers)
                case events.TrailersReceived(stream_id=stream, headers=headers):
                    self._named(stream, headers)
                case events.DataReceived(stream_id=stream, data=piece, flow_controlled_length=length):
                    self.told[stream or 0].body += piece or b""
                    if self.is_taking:
                        self.http.acknowledge_received_data(length or 0, stream or 0)
                case events.StreamEnded(stream_id=stream):
                    self.told[stream or 0].is_ended = True

    def _named(self, stream: int | None, headers: object) -> None:
        assert isinstance(headers, list)
        self.told[stream or 0].headers.update(
            {str(name): str(value) for name, value in headers}  # text, by header_encoding
        )


def talk(engine: AskingEngine, server: SessionServer, *, piece: int = 1 << 16) -> int:
    """Carry bytes between both until neither has more to say; return how many times."""
    engine.hear(server.start())
    rounds = 0
    while data := engine.http.data_to_send():
        for start in range(0, len(data), piece):
            engine.hear(server.receive(data[start : start + piece]))
        rounds += 1
    return rounds
