"""What the server asks of whatever runs a chainlet: call, health, schemas."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional, Protocol, Union

from chainctl.calls.answer import Buffer, Parts
from chainctl.calls.call_context import CallContext
from chainctl.sdk.websocket import WebSocketProtocol
from chainctl.telemetry.span import Span
from chainctl.wire.media import JSON


@dataclass(frozen=True)
class Heading:
    """The request line and the headers of a call, for workers that show them to user code."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[bytes, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class ForwardedRequest:
    """A request as it came, for a worker that has a server of its own answer it.

    `target` is path and query as they were written, `lines` are the headers; `length` is that of the body, None
    where it comes in chunks.
    """

    method: str
    target: str
    lines: Sequence[tuple[str, str]] = ()
    length: Optional[int] = 0


@dataclass
class Call:
    """One call as it came: the body, whole or as it comes (`chunks`), and what is known of it.

    `media` is the body's content type, `accept` what the caller wants back, `shared` where it can find
    buffers beside the message; only a call of the chain's own (`is_inner`) may refer to such. The
    worker writes the times of its parts into `span`, where there is one, and notes in
    `outlives_its_answer` that work goes on after the answer: a stream, a thread that cannot be stopped.
    `heading` is there for workers that ask for it, `request` is all of it where it is to be forwarded.
    """

    body: Buffer = b""
    media: str = JSON
    accept: str = ""
    shared: str = ""
    is_inner: bool = False
    context: CallContext = field(default_factory=CallContext)
    chunks: Optional[AsyncIterator[Buffer]] = None
    span: Optional[Span] = None
    outlives_its_answer: bool = False
    heading: Optional[Heading] = None
    request: Optional[ForwardedRequest] = None


@dataclass
class Reply:
    """The answer to one call: HTTP status, content type, and the body, in parts or as it comes.

    `release` is called when the caller has the body. `lines`, where there are some, are the headers as
    they were made: some may be there twice.
    """

    status: int
    body: Union[bytes, Parts, AsyncIterator[bytes]]
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    release: Optional[Callable[[], None]] = None
    lines: Optional[Sequence[tuple[str, str]]] = None

    @property
    def parts(self) -> Optional[Parts]:
        """The body in parts, None when it comes as it is made."""
        body = self.body
        if isinstance(body, bytes):
            return (body,)
        return None if isinstance(body, AsyncIterator) else body


@dataclass(frozen=True)
class Health:
    """Whether a chainlet can take calls, and why not."""

    is_ready: bool
    reason: str = ""


@dataclass(frozen=True)
class Load:
    """How many calls run, and how many wait for a place."""

    under_way: int
    waiting: int

    @classmethod
    def of(cls, here: int, waiting: int) -> Load:
        """Tell those that are here apart: the ones that do not wait run."""
        return cls(max(0, here - waiting), waiting)


class Worker(Protocol):
    """Runs one chainlet, in this process or elsewhere. `is_websocket` says how it is called."""

    is_websocket: bool

    async def call(self, call: Call) -> Reply:
        """Run one call; errors are replies too. Cancelling it stops all that it has under way."""
        ...

    async def websocket(self, socket: WebSocketProtocol, context: CallContext) -> None:
        """Run a conversation. Raises what user code raises."""
        ...

    async def health(self) -> Health: ...

    def load(self) -> Load:
        """Count the calls that are here; cheap, for it is asked often."""
        ...

    def drain(self) -> None:
        """Note that no call comes any more; those that are here go on to their end."""
        ...

    def schemas(self) -> dict[str, Any]:
        """JSON Schemas of input and output."""
        ...
