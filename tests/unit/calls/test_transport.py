"""Calls to a service: what is repeated, what is bounded, and which errors the caller sees."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import chainctl as chains
from chainctl.calls.answer import Answer
from chainctl.calls.call_context import CURRENT_CALL, CallContext
from chainctl.calls.client_loop import ClientLoop
from chainctl.calls.message import Message
from chainctl.calls.remote_error import RemoteFault, error_of
from chainctl.calls.retry import backoff_sec
from chainctl.calls.transport import Transport
from chainctl.wire.fault import error_body, user_error_body
from tests.unit.worker.loopback import Loopback, Step, answer, chunk, chunked, loopback, refusing_port, run

NOT_STARTED = answer(error_body("not_ready", "starting"), 503, "x-chainctl-not-started: 1")
BUSY_AT_WORK = answer(error_body("dependency", "too much"), 503)


EMPTY = Message((b"{}",))


def body_of(answer: Answer) -> bytes:
    return bytes(answer.body)


def transport_to(url: str, **options: Any) -> Transport:
    service = chains.DeployedServiceDescriptor(
        name="Dep", display_name="dep", internal_url=url, options=chains.RPCOptions(**options)
    )
    return Transport(service, {"x-chainctl-token": "t"}, ClientLoop())


async def finished(transport: Transport, call: Coroutine[Any, Any, Any]) -> Any:
    """Await a call and close the connections that it leaves."""
    try:
        return await call
    finally:
        for client in transport._clients.values():
            client.http.close()


def close_loop(transport: Transport) -> None:
    """End the thread that sync calls were made in, with its connections."""
    loop = transport._loop._running()

    async def close_connections() -> None:
        for client in transport._clients.values():
            client.http.close()

    asyncio.run_coroutine_threadsafe(close_connections(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    while loop.is_running():
        threading.Event().wait(0.001)
    loop.close()


def call(served: Loopback, body: bytes = b"{}", **options: Any) -> Coroutine[Any, Any, Any]:
    transport = transport_to(served.url, **options)
    return finished(transport, transport.call(Message((body,)), body_of))


async def streamed(served: Loopback, **options: Any) -> list[bytes]:
    transport = transport_to(served.url, **options)

    async def collected() -> list[bytes]:
        async with transport.stream(EMPTY) as incoming:
            return [part async for part in incoming.chunks]

    return list(await finished(transport, collected()))


def test_call_sends_json_and_the_token() -> None:
    """A call is a POST of JSON to the endpoint, with the headers that the caller adds."""

    async def work() -> None:
        async with loopback(answer(b"3")) as served:
            assert await call(served, b'{"a": 1}') == b"3"
            sent = served.requests[0]
            assert (sent.line, sent.body) == ("POST /-/run_remote HTTP/1.1", b'{"a": 1}')
            assert sent.headers["content-type"] == "application/json"
            assert sent.headers["x-chainctl-token"] == "t"

    run(work())


def test_service_that_has_not_started_is_asked_again() -> None:
    """A service that says that it has not begun is asked again, as often as the options say."""

    async def work() -> None:
        async with loopback(NOT_STARTED, NOT_STARTED, answer(b"3")) as served:
            assert await call(served, retries=3) == b"3"
            assert len(served.requests) == 3
        async with loopback(NOT_STARTED) as served:
            with pytest.raises(RemoteFault, match="answered 503: starting"):
                await call(served, retries=2)
            assert len(served.requests) == 2

    run(work())


ELSEWHERE = answer(
    error_body("other_generation", "others"), 503, "x-chainctl-not-started: 1", "x-chainctl-serves: 0-3"
)


def test_a_call_looks_for_a_replica_with_its_code(tmp_path: Path) -> None:
    """Though the one that refused it was the only one a moment ago."""

    async def work() -> None:
        CURRENT_CALL.set(CallContext(request_id="r", generation=4))
        path = tmp_path / "s"
        async with loopback(answer(b"old"), ELSEWHERE, path=path) as old:
            transport = transport_to(f"unix:{path}", retries=1)
            assert await transport.call(EMPTY, body_of) == b"old"
            async with loopback(answer(b"new"), path=tmp_path / "s.2") as new:
                said = [await finished(transport, transport.call(EMPTY, body_of)) for _ in range(3)]
            assert said == [b"new"] * 3
            asked = [r.headers["x-chainctl-generation"] for r in old.requests if "POST" in r.line]
            assert asked[:2] == ["4"] * 2
            assert (
                len(asked) <= 3
            )  # beside the new one it may be its turn once more, which tells what it serves
            assert all("x-chainctl-any-generation" not in r.headers for r in new.requests)

    run(work())


@pytest.mark.parametrize("is_there", [True, False])
def test_a_first_call_finds_the_replica_that_stands_in(tmp_path: Path, is_there: bool) -> None:
    """One that was idle knows only the first place, whose process is about to end, or has ended."""

    async def work() -> None:
        with socket.socket(socket.AF_UNIX) as leaving:
            if is_there:
                leaving.bind(str(tmp_path / "s"))  # what does not listen refuses
            async with loopback(answer(b"new"), path=tmp_path / "s.2"):
                transport = transport_to(f"unix:{tmp_path / 's'}", retries=1)
                assert await finished(transport, transport.call(EMPTY, body_of)) == b"new"
        transport = transport_to(f"unix:{tmp_path / 'other'}", retries=1)
        with pytest.raises(RemoteFault, match="cannot connect"):
            await finished(transport, transport.call(EMPTY, body_of))

    run(work())


def test_a_call_whose_code_nobody_has_goes_anywhere(tmp_path: Path) -> None:
    """After it has looked for a while; the next ones need not look again."""

    async def work() -> None:
        CURRENT_CALL.set(CallContext(request_id="r", generation=4))
        async with loopback(ELSEWHERE, path=tmp_path / "s") as served:
            transport = transport_to(f"unix:{tmp_path / 's'}", retries=1, circuit_breaker=True)
            for _ in range(8):
                with pytest.raises(RemoteFault, match="503"):
                    await transport.call(EMPTY, body_of)
            begun = len(served.requests)
            served.steps[:] = [Step(ELSEWHERE), Step(answer(b"x"))]
            assert await finished(transport, transport.call(EMPTY, body_of)) == b"x"
            last = [r for r in served.requests[begun:] if "POST" in r.line]
            assert ["x-chainctl-any-generation" in r.headers for r in last] == [False, True]

    run(work())


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (BUSY_AT_WORK, RemoteFault),
        (answer(user_error_body(ValueError("no")), 500), ValueError),
        (answer(error_body("invalid_input", "no"), 422), RemoteFault),
        (Step(end="close"), RemoteFault),
        (Step(answer(b"0123456789")[:-5], end="close"), RemoteFault),
        (b"no http\r\n\r\n", RemoteFault),
    ],
)
def test_work_that_may_have_begun_is_not_repeated(step: Step | bytes, error: type[Exception]) -> None:
    """Whatever else goes wrong, a call is made once: the other side may have worked on it."""

    async def work() -> None:
        async with loopback(step) as served:
            with pytest.raises(error):
                await call(served, retries=5)
            assert len(served.requests) == 1

    run(work())


def test_unreachable_service() -> None:
    """A service that cannot be connected to is tried as often as allowed, and then named."""

    async def work(port: int) -> None:
        transport = transport_to(f"http://127.0.0.1:{port}", retries=2)
        with pytest.raises(RemoteFault, match="`dep` cannot be reached") as caught:
            await finished(transport, transport.call(EMPTY, body_of))
        assert caught.value.status == 503

    with refusing_port() as port:
        run(work(port))


def test_broken_answer() -> None:
    """An answer that breaks off is the other side's fault, and says so."""

    async def work() -> None:
        async with loopback(Step(answer(b"0123456789")[:-5], end="close")) as served:
            with pytest.raises(RemoteFault, match="`dep` broke off") as caught:
                await call(served)
            assert caught.value.status == 502

    run(work())


