"""A chainlet in a worker: calls, streams, errors, concurrency, health."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import threading
import types
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NoReturn

import pydantic
import pytest

import chainctl as chains
from chainctl.calls.buffers import Buffers
from chainctl.calls.remote_error import RemoteFault
from chainctl.calls.sync_bridge import can_await_here
from chainctl.sdk.declaration import declaration_of
from chainctl.telemetry.span import Span
from chainctl.wire.media import STREAM
from chainctl.wire.stream_frame import Kind, whole_frame
from chainctl.worker.boot import TOKEN_FILE, ChainletManifest, StubResolver, boot
from chainctl.worker.in_process import InProcessWorker
from chainctl.worker.worker import Call, Health, Reply
from tests.unit.worker.loopback import answer, chunked, loopback, run


class Strict(pydantic.BaseModel):
    size: int

    @pydantic.field_validator("size")
    @classmethod
    def _fails(cls, value: int) -> int:
        if value == 13:
            raise ZeroDivisionError("unlucky")
        return value


class Sync(chains.ChainletBase):
    def run_remote(self, name: str, times: int = 2) -> str:
        return name * times


class Async(chains.ChainletBase):
    async def run_remote(self, request: Strict) -> Strict:
        return request


class Asks(chains.ChainletBase):
    def __init__(self, sync: Any = chains.depends(Sync)) -> None: ...

    def run_remote(self) -> int:
        return 1


class Failing(chains.ChainletBase):
    def run_remote(self, kind: str) -> int:
        if kind == "stop":
            next(iter([]))
        if kind == "exit":
            sys.exit("done")
        if kind == "timeout":
            raise TimeoutError("too slow")
        if kind == "dependency":
            raise RemoteFault("`dep` cannot be reached", status=503)
        if kind == "creates":
            Asks()
        raise ValueError(f"no {kind}")


class AsyncFailing(chains.ChainletBase):
    async def run_remote(self, kind: str) -> int:
        return Failing().run_remote(kind)


class Wrong(chains.ChainletBase):
    async def run_remote(self) -> int:
        return "three"  # type: ignore[return-value]  # the point


class Stream(chains.ChainletBase):
    async def run_remote(self, items: list[str], fail_at: int = -1) -> AsyncIterator[str]:
        for i, item in enumerate(items):
            if i == fail_at:
                raise ValueError(f"no {item}")
            yield item


def worker_of(cls: Any) -> InProcessWorker:
    return InProcessWorker(declaration_of(cls), cls())


async def called(cls: Any, body: bytes) -> tuple[int, Any]:
    """Call a chainlet once; its answer as a status and parsed JSON."""
    reply = await worker_of(cls).call(Call(body))
    assert isinstance(reply.body, bytes)
    return reply.status, json.loads(reply.body)


@pytest.mark.parametrize(
    ("cls", "body", "result"),
    [
        (Sync, b'{"name": "ab"}', "abab"),
        (Sync, b'{"name": "ab", "times": 0}', ""),
        (Async, b'{"request": {"size": 3}}', {"size": 3}),
    ],
)
def test_calls(cls: Any, body: bytes, result: Any) -> None:
    """A call's arguments are decoded and its result is encoded; defaults hold."""
    assert run(called(cls, body)) == (200, result)


@pytest.mark.parametrize(
    ("cls", "body", "status", "kind"),
    [
        (Sync, b"", 422, "invalid_input"),
        (Sync, b"{", 400, "malformed"),
        (Sync, b'{"name": 3}', 422, "invalid_input"),
        (Sync, b'{"name": "a", "tmies": 3}', 422, "invalid_input"),
        (Async, b'{"request": {"size": 13}}', 500, "user"),
        (Wrong, b"{}", 500, "invalid_output"),
        (Failing, b'{"kind": "luck"}', 500, "user"),
        (Failing, b'{"kind": "stop"}', 500, "user"),
        (Failing, b'{"kind": "exit"}', 500, "user"),
        (Failing, b'{"kind": "timeout"}', 504, "user"),
        (Failing, b'{"kind": "dependency"}', 503, "dependency"),
        (Failing, b'{"kind": "creates"}', 500, "user"),
        (AsyncFailing, b'{"kind": "stop"}', 500, "user"),
        (AsyncFailing, b'{"kind": "exit"}', 500, "user"),
    ],
)
def test_errors_are_replies(cls: Any, body: bytes, status: int, kind: str) -> None:
    """Whatever goes wrong in a call is an answer of that kind; the worker goes on."""
    found, error = run(called(cls, body))
    assert (found, error["error"]["kind"]) == (status, kind)


