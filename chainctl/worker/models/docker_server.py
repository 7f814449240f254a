"""A Truss configuration whose image brings a server in; a Worker that has it answer calls out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Optional

from pydantic_core import to_json

from chainctl.calls.address import Address
from chainctl.calls.answer import BrokenAnswerError, Buffer, NotSentError, Parts
from chainctl.calls.call_context import CallContext
from chainctl.calls.forwarding_connection import ForwardedAnswer, ForwardingConnection, forwarded
from chainctl.calls.http_client import HttpClient, request_head
from chainctl.sdk.websocket import WebSocketProtocol
from chainctl.wire.fault import Fault
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.media import JSON
from chainctl.worker.boot import DEFAULT_LISTEN, ChainletManifest
from chainctl.worker.error_reply import input_reply, overload_reply, reply_of
from chainctl.worker.gate import Gate, Overloaded
from chainctl.worker.models.body import inner_value
from chainctl.worker.models.cannot_start import CannotStartError
from chainctl.worker.models.fetch import with_files
from chainctl.worker.models.server_process import ServerProcess
from chainctl.worker.models.server_settings import HOST, ServerSettings
from chainctl.worker.worker import Call, ForwardedRequest, Health, Load, Reply

HOP_BY_HOP = frozenset(
    [
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
        "trailer", "transfer-encoding", "upgrade",
    ]
)  # fmt: skip
"""Headers of one connection, and not of what goes over it (RFC 9110, section 7.6.1)."""
_OWN = "x-chainctl-"
_SET_AGAIN = frozenset(["host", "content-length", "expect", "traceparent", "x-request-id"])
_CONNECT_SEC = 5.0
_HEALTH_SEC = 5.0
_OK = 200


def boot_server(
    truss_config: Mapping[str, Any],
    manifest: ChainletManifest,
    process: ServerProcess,
    telemetry: Any = None,
    environ: Mapping[str, str] = os.environ,
) -> ServerWorker:
    """Fetch what the server reads, start it, and wait until it is ready. Raises CannotStartError."""
    settings = ServerSettings.of(truss_config)
    _require_other_port(settings, environ)
    with_files(truss_config, manifest, environ)
    process.start(environ)
    worker = ServerWorker(manifest.service, settings)
    if telemetry is not None and worker.gate is not None:
        gate = worker.gate
        telemetry.gauge("chainctl_calls_limit", "Calls that may run at once.", lambda: gate.limit)
        telemetry.gauge("chainctl_calls_in_flight", "Calls that run now.", lambda: gate.in_flight)
        telemetry.gauge("chainctl_calls_waiting", "Calls that wait for their turn.", lambda: gate.waiting)
    return worker


def _require_other_port(settings: ServerSettings, environ: Mapping[str, str]) -> None:
    """A port is one server's: that of the service is known to all who call it."""
    kind, _, rest = environ.get("CHAINCTL_LISTEN", DEFAULT_LISTEN).partition(":")
    if kind == "tcp" and rest.rpartition(":")[2] == str(settings.port):
        raise CannotStartError(
            f"docker_server.server_port {settings.port} is the port of the service itself",
            hint=f"have `start_command` use another one, such as {settings.port + 1}, write it as server_port "
            "in config.yaml, then push again.",
        )