@pytest.mark.parametrize("attempt", [1, 2, 5, 10, 100])
def test_backoff_is_bounded(attempt: int) -> None:
    """Waits grow up to a bound, and differ."""
    waits = {backoff_sec(attempt) for _ in range(200)}
    assert len(waits) > 1
    assert min(waits) >= 0
    assert max(waits) <= min(5.0, 0.1 * 2**attempt)


def test_timeout() -> None:
    """A call that takes too long raises TimeoutError with the name and the limit, and hangs up."""

    async def work() -> None:
        async with loopback(Step(wait_for=asyncio.Event())) as served:
            with pytest.raises(TimeoutError, match=r"`dep` did not answer within 0\.05 s"):
                await call(served, timeout_sec=0.05)
            await served.gone.wait()

    run(work())


def test_timeout_leaves_no_cancellation_behind() -> None:
    """After a timeout the task is as it was: a task group around the call ends without a cancellation."""

    async def work() -> None:
        async with loopback(Step(wait_for=asyncio.Event())) as served:
            async with asyncio.TaskGroup():
                with pytest.raises(TimeoutError):
                    await call(served, timeout_sec=0.01)
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0

    run(work())


def test_cancellation_is_no_timeout() -> None:
    """A caller that is cancelled sees its cancellation."""

    async def work() -> None:
        async with loopback(Step(wait_for=asyncio.Event())) as served:
            task = asyncio.ensure_future(call(served))
            await served.came.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(work())