def test_invalid_input_names_every_place() -> None:
    """A 422 lists the path and the message of each mistake."""
    _, answered = run(called(Sync, b'{"times": "x", "more": 1}'))
    problems = {problem["path"]: problem["message"] for problem in answered["error"]["problems"]}
    assert set(problems) == {"name", "times", "more"}
    assert problems["name"] == "Field required"


def test_user_errors_are_logged_with_their_frames(caplog: pytest.LogCaptureFixture) -> None:
    """The log says what was raised and where in the user's code."""
    with caplog.at_level(logging.ERROR, "chainctl.worker"):
        run(called(Failing, b'{"kind": "luck"}'))
    (message,) = (record.getMessage() for record in caplog.records)
    assert message.startswith("run_remote raised ValueError: no luck\n")
    assert message.count('File "') == message.count(f'File "{__file__}"') == 1


def test_stream_replies() -> None:
    """A stream is a reply whose body comes in parts; an empty one is an empty body."""

    async def work() -> None:
        reply = await worker_of(Stream).call(Call(b'{"items": ["a", "\xc3\x9f"]}'))
        assert (reply.status, reply.content_type) == (200, "text/plain; charset=utf-8")
        assert isinstance(reply.body, AsyncIterator)
        assert [part async for part in reply.body] == [b"a", "ß".encode()]
        empty = await worker_of(Stream).call(Call(b'{"items": []}'))
        assert isinstance(empty.body, AsyncIterator)
        assert [part async for part in empty.body] == []

    run(work())


def test_stream_errors() -> None:
    """An error before the first item is an error answer, a later one breaks the stream off."""

    async def work() -> None:
        assert (await called(Stream, b'{"items": ["a"], "fail_at": 0}'))[0] == 500
        reply = await worker_of(Stream).call(Call(b'{"items": ["a", "b"], "fail_at": 1}'))
        assert isinstance(reply, Reply)
        assert isinstance(reply.body, AsyncIterator)
        parts = aiter(reply.body)
        assert await anext(parts) == b"a"
        with pytest.raises(ValueError, match="no b"):
            await anext(parts)

    run(work())


def test_first_item_that_cannot_be_sent_is_an_error_answer() -> None:
    """And the generator is closed; only what comes after the first item breaks the stream off."""
    ended: list[str] = []

    class Wrong(chains.ChainletBase):
        async def run_remote(self) -> AsyncIterator[int]:
            try:
                yield "x"  # type: ignore[misc]  # what the test is about
                yield 1
            finally:
                ended.append("closed")

    async def work() -> None:
        status, body = await called(Wrong, b"{}")
        assert (status, body["error"]["kind"]) == (500, "invalid_output")
        assert ended == ["closed"]

    run(work())


def test_items_of_a_stream_are_counted() -> None:
    """What marks the end of a stream between services is none."""

    async def work() -> None:
        span = Span("Stream", "server", 1, 2)
        reply = await worker_of(Stream).call(Call(b'{"items": ["a", "b"]}', accept=STREAM, span=span))
        assert isinstance(reply.body, AsyncIterator)
        assert len([part async for part in reply.body]) == 3
        assert span.items == 2

    run(work())


@pytest.mark.parametrize(("concurrency", "most"), [(None, 1), (1, 1), (3, 3)])
def test_sync_calls_at_once(concurrency: int | None, most: int) -> None:
    """Sync calls run one at a time, or as many as were written."""
    compute = {} if concurrency is None else {"predict_concurrency": concurrency}
    # All calls that may run at once meet here; were there fewer, they would wait in vain.
    meeting = threading.Barrier(most)
    running: list[int] = []

    class Meets(chains.ChainletBase):
        remote_config = chains.RemoteConfig(compute=chains.Compute(**compute))  # type: ignore[arg-type]  # an int

        def run_remote(self) -> int:
            running.append(1)
            meeting.wait(10)
            return running.pop() + len(running)

    async def work() -> list[Reply]:
        worker = worker_of(Meets)
        return list(await asyncio.gather(*(worker.call(Call(b"")) for _ in range(6))))

    replies = run(work())
    assert [reply.status for reply in replies] == [200] * 6
    counts = [int(reply.body) for reply in replies if isinstance(reply.body, bytes)]
    assert max(counts) <= most