class ServerWorker:
    """Forwards calls to the server of its container: bodies and answers as they come, both ways.

    A call of a chainlet of the chain goes to the predict path. When its caller goes away the server hears of
    it, because its connection is closed.
    """

    is_websocket = False
    body_limit: Optional[int] = None

    def __init__(self, name: str, settings: ServerSettings) -> None:
        self.settings = settings
        self.gate = Gate(settings.limit) if settings.limit else None
        self._name = name
        self._here = 0
        self._address = Address(HOST, settings.port)
        self._http = HttpClient(self._address, connect_sec=_CONNECT_SEC, connections=ForwardingConnection)

    async def call(self, call: Call) -> Reply:
        if call.is_inner:
            try:
                call.body, call.media = to_json(inner_value(call.media, call.body)), JSON
            except InvalidValue as error:
                return input_reply(error)
        request = call.request or ForwardedRequest(
            "POST",
            "/run_remote",
            (("content-type", call.media), ("accept", call.accept or "*/*")),
            len(call.body),
        )
        target = self.settings.target_of(request.target)
        gate = self.gate if self.settings.is_predict(target) else None
        self._here += 1
        if gate is None:
            return await self._forwarded(request, target, call, self._left)
        try:
            since = await gate.enter(call.context.remaining_sec)
        except Overloaded as error:
            self._left()
            return overload_reply(error)
        except BaseException:
            self._left()
            raise

        def leave() -> None:
            gate.leave(since)
            self._left()

        return await self._forwarded(request, target, call, leave)

    async def websocket(self, socket: WebSocketProtocol, context: CallContext) -> None:
        """Conversations are forwarded as they are, beside calls."""
        raise NotImplementedError

    async def health(self) -> Health:
        """Ask the server, at its readiness path."""
        head = request_head(self._address, "GET", self.settings.readiness, {})
        try:
            answer = await self._http.request(head, (), asyncio.get_running_loop().time() + _HEALTH_SEC)
        except (ConnectionError, TimeoutError) as error:
            return Health(False, f"the server does not answer at {self.settings.readiness}: {error}")
        is_ready = answer.status == _OK
        return Health(
            is_ready, "" if is_ready else f"the server answers {answer.status} at {self.settings.readiness}"
        )

    def load(self) -> Load:
        return Load.of(self._here, 0 if self.gate is None else self.gate.waiting)

    def drain(self) -> None:
        """Calls that are here go on to their end; nothing waits for others."""

    def schemas(self) -> dict[str, Any]:
        """What its server takes and gives is not known."""
        return {"input": {}, "output": {}}

    def _left(self) -> None:
        self._here -= 1

    async def _forwarded(
        self, request: ForwardedRequest, target: str, call: Call, leave: Callable[[], None]
    ) -> Reply:
        try:
            answer, chunks = await self._sent(request, target, call)
        except NotSentError as error:
            leave()
            return reply_of(
                Fault.of(502, "dependency", f"the server of {self._name} cannot be reached: {error}")
            )
        except BrokenAnswerError as error:
            leave()
            return reply_of(Fault.of(502, "dependency", f"the server of {self._name} broke off: {error}"))
        except BaseException:
            leave()
            raise
        call.outlives_its_answer = True
        lines = [line for line in passed_on(answer.lines) if line[0] != "date"]
        if "x-request-id" not in answer.headers:
            lines.append(("x-request-id", call.context.request_id))
        headers = {name: value for name, value in lines if name not in ("content-type", "content-length")}
        content_type = answer.headers.get("content-type", "application/octet-stream")
        body = _Body(chunks, leave, answer.abandon)
        return Reply(answer.status, body, content_type, headers, lines=lines)

    async def _sent(
        self, request: ForwardedRequest, target: str, call: Call
    ) -> tuple[ForwardedAnswer, AsyncIterator[bytes]]:
        context = call.context
        lines = [
            *(line for line in passed_on(request.lines) if line[0] not in _SET_AGAIN),
            ("traceparent", f"00-{context.trace_id:032x}-{context.span_id:016x}-0{int(context.is_sampled)}"),
            ("x-request-id", context.request_id),
        ]
        head = request_head(self._address, request.method, target, {})
        head += "".join(f"{name}: {value}\r\n" for name, value in lines).encode("latin-1")
        if call.chunks is None:
            answer, chunks = await self._http.stream(head, (call.body,) if call.body else ())
        else:
            answer, chunks = await self._http.send_stream(head, _in_parts(call.chunks), length=request.length)
        return forwarded(answer), chunks


def passed_on(lines: Any) -> list[tuple[str, str]]:
    """Return those headers that are not of one connection, nor of the chain's own affairs; names in lower case."""
    named = {
        one.strip().lower()
        for name, value in lines
        if name.lower() == "connection"
        for one in value.split(",")
    }
    return [
        (name.lower(), value)
        for name, value in lines
        if name.lower() not in HOP_BY_HOP | named and not name.lower().startswith(_OWN)
    ]


class _Body(AsyncIterator[bytes]):
    """The body of an answer as it comes.

    The place of its call is free when it ends, or is given up; so is the connection then, also where nobody has
    begun to read.
    """

    def __init__(self, chunks: Any, leave: Callable[[], None], abandon: Callable[[], None]) -> None:
        self._chunks = chunks
        self._leave = leave
        self._abandon = abandon
        self._is_over = False

    async def __anext__(self) -> bytes:
        try:
            chunk: bytes = await self._chunks.__anext__()
        except StopAsyncIteration:
            self._end()
            raise
        except BaseException:
            self._give_up()
            raise
        return chunk

    async def aclose(self) -> None:
        self._give_up()
        await self._chunks.aclose()

    def __del__(self) -> None:
        self._give_up()

    def _give_up(self) -> None:
        if not self._is_over:
            self._end()
            self._abandon()

    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._leave()


async def _in_parts(chunks: AsyncIterator[Buffer]) -> AsyncIterator[Parts]:
    async for chunk in chunks:
        yield (chunk,)