def test_timeout_bounds_the_wait_for_a_permit_too() -> None:
    """A call that waits behind others fails in its own time; the permits are all given back."""

    async def work() -> None:
        async with loopback(Step(wait_for=asyncio.Event())) as served:
            transport = transport_to(served.url, concurrency_limit=1, timeout_sec=0.05)
            calls = asyncio.gather(
                *(transport.call(EMPTY, body_of) for _ in range(3)), return_exceptions=True
            )
            outcomes = await finished(transport, _awaited(calls))
            assert [type(outcome) for outcome in outcomes] == [TimeoutError] * 3
            (client,) = transport._clients.values()
            assert not client.permits.locked()

    run(work())


async def _awaited(calls: Any) -> Any:
    return await calls


def test_concurrency_limit() -> None:
    """No more calls than the limit are under way; the others wait and are answered as well."""

    async def work() -> None:
        go = asyncio.Event()
        async with loopback(Step(wait_for=go, more=answer(b"3"))) as served:
            transport = transport_to(served.url, concurrency_limit=2)
            calls = asyncio.gather(*(transport.call(EMPTY, body_of) for _ in range(6)))
            while served.most_at_once < 2:
                await asyncio.sleep(0)
            go.set()
            assert await finished(transport, _awaited(calls)) == [b"3"] * 6
            assert served.most_at_once == 2

    run(work())


def test_stream() -> None:
    """A stream is yielded as it comes; its errors are those of a call."""

    async def work() -> None:
        async with loopback(chunked(b"one", b"two")) as served:
            assert b"".join(await streamed(served)) == b"onetwo"
        async with loopback(answer(user_error_body(ValueError("no")), 500)) as served:
            with pytest.raises(ValueError, match="no"):
                await streamed(served)
        async with loopback(NOT_STARTED, chunked(b"one")) as served:
            assert await streamed(served, retries=2) == [b"one"]

    run(work())


def test_broken_stream() -> None:
    """A stream that breaks off raises after the items that came."""

    async def work() -> None:
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunk(b"first")
        async with loopback(Step(head, end="close")) as served:
            transport = transport_to(served.url)
            async with transport.stream(EMPTY) as incoming:
                assert await anext(incoming.chunks) == b"first"
                with pytest.raises(RemoteFault, match="broke off"):
                    await anext(incoming.chunks)

    run(work())


def test_unreachable_stream() -> None:
    """A stream from a service that is not there fails as a call does."""

    async def work(port: int) -> None:
        with pytest.raises(RemoteFault, match="cannot be reached") as caught:
            async with transport_to(f"http://127.0.0.1:{port}").stream(EMPTY):
                pass
        assert caught.value.status == 503

    with refusing_port() as port:
        run(work(port))


def test_stream_waits_no_longer_than_the_timeout_for_its_beginning() -> None:
    """The timeout bounds the wait for the head of the answer, not the stream."""

    async def work() -> None:
        async with loopback(Step(wait_for=asyncio.Event())) as served:
            with pytest.raises(TimeoutError, match="did not answer"):
                await streamed(served, timeout_sec=0.05)

    run(work())


