"""A request's path, headers and body in; the Reply of one chainlet's Worker out, however it was transported.

Routes: `POST /run_remote`, `GET /healthz` (the process answers), `/readyz` (calls can be taken),
`/openz` (it is one of the replicas to turn to), `/schema`, `/openapi.json`, `/metrics`, `/-/spans`,
`GET /-/load` (how many calls run and wait), `POST /-/aside?sec=N` (say for so long that it is none to turn to).
Everything but the three health routes wants the chain's internal token. A service of a model has the
routes of a Truss server, too: see `truss_routes`.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import threading
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Optional

from chainctl.calls.answer import Buffer
from chainctl.calls.awaited import Awaited
from chainctl.calls.buffers import SHARED_HEADER
from chainctl.calls.call_context import CURRENT_CALL, GENERATION_HEADER, CallContext
from chainctl.calls.generation_range import ANY_HEADER, EVERY, SERVES_HEADER, GenerationRange
from chainctl.calls.replica import ZONE_HEADER
from chainctl.calls.time_limit import TimeLimit
from chainctl.server.openapi import openapi
from chainctl.server.seen import answer_seen
from chainctl.telemetry.span import Span
from chainctl.telemetry.telemetry import Telemetry
from chainctl.telemetry.trace_context import Sampler, follow_caller, new_span_id, received
from chainctl.wire.fault import (
    deadline,
    error_body,
    not_ready,
    other_generation,
    too_large,
    unsupported_encoding,
    unsupported_media_type,
)
from chainctl.wire.media import JSON, MSGPACK, READABLE
from chainctl.worker.boot import TOKEN_HEADER
from chainctl.worker.error_reply import reply_of
from chainctl.worker.worker import Call, ForwardedRequest, Heading, Load, Reply, Worker

DEFAULT_BODY_LIMIT = 512 * 1024 * 1024
RUN = "/run_remote"
INNER = "/-"
"""Where a chain's own services call; the same routes are there as for others."""
_MOST_DIGITS = 19
_FAILED = 500
_LARGEST_KEPT = 1 << 20
_GONE = 499  # the caller went away
_MOST_ASIDE_SEC = 10
_OPEN_PATHS = ("/healthz", "/readyz", "/openz")
_TOKEN = TOKEN_HEADER.encode()
_DOOR = b"x-chainctl-door"  # set by the front door on all that comes from outside
_SHARED = SHARED_HEADER.encode()
_GENERATION = GENERATION_HEADER.encode()
_ANY = ANY_HEADER.encode()
_METHODS = {
    RUN: "POST",
    "/healthz": "GET",
    "/readyz": "GET",
    "/openz": "GET",
    "/schema": "GET",
    "/openapi.json": "GET",
    "/metrics": "GET",
    "/spans": "GET",
    "/load": "GET",
    "/aside": "POST",
}
_COMPRESSED = (b"gzip", b"x-gzip", b"deflate", b"br", b"zstd", b"compress")
_INNER_ONLY = ("/spans", "/load", "/aside")
_PLAIN_MEDIA = {media.encode(): media for media in READABLE}
Headers = Mapping[bytes, bytes]