def test_async_calls_are_not_bounded() -> None:
    """Async calls run at once, as many as come."""

    class Meets(chains.ChainletBase):
        def __init__(self) -> None:
            self.together = asyncio.Barrier(50)

        async def run_remote(self) -> int:
            return await self.together.wait()

    async def work() -> list[Reply]:
        with chains.run_local():
            worker = worker_of(Meets)
        return list(await asyncio.gather(*(worker.call(Call(b"")) for _ in range(50))))

    assert {reply.status for reply in run(work())} == {200}


def test_cancelled_call_gives_its_permit_back() -> None:
    """A call that is cancelled while it waits does not stand in the way of later ones."""

    class Waits(chains.ChainletBase):
        remote_config = chains.RemoteConfig(compute=chains.Compute(predict_concurrency=1))

        async def run_remote(self, forever: bool) -> int:
            if forever:
                began.set()
                await asyncio.Event().wait()
            return 1

    began = asyncio.Event()

    async def work() -> int:
        worker = worker_of(Waits)
        stuck = [asyncio.ensure_future(worker.call(Call(b'{"forever": true}'))) for _ in range(2)]
        await began.wait()
        for task in stuck:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        return (await worker.call(Call(b'{"forever": false}'))).status

    assert run(work()) == 200


def _raises(self: object) -> NoReturn:
    raise ValueError("no GPU")


async def _sick(self: object) -> bool:
    return False


@pytest.mark.parametrize(
    ("is_healthy", "health"),
    [
        (lambda self: True, Health(True)),
        (lambda self: False, Health(False, "is_healthy returned False")),
        (_sick, Health(False, "is_healthy returned False")),
        (_raises, Health(False, "is_healthy raised ValueError: no GPU")),
        (None, Health(True)),
    ],
)
def test_health(is_healthy: Any, health: Health) -> None:
    """Health is what `is_healthy` says, sync or async; raising is unhealthy; without one all is well."""
    members = {"is_healthy": is_healthy} if is_healthy else {}
    checked: Any = types.new_class("Checked", (Sync,), exec_body=lambda namespace: namespace.update(members))
    assert run(worker_of(checked).health()) == health


def test_sync_calls_are_bridged_until_a_stream_ends() -> None:
    """Also where the call came before the loop made bridging tasks, as the first one of a service does."""

    class Asking(chains.ChainletBase):
        def __init__(self, sync: Any = chains.depends(Sync)) -> None:
            self.sync = sync

        async def run_remote(self) -> AsyncIterator[bool]:
            for _ in range(3):
                await asyncio.sleep(0)
                yield can_await_here()

    async def work() -> None:
        worker = InProcessWorker(declaration_of(Asking), Asking.__new__(Asking))
        reply = await worker.call(Call(b"{}"))
        assert isinstance(reply.body, AsyncIterator)
        assert b"".join([part async for part in reply.body]) == b"true\ntrue\ntrue\n"

    run(work())


# --- booting with stubs ------------------------------------------------------------------------


class Client(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        assets=chains.Assets(secret_keys=["token"]),
    )

    def __init__(
        self,
        sync: Any = chains.depends(Sync, timeout_sec=5),
        stream: Any = chains.depends(Stream),
        strict: Any = chains.depends(Async),
        context: chains.DeploymentContext = chains.depends_context(),
    ) -> None:
        self.sync = sync
        self.stream = stream
        self.strict = strict
        self.context = context

    async def run_remote(self, size: int) -> int:
        return int((await self.strict.run_remote(Strict(size=size))).size)


def manifest_for(tmp_path: Path, url: str = "http://127.0.0.1:9") -> ChainletManifest:
    (tmp_path / TOKEN_FILE).write_text("internal\n")
    (tmp_path / "token").write_text("t")
    (tmp_path / "other").write_text("o")
    services = json.dumps({"Sync": url, "Stream": url, "Async": url, "Elsewhere": url})
    environ = {
        "CHAINCTL_CHAIN": "demo",
        "CHAINCTL_SERVICES": services,
        "CHAINCTL_SECRETS_DIR": str(tmp_path),
        "CHAINCTL_ENVIRONMENT": "staging",
    }
    return ChainletManifest.of(environ, tmp_path / "data")


END = whole_frame(Kind.END)


def framed(text: str) -> bytes:
    """A text as an item of a stream between services."""
    return whole_frame(Kind.TEXT, text.encode())


async def hang_up(*chainlets: Any) -> None:
    """Close the connections of stand-ins."""
    for chainlet in chainlets:
        for client in chainlet.run_remote.__self__._transport._clients.values():
            client.http.close()
    await asyncio.wait([asyncio.ensure_future(asyncio.sleep(0))])


