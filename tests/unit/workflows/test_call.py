"""A call over a real socket: what comes back comes through, and what goes wrong says so."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from chainctl.errors import CallFailedError, ExitCode
from chainctl.workflows.call import call

Script = Callable[[socket.socket], None]


@dataclass
class Server:
    """One port that answers one request with whatever a test wrote down."""

    listener: socket.socket
    request: bytearray = field(default_factory=bytearray)
    thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def answers(self, script: Script) -> str:
        """Serve one connection in a thread; returns the URL."""
        self.thread = threading.Thread(target=self._serve, args=(script,))
        self.thread.start()
        return self.url

    def _serve(self, script: Script) -> None:
        connection, _ = self.listener.accept()
        with connection:
            self._read(connection)
            script(connection)

    def _read(self, connection: socket.socket) -> None:
        while b"\r\n\r\n" not in self.request:
            self.request += connection.recv(65536)
        head, _, body = bytes(self.request).partition(b"\r\n\r\n")
        length = next(
            int(v)
            for k, v in (h.split(b":", 1) for h in head.split(b"\r\n")[1:])
            if k.lower() == b"content-length"
        )
        while len(body) < length:
            more = connection.recv(65536)
            self.request += more
            body += more


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on the loopback; its thread has ended afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = Server(listener)
        yield serving
        if serving.thread is not None:
            serving.thread.join(timeout=10)
            assert not serving.thread.is_alive()


def answer(body: bytes, status: int = 200, *, length: int | None = None) -> Script:
    """A whole answer, or one that promises more than it gives."""
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length or len(body)}\r\n\r\n"
    return lambda connection: connection.sendall(head.encode() + body)


def error(kind: str, message: str, **more: object) -> bytes:
    """An error answer of ours."""
    return json.dumps({"error": {"kind": kind, "message": message, **more}}).encode()


def failure(url: str) -> CallFailedError:
    """Call and return the error that it ends with."""
    with pytest.raises(CallFailedError) as raised:
        call(url, b"{}", chain="hello", timeout_sec=10).read()
    assert raised.value.exit_code is ExitCode.CALL_FAILED
    return raised.value


def test_an_answer_comes_through_as_it_is(server: Server) -> None:
    """The request is one POST of JSON, with the key when there is one."""
    url = server.answers(answer(b'{"a": 1}'))
    assert call(url, b'{"x": 2}', api_key="k3y").read() == b'{"a": 1}'
    head, _, body = bytes(server.request).partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"post /run_remote http/1.1"
    assert {b"content-type: application/json", b"authorization: bearer k3y"} <= set(lines)
    assert body == b'{"x": 2}'


def test_a_path_of_the_url_is_kept(server: Server) -> None:
    """A chain behind a proxy."""
    url = server.answers(answer(b"1"))
    assert call(f"{url}/shop/", b"{}").read() == b"1"
    assert server.request.startswith(b"POST /shop/run_remote ")
    assert b"authorization" not in bytes(server.request).lower()


def test_a_stream_comes_chunk_by_chunk(server: Server) -> None:
    """The first is there before the second was sent."""
    first_was_read = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        assert first_was_read.wait(10)
        connection.sendall(b"3\r\ntwo\r\n0\r\n\r\n")

    chunks = call(server.answers(script), b"{}", timeout_sec=10).chunks
    assert next(chunks) == b"one"
    first_was_read.set()
    assert b"".join(chunks) == b"two"


def test_refused_arguments_come_with_their_places(server: Server) -> None:
    """One line a problem, and where to look."""
    problems = [{"path": "names.0", "message": "not a string"}, {"path": "", "message": "too short"}]
    raised = failure(server.answers(answer(error("invalid", "2 problems", problems=problems), 422)))
    assert raised.message == "the chain answered 422: 2 problems"
    assert raised.details == ("names.0: not a string", "(body): too short")
    assert "/schema" in raised.hint


def test_an_error_of_user_code_comes_with_its_frames(server: Server) -> None:
    """As a traceback, after the rest of the message."""
    frames = [{"filename": "/app/code/chain.py", "lineno": 7, "name": "run_remote", "line": "x"}]
    told = {"exception_cls_name": "ValueError", "exception_message": "no\nsecond line"}
    body = error("user", "ValueError: no\nsecond line", **told, user_stack_trace=frames)
    raised = failure(server.answers(answer(body, 500)))
    assert raised.message == "the chain answered 500: ValueError: no"
    assert raised.details == ("second line", '  File "/app/code/chain.py", line 7, in run_remote', "    x")
    assert raised.hint == "`chainctl logs hello` shows what the services wrote."


def test_a_missing_key_is_explained(server: Server) -> None:
    """By the name of the variable."""
    raised = failure(server.answers(answer(error("unauthorized", "no key"), 401)))
    assert raised.hint == "give the key in the environment variable `CHAINCTL_API_KEY`."


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Bad Gateway</html>", b"", b"[]", b"null", b'{"error": "text"}', b'{"error": null}', b"\xff",
        b'{"error": {"message": null, "problems": "x", "user_stack_trace": [1]}}',
        b'{"error": {"message": "m", "problems": {"a": 1}, "user_stack_trace": null}}',
    ],
)  # fmt: skip
def test_a_strangers_error_is_shown_as_far_as_it_can_be(body: bytes, server: Server) -> None:
    """A proxy may answer anything."""
    assert failure(server.answers(answer(body, 502))).message.startswith("the chain answered 502: ")


def test_nobody_at_home_is_said(server: Server) -> None:
    """With what to look at."""
    url = server.url
    server.listener.close()
    raised = failure(url)
    assert raised.message.startswith(f"{url} did not answer: ")
    assert raised.hint == "look at `chainctl ps hello` and `chainctl logs hello`."


def test_a_connection_that_just_ends_is_said(server: Server) -> None:
    """Without a single byte of an answer."""
    assert "did not answer" in failure(server.answers(lambda _connection: None)).message


def test_silence_ends_with_the_timeout(server: Server) -> None:
    """The caller's patience is the limit."""
    asked = threading.Event()

    def stay_silent(_connection: socket.socket) -> None:
        asked.wait(10)

    url = server.answers(stay_silent)
    with pytest.raises(CallFailedError, match="timed out"):
        call(url, b"{}", timeout_sec=0.05)
    asked.set()