class ChainletService:
    """One chainlet behind HTTP; `worker` is set when it has booted. `body_limit` is in bytes.

    Without `has_deadlines` calls may take as long as they take: somebody debugs.

    `awaited` counts the calls that it holds for services that sleep. `zone` is the one that it runs in, if known.
    `calls` and `errors` count calls and the answers from 500 on. `last_call` is the media type and the body
    of the last call, kept only while `keeps_last_call`, and never where it was a stream or a large one.
    `is_leaving` when it is about to end while other replicas go on: `/openz` says so, calls are still taken.
    `serves` are the generations of calls within the chain that this replica takes. `loop` runs the calls.
    With `serves_truss_routes` there are those of a Truss server, too; where it `takes_any_media`, the worker
    decides how a body is read, whatever its content type.
    """

    def __init__(
        self,
        name: str,
        token: Optional[str] = None,
        *,
        body_limit: int = DEFAULT_BODY_LIMIT,
        telemetry: Optional[Telemetry] = None,
        sampler: Sampler = follow_caller,
        has_deadlines: bool = True,
    ) -> None:
        self.worker: Optional[Worker] = None
        self.calls = self.errors = 0
        self.awaited = Awaited()
        self.zone = ""
        self.keeps_last_call = False
        self.last_call: Optional[tuple[str, bytes]] = None
        self.is_leaving = False
        self.serves: GenerationRange = EVERY
        self.loop: Optional[asyncio.AbstractEventLoop] = None
        self.serves_truss_routes = self.takes_any_media = False
        self._aside_until = 0.0
        self.name = name
        self.body_limit = body_limit
        self.telemetry = telemetry
        self._sampler = sampler
        self._has_deadlines = has_deadlines
        self._token = token.encode() if token else None

    def is_held_up(self, seconds: float) -> bool:
        """Say whether the event loop does nothing for so long, as a call keeps it busy; for other threads."""
        if self.loop is None:
            return False
        turned = threading.Event()
        self.loop.call_soon_threadsafe(turned.set)
        return not turned.wait(seconds)

    def leave(self) -> None:
        """Say from now on that callers should turn to other replicas."""
        self.is_leaving = True

    def drain(self) -> None:
        """Let nothing wait for calls that will not come any more; for the event loop."""
        if self.worker is not None:
            self.worker.drain()

    def step_aside(self, seconds: int) -> None:
        """Say so for some seconds only: who stands in has to ask again, and may be gone by then."""
        self._aside_until = time.monotonic() + min(seconds, _MOST_ASIDE_SEC)

    @property
    def is_open(self) -> bool:
        """Say whether callers should turn to it."""
        return not self.is_leaving and time.monotonic() >= self._aside_until

    def refusal(self, method: str, path: str, headers: Headers) -> Optional[Reply]:
        """Answer what needs no body: unknown routes, wrong methods, strangers, bodies that cannot be read."""
        route = _route(path)
        allowed = _METHODS.get(route)
        is_inner = route != path or path in _INNER_ONLY
        if allowed is None and self.serves_truss_routes:
            return self._truss_refusal(method, path, headers)
        if allowed is None or (is_inner and (_DOOR in headers or route == path)):
            return _no_route(path)
        if method != allowed and not (allowed == "GET" and method == "HEAD"):
            return _not_allowed(path, allowed, method)
        if route not in _OPEN_PATHS and not self.is_trusted(headers):
            return _stranger()
        if route != RUN:
            return None
        return self._unreadable(headers)

    def _truss_refusal(self, method: str, path: str, headers: Headers) -> Optional[Reply]:
        from chainctl.server.truss_routes import Meaning, meanings_of

        meanings = meanings_of(path)
        meaning = meanings.get("GET" if method == "HEAD" else method)
        if not meanings:
            return _no_route(path)
        if meaning is None:
            return _not_allowed(path, next(iter(meanings)), method)
        if not meaning.is_open and not self.is_trusted(headers):
            return _stranger()
        return self._unreadable(headers) if meaning is Meaning.CALL else None

    def is_trusted(self, headers: Headers) -> bool:
        """Say whether a request has the chain's token; there may be none."""
        return self._token is None or hmac.compare_digest(headers.get(_TOKEN, b""), self._token)

    async def answer(
        self,
        path: str,
        headers: Headers,
        body: Buffer = b"",
        chunks: Optional[AsyncIterator[Buffer]] = None,
        query: str = "",
        method: str = "POST",
    ) -> Reply:
        """Answer a request that was not refused."""
        if not path.endswith(RUN):
            if not self.serves_truss_routes or _route(path) in _METHODS:
                return await self._describe(path, query)
            described = await self._truss_described(method, path)
            if described is not None:
                return described
        context, is_inner = self.context(headers), path.startswith(INNER + "/")
        if is_inner:
            context.generation = _generation(headers)
            if self.serves is not EVERY and chunks is None and self._is_elsewhere(context, headers):
                return reply_of(other_generation(self.name, self._serving()))
        self.calls += 1
        if self.keeps_last_call and chunks is None and len(body) <= _LARGEST_KEPT:
            self.last_call = media_of(headers), bytes(body)
        heading = Heading(method, path, query, headers) if self.serves_truss_routes else None
        reply = await self._run(context, headers, body, chunks, heading, is_inner=is_inner)
        if reply.status >= _FAILED:
            self.errors += 1
        if not is_inner:  # who calls from outside may not know which id the call was given
            reply.headers = {**reply.headers, "x-request-id": context.request_id}
        return reply

    async def forward(
        self,
        request: ForwardedRequest,
        headers: Headers,
        body: Buffer,
        chunks: Optional[AsyncIterator[Buffer]],
    ) -> Reply:
        """Have the worker answer a request as it is, whatever its route."""
        self.calls += 1
        reply = await self._run(
            self.context(headers), headers, body, chunks, None, is_inner=False, request=request
        )
        if reply.status >= _FAILED:
            self.errors += 1
        return reply

    def _is_elsewhere(self, context: CallContext, headers: Headers) -> bool:
        return not self.serves.has(context.generation) and _ANY not in headers

    def _serving(self) -> dict[str, str]:
        """The header that says which generations are served, where not all are."""
        return {} if self.serves == EVERY else {SERVES_HEADER: self.serves.text}

    def context(self, headers: Headers) -> CallContext:
        """What the headers say of a call: ids, deadline."""
        parent = received(headers.get(b"traceparent", b"").decode("latin-1"), self._sampler)
        timeout = _number(headers.get(b"x-chainctl-timeout-ms", b"")) if self._has_deadlines else None
        return CallContext(
            request_id=headers.get(b"x-request-id", b"").decode("latin-1")[:128] or f"{new_span_id():016x}",
            trace_id=parent.trace_id,
            span_id=new_span_id(),
            parent_id=parent.span_id,
            is_sampled=parent.is_sampled,
            deadline=None if timeout is None else time.monotonic() + timeout / 1000,
        )

    def _unreadable(self, headers: Headers) -> Optional[Reply]:
        media = media_of(headers)
        if media not in READABLE and not self.takes_any_media:
            return reply_of(unsupported_media_type(media, (JSON, MSGPACK)))
        encoding = headers.get(b"content-encoding", b"").strip().lower()
        if encoding in _COMPRESSED:
            return reply_of(unsupported_encoding(encoding.decode("latin-1")))
        length = _number(headers.get(b"content-length", b""))
        if length is not None and length > self.body_limit:
            return self.too_large()
        return None

    def too_large(self) -> Reply:
        return reply_of(too_large(self.body_limit))

    async def _run(
        self,
        context: CallContext,
        headers: Headers,
        body: Buffer,
        chunks: Optional[AsyncIterator[Buffer]],
        heading: Optional[Heading],
        *,
        is_inner: bool,
        request: Optional[ForwardedRequest] = None,
    ) -> Reply:
        if self.worker is None:
            return reply_of(not_ready(self.name))
        CURRENT_CALL.set(context)
        span = self._span(context)
        accept = headers.get(b"accept", b"").decode("latin-1")
        shared = headers.get(_SHARED, b"").decode("latin-1") if is_inner else ""
        call = Call(
            body,
            media_of(headers),
            accept,
            shared,
            is_inner,
            context,
            chunks,
            span,
            heading=heading,
            request=request,
        )
        if span is None:
            return await self._within_deadline(self.worker, call)
        began = time.perf_counter_ns()
        try:
            reply = await self._within_deadline(self.worker, call)
        except BaseException as error:
            span.status, span.error = _GONE, type(error).__name__
            self._record(span, began)
            raise
        self._finish(span, reply, began)
        return reply

    async def _within_deadline(self, worker: Worker, call: Call) -> Reply:
        """Run a call until its deadline; then stop it, and all that it has under way."""
        remaining = call.context.remaining_sec
        if remaining is None:
            return await worker.call(call)
        if remaining <= 0:
            return self._too_late()
        limit = TimeLimit(remaining)
        try:
            with limit:
                return await worker.call(call)
        except TimeoutError:
            if not limit.has_expired:
                raise
            return self._too_late()

    def _too_late(self) -> Reply:
        return reply_of(deadline(f"the deadline of the call passed before {self.name} answered"))

    def _span(self, context: CallContext) -> Optional[Span]:
        if self.telemetry is None:
            return None
        return Span(
            self.name,
            "server",
            context.trace_id,
            context.span_id,
            context.parent_id,
            context.request_id,
            context.is_sampled,
            time.time_ns(),
        )

    def _finish(self, span: Span, reply: Reply, began: int) -> None:
        """Record the span of a call; of a stream when it ends."""
        span.status = reply.status
        chunks: Any = reply.body if reply.parts is None else None
        if chunks is not None:
            reply.body = self._recorded(span, chunks, began)
        else:
            self._record(span, began)

    async def _recorded(self, span: Span, chunks: AsyncIterator[bytes], began: int) -> AsyncIterator[bytes]:
        try:
            async for chunk in chunks:
                yield chunk
        except BaseException as error:
            span.error = type(error).__name__
            raise
        finally:
            self._record(span, began)
            if hasattr(chunks, "aclose"):
                await chunks.aclose()

    def _record(self, span: Span, began: int) -> None:
        span.total_ns = time.perf_counter_ns() - began
        if self.telemetry is not None:
            self.telemetry.record(span)

    async def _describe(self, path: str, query: str) -> Reply:
        route = _route(path)
        if route == "/healthz":
            return _json(200, {"status": "ok"})
        if route in ("/metrics", "/spans"):
            return self._seen(path, query)
        if route == "/load":
            return self._load()
        if self.worker is None:
            return self._starting()
        if route == "/openz":
            is_open = self.is_open
            reply = _json(200 if is_open else 503, {"chainlet": self.name, "open": is_open})
            zone = {ZONE_HEADER: self.zone} if self.zone else {}
            reply.headers = {**reply.headers, **self._serving(), **zone}
            return reply
        if route == "/aside":
            return self._stepped_aside(query)
        if route == "/readyz":
            return await self._readiness(self.worker)
        schemas = self.worker.schemas()
        return _json(200, schemas if route == "/schema" else openapi(self.name, schemas))

    async def _readiness(self, worker: Worker) -> Reply:
        health = await worker.health()
        status = {"status": "ready" if health.is_ready else "unhealthy", "chainlet": self.name}
        return _json(200 if health.is_ready else 503, {**status, "reason": health.reason})

    async def _truss_described(self, method: str, path: str) -> Optional[Reply]:
        """Answer a route of a Truss server that is no call; None for a call that can be made."""
        from chainctl.server.truss_routes import Meaning, meanings_of, method_at, offers, schema_of

        meaning, worker = meanings_of(path)["GET" if method == "HEAD" else method], self.worker
        if meaning is Meaning.ALIVE:
            return _json(200, True)
        if worker is None:
            return None if meaning is Meaning.CALL else self._starting()
        if meaning is Meaning.CALL:
            called = method_at(path)
            return None if offers(worker, called) else _no_method(self.name, called)
        if meaning is Meaning.READY:
            return await self._readiness(worker)
        if meaning is Meaning.LOADED:
            return _json(200, {"status": "loaded", "chainlet": self.name})
        schema = schema_of(worker)
        return (
            refuse(404, "not_found", f"{self.name} has no schemas") if schema is None else _json(200, schema)
        )

    def _load(self) -> Reply:
        """Also while it starts: it may be made to wait for a service that sleeps."""
        load = Load(0, 0) if self.worker is None else self.worker.load()
        told = {"under_way": load.under_way, "waiting": load.waiting, "awaited": self.awaited.counts()}
        return _json(200, told)

    def _starting(self) -> Reply:
        return _json(503, {"status": "starting", "chainlet": self.name})

    def _stepped_aside(self, query: str) -> Reply:
        name, _, seconds = query.partition("=")
        if name != "sec" or not seconds.isdecimal():
            return refuse(400, "bad_request", "say for how long, as in /-/aside?sec=2")
        self.step_aside(int(seconds[:_MOST_DIGITS]))
        return _json(200, {"chainlet": self.name, "open": self.is_open})

    def _seen(self, path: str, query: str) -> Reply:
        seen = answer_seen(path, query, self.telemetry) if self.telemetry is not None else None
        if seen is None:
            return refuse(404, "not_found", "this service keeps no telemetry: CHAINCTL_TELEMETRY is off")
        status, content_type, body = seen
        return Reply(status, body, content_type)