def test_context_of_a_deployed_chainlet(tmp_path: Path) -> None:
    """A deployed chainlet sees its services, its declared secrets, its data and its environment."""
    resolved = StubResolver(manifest_for(tmp_path), Buffers()).arguments(Client, {})
    context = resolved["context"]
    assert set(context.chainlet_to_service) == {"Sync", "Stream", "Async"}
    assert context.secrets["token"] == "t"
    with pytest.raises(chains.MissingDependencyError, match="not declared"):
        context.secrets["other"]
    assert context.data_dir == tmp_path / "data"
    assert context.environment == chains.Environment(name="staging")
    assert repr(resolved["sync"]) == "<remote chainlet Sync>"


def test_missing_service(tmp_path: Path) -> None:
    """A dependency for which no address was given is named."""
    with pytest.raises(chains.MissingDependencyError, match="no service was given for `Sync`"):
        StubResolver(ChainletManifest(services={}, secrets_dir=tmp_path), Buffers()).arguments(Client, {})


def test_manifest_without_anything(tmp_path: Path) -> None:
    """All variables may be absent; then there is no token and there are no services."""
    manifest = ChainletManifest.of({"CHAINCTL_SECRETS_DIR": str(tmp_path)}, None)
    assert (manifest.services, manifest.token, manifest.data_dir, manifest.environment) == (
        {},
        None,
        None,
        None,
    )


def test_boot_calls_services(tmp_path: Path) -> None:
    """A booted chainlet calls other services with typed arguments, results and the token."""

    async def work() -> None:
        async with loopback(answer(b'{"size": 4}')) as served:
            worker = boot(Client.__module__, "Client", manifest_for(tmp_path, served.url))
            assert await worker.call(Call(b'{"size": 3}')) == Reply(200, b"4")
            sent = served.requests[0]
            assert (sent.line, sent.body) == ("POST /-/run_remote HTTP/1.1", b'{"request":{"size":3}}')
            assert sent.headers["x-chainctl-token"] == "internal"
            await hang_up(worker.servings.newest.instance.strict)

    run(work())


def test_stand_ins_check_what_goes_out_and_what_comes_back(tmp_path: Path) -> None:
    """A wrong argument is a TypeError before anything is sent; a wrong result is the service's fault."""

    async def work() -> None:
        async with loopback(answer(b'{"size": "x"}')) as served:
            chainlets = StubResolver(manifest_for(tmp_path, served.url), Buffers()).arguments(Client, {})
            strict = chainlets["strict"]
            with pytest.raises(TypeError, match=r"`Async\.run_remote` was called with `request`"):
                await strict.run_remote(request=3)
            with pytest.raises(TypeError, match="missing a required argument"):
                await strict.run_remote()
            assert served.requests == []
            with pytest.raises(RemoteFault, match="`Async` answered what its type does not allow: `size`"):
                await strict.run_remote(Strict(size=3))
            await hang_up(strict)

    run(work())


def test_stand_in_for_a_stream(tmp_path: Path) -> None:
    """A stream from another service is an async iterator of its items' type."""

    async def work() -> None:
        async with loopback(chunked(framed("a"), framed("ß"), END)) as served:
            stream = StubResolver(manifest_for(tmp_path, served.url), Buffers()).arguments(Client, {})[
                "stream"
            ]
            assert "".join([part async for part in stream.run_remote(["x"])]) == "aß"
            await hang_up(stream)

    run(work())


def test_text_stream_may_be_cut_anywhere(tmp_path: Path) -> None:
    """Where the network cuts a stream of text is no concern of the caller, also inside a frame or a character."""

    async def work() -> None:
        data = framed("aß") + framed("€😀") + END
        async with loopback(chunked(*(data[i : i + 1] for i in range(len(data))))) as served:
            stream = StubResolver(manifest_for(tmp_path, served.url), Buffers()).arguments(Client, {})[
                "stream"
            ]
            assert "".join([part async for part in stream.run_remote(["x"])]) == "aß€😀"
            await hang_up(stream)

    run(work())


@pytest.mark.parametrize(("module", "qualname"), [("no_such_module", "A"), (__name__, "NoSuchClass")])
def test_boot_of_what_is_not_there(tmp_path: Path, module: str, qualname: str) -> None:
    """A module or a class that is not there raises what Python raises."""
    with pytest.raises((ImportError, AttributeError)):
        boot(module, qualname, manifest_for(tmp_path))