def test_calls_from_sync_code() -> None:
    """Sync code calls from any thread, many at a time, over one loop and shared connections."""
    ready: list[Loopback] = []
    listening, done = threading.Event(), threading.Event()

    async def serving() -> None:
        async with loopback(answer(b"3")) as served:
            ready.append(served)
            listening.set()
            await asyncio.to_thread(done.wait)

    server = threading.Thread(target=run, args=(serving(),))
    server.start()
    assert listening.wait(10)
    transport = transport_to(ready[0].url, concurrency_limit=3)
    try:
        assert transport.call_sync(EMPTY, body_of) == b"3"
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda _: transport.call_sync(EMPTY, body_of), range(50))) == [b"3"] * 50
        assert ready[0].connections <= 3
        assert ready[0].most_at_once <= 3
    finally:
        done.set()
        server.join()
        close_loop(transport)


def test_address_that_is_none() -> None:
    """A service without a usable address cannot be called, and is named."""
    with pytest.raises(chains.MissingDependencyError, match="`dep`"):
        transport_to("nowhere")


# --- which exception an error answer becomes ---------------------------------------------------


class Refused(Exception):
    """An error of the user's own that is known on both sides."""


class Picky(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)


def failed(error: Exception) -> Exception:
    """What the caller of a chainlet that raised `error` sees."""
    try:
        raise error
    except Exception as caught:  # noqa: BLE001  # it is the one that was just raised
        return error_of("dep", Answer(500, {}, user_error_body(caught)))


@pytest.mark.parametrize("cls", [ValueError, ZeroDivisionError, OSError, KeyError, TimeoutError, Refused])
def test_class_of_the_error_is_restored(cls: type[Exception]) -> None:
    """A built-in error, or one whose module is loaded here too, keeps its class and its text."""
    found = failed(cls("bad size"))
    assert isinstance(found, cls)
    assert (type(found).__name__, type(found).__module__) == (cls.__name__, cls.__module__)
    assert str(found).splitlines()[-1].startswith("╰")
    assert "bad size" in str(found)


@pytest.mark.parametrize("error", [Picky(3, "no"), UnicodeDecodeError("utf-8", b"", 0, 1, "no")])
def test_error_that_cannot_be_made_from_text(error: Exception) -> None:
    """An error whose class wants other arguments becomes a generic one with the same text."""
    found = failed(error)
    assert type(found) is chains.GenericRemoteException
    assert f"{type(error).__name__}: " in str(found)


@pytest.mark.parametrize(
    ("module", "name"),
    [("no_such_module", "ValueError"), ("builtins", "open"), ("os", "path"), ("builtins", "SystemExit")],
)
def test_error_of_an_unknown_class(module: str, name: str) -> None:
    """A class that is not loaded here, or no ordinary exception, becomes a generic error."""
    body = json.loads(user_error_body(ValueError("bad size")))
    body["error"] |= {"exception_module_name": module, "exception_cls_name": name}
    found = error_of("dep", Answer(500, {}, json.dumps(body).encode()))
    assert type(found) is chains.GenericRemoteException
    assert f"{name}: bad size" in str(found)


def test_error_text_is_a_tree_with_the_root_at_the_bottom() -> None:
    """Over two hops, the text shows both services, their frames, and the first error last."""
    outer = error_of("front", Answer(500, {}, user_error_body(failed(Refused("bad size")))))
    assert type(outer) is Refused
    lines = str(outer).splitlines()
    assert lines[0] == "(showing chained remote errors, root error at the bottom)"
    assert lines[1] == "├─ Error calling dependency chainlet `front`, HTTP status=500."
    assert any("Error calling dependency chainlet `dep`" in line for line in lines)
    assert lines[-1].startswith("╰")
    assert lines[-1].endswith("Refused: bad size")


@pytest.mark.parametrize(
    "body", [b"", b"Internal Server Error", b'{"error": "old"}', b'{"detail": "x"}', b"[]"]
)
def test_error_answer_of_a_stranger(body: bytes) -> None:
    """An answer that describes no exception is a fault of the call, with the status and the text."""
    found = error_of("dep", Answer(418, {}, body))
    assert isinstance(found, RemoteFault)
    assert str(found).startswith("`dep` answered 418: ")