@pytest.mark.parametrize(
    "script",
    [
        answer(b'{"a": ', length=100),
        lambda c: c.sendall(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"),
        lambda c: c.sendall(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n50\r\nhel"),
    ],
    ids=["length", "between-chunks", "in-a-chunk"],
)
def test_an_answer_that_breaks_off_is_no_answer(script: Script, server: Server) -> None:
    """What came is given, then it is said."""
    chunks = call(server.answers(script), b"{}", timeout_sec=10).chunks
    assert next(chunks)
    with pytest.raises(CallFailedError, match="broke off"):
        list(chunks)


def test_a_body_without_a_length_ends_with_its_connection(server: Server) -> None:
    """As HTTP/1.0 did."""
    url = server.answers(lambda c: c.sendall(b"HTTP/1.0 200 X\r\n\r\nall of it"))
    assert call(url, b"{}").read() == b"all of it"


@pytest.mark.parametrize(
    ("content_type", "is_json"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ("text/plain", False),
        ("", False),
    ],
)
def test_an_answer_knows_what_it_is(content_type: str, is_json: bool, server: Server) -> None:
    """By its content type."""
    head = f"HTTP/1.1 200 X\r\ncontent-type: {content_type}\r\ncontent-length: 1\r\n\r\n1"
    found = call(server.answers(lambda c: c.sendall(head.encode())), b"{}")
    assert (found.is_json, found.read()) == (is_json, b"1")