def media_of(headers: Headers) -> str:
    """The content type of a request without parameters, in lower case."""
    written = headers.get(b"content-type", b"")
    known = _PLAIN_MEDIA.get(written)
    return known if known is not None else written.partition(b";")[0].strip().lower().decode("latin-1")


def _generation(headers: Headers) -> Optional[int]:
    """Which code of the chain a call within it runs with, None for the newest.

    Callers do not say that it is the first one. A call that is made for no other has no generation, and no id.
    """
    generation = _number(headers.get(_GENERATION, b""))
    return 0 if generation is None and b"x-request-id" in headers else generation


def _number(digits: bytes) -> Optional[int]:
    """A number in a header, None where there is none; one that is absurd counts as a large one."""
    return min(int(digits[:_MOST_DIGITS]), 10**12) if digits.isdigit() else None


def refuse(status: int, kind: str, message: str) -> Reply:
    return Reply(status, error_body(kind, message))


def _no_route(path: str) -> Reply:
    return refuse(404, "not_found", f"there is no {path}; calls go to POST /run_remote")


def _no_method(name: str, method: str) -> Reply:
    return refuse(404, "not_found", f"{name} has no method `{method}`")


def _stranger() -> Reply:
    return refuse(401, "unauthorized", "this service answers only its own chain")


def _not_allowed(path: str, allowed: str, method: str) -> Reply:
    body = error_body("method_not_allowed", f"{path} takes {allowed}, not {method}")
    return Reply(405, body, headers={"allow": "GET, HEAD" if allowed == "GET" else allowed})


def _route(path: str) -> str:
    return path[len(INNER) :] if path.startswith(INNER + "/") else path


def _json(status: int, value: Any) -> Reply:
    return Reply(status, json.dumps(value).encode())
