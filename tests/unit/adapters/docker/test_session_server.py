"""A session's answers to an engine that asks over HTTP/2, in memory; and to one that talks nonsense."""

from __future__ import annotations

import pytest
from h2.errors import ErrorCodes
from hypothesis import given, settings
from hypothesis import strategies as st

from chainctl.adapters.docker.session_server import SessionProtocolError, SessionServer
from chainctl.adapters.docker.session_services import (
    CREDENTIALS,
    GET_SECRET,
    HEALTH,
    Login,
    session_methods,
)
from chainctl.adapters.docker.session_wire import (
    LARGEST_REQUEST,
    SessionWireError,
    bytes_field,
    framed,
    text_field,
    unary_message,
)
from tests.unit.adapters.docker.asking_engine import HEADERS, AskingEngine, Told, talk

LARGE = bytes(range(256)) * 2000  # 500 KiB, all that BuildKit takes
SECRETS = {"token": b"hunter2", "large": LARGE, "empty": b""}
LOGINS = {"registry.example": Login("ada", "lovelace")}


def served() -> SessionServer:
    return SessionServer(session_methods(SECRETS.get, LOGINS.get))


def answer(path: str, message: bytes = b"", *, body: bytes | None = None) -> Told:
    engine = AskingEngine()
    stream = engine.ask(path, message, body=body)
    talk(engine, served())
    assert engine.told[stream].is_ended
    return engine.told[stream]


def named(name: str) -> bytes:
    return bytes_field(1, name.encode())


def test_a_secret_is_given() -> None:
    """In the first field, with status 0, as gRPC."""
    told = answer(GET_SECRET, named("token"))
    assert (told.status, told.message) == ("0", bytes_field(1, b"hunter2"))
    assert told.headers["content-type"] == "application/grpc"


def test_an_empty_secret_is_an_empty_message() -> None:
    """As fields with default values are left out."""
    assert answer(GET_SECRET, named("empty")).message == b""


def test_annotations_of_a_question_are_passed_over() -> None:
    """Field 2 is a map that we have no use for."""
    told = answer(GET_SECRET, named("token") + bytes_field(2, b"\x0a\x01a\x12\x01b"))
    assert told.message == bytes_field(1, b"hunter2")


def test_a_secret_that_was_not_declared_is_not_found() -> None:
    """BuildKit makes of status 5 what it makes of a missing one."""
    told = answer(GET_SECRET, named("other"))
    assert (told.status, told.body) == ("5", b"")
    assert told.headers["grpc-message"] == "this build may not see a secret called other"


def test_a_session_is_healthy() -> None:
    """SERVING is 1."""
    assert answer(HEALTH).message == b"\x08\x01"


def test_a_login_is_given_for_its_registry() -> None:
    """And nobody's for another, with which BuildKit goes on as nobody."""
    told = answer(CREDENTIALS, named("registry.example"))
    assert told.message == bytes_field(1, b"ada") + bytes_field(2, b"lovelace")
    other = answer(CREDENTIALS, named("other.example"))
    assert (other.status, other.message) == ("0", b"")


def test_a_login_does_not_print_itself() -> None:
    """Neither its user nor its password."""
    assert repr(LOGINS["registry.example"]) == "Login([REDACTED])"


@pytest.mark.parametrize("path", ["/moby.filesync.v1.FileSync/DiffCopy", "/", "/moby"])
def test_anything_else_is_not_implemented(path: str) -> None:
    """Status 12, without asking anyone."""
    assert answer(path).status == "12"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "has no message"),
        (b"\0\0\0", "has no message"),
        (b"\1\0\0\0\0", "compressed"),
        (b"\0\0\0\0\5ab", "not one whole message"),
        (framed(b"") * 2, "not one whole message"),
        (framed(b"\x08\x01"), "is a number"),
        (framed(b"\x0a\x05a"), "longer than its message"),
        (framed(b"\x0a\x01\xff"), "is no text"),
    ],
)
def test_a_question_that_can_not_be_read_is_refused(body: bytes, why: str) -> None:
    """With status 3, and in words."""
    told = answer(GET_SECRET, body=body)
    assert told.status == "3"
    assert why in told.headers["grpc-message"]


def test_a_question_that_is_too_long_is_refused() -> None:
    """What is kept of it is bounded; the session goes on."""
    engine, server = AskingEngine(), served()
    talk(engine, server)
    stream = engine.http.get_next_available_stream_id()
    engine.told[stream] = Told()
    engine.http.send_headers(stream, [(":path", HEALTH), (":authority", "localhost"), *HEADERS])
    for _ in range(LARGEST_REQUEST // 8192 + 1):
        if not engine.told[stream].is_ended:
            engine.http.send_data(stream, bytes(8192))
            engine.hear(server.receive(engine.http.data_to_send()))
    assert engine.told[stream].status == "8"
    after = engine.ask(HEALTH)
    engine.hear(server.receive(engine.http.data_to_send()))
    assert engine.told[after].status == "0"


@pytest.mark.parametrize("window", [1000, 65_535, 1 << 20])
def test_a_large_secret_waits_for_the_engine_to_take_it(window: int) -> None:
    """It arrives whole, however small the window; and no faster than that."""
    engine = AskingEngine(window=window)
    stream = engine.ask(GET_SECRET, named("large"))
    rounds = talk(engine, served())
    assert engine.told[stream].message == bytes_field(1, LARGE)
    assert rounds >= len(LARGE) // max(window, 65_535)


def test_nothing_is_sent_beyond_the_window() -> None:
    """An engine that stops taking stops the answer; when it goes on, so does the answer."""
    engine, server = AskingEngine(window=2000), served()
    engine.is_taking = False
    stream = engine.ask(GET_SECRET, named("large"))
    talk(engine, server)
    assert len(engine.told[stream].body) == 2000
    engine.is_taking = True
    engine.http.increment_flow_control_window(10_000, stream)
    engine.hear(server.receive(engine.http.data_to_send()))
    assert len(engine.told[stream].body) == 12_000


def test_questions_are_answered_side_by_side() -> None:
    """A small one does not wait for the large one before it."""
    engine, server = AskingEngine(window=1000), served()
    engine.is_taking = False
    large, small = engine.ask(GET_SECRET, named("large")), engine.ask(GET_SECRET, named("token"))
    talk(engine, server)
    assert not engine.told[large].is_ended
    assert engine.told[small].message == bytes_field(1, b"hunter2")


def test_a_hundred_questions_at_once() -> None:
    """Each has its own answer."""
    engine = AskingEngine()
    streams = [engine.ask(GET_SECRET, named("token" if n % 2 else "other")) for n in range(100)]
    talk(engine, served())
    assert [engine.told[stream].status for stream in streams] == ["5", "0"] * 50


def test_an_answer_that_nobody_wants_any_more_is_dropped() -> None:
    """A reset stream ends its answer, be it half sent or not begun, and no other."""
    engine, server = AskingEngine(window=1000), served()
    engine.is_taking = False
    half = engine.ask(GET_SECRET, named("large"))
    talk(engine, server)
    engine.http.reset_stream(half, ErrorCodes.CANCEL)
    unborn = engine.ask(GET_SECRET, named("token"))
    engine.http.reset_stream(unborn, ErrorCodes.CANCEL)
    after = engine.ask(HEALTH)
    engine.hear(server.receive(engine.http.data_to_send()))
    assert engine.told[after].status == "0"
    assert not engine.told[unborn].body


def test_a_goaway_ends_the_session() -> None:
    """Quietly, also when questions came with it; last words are no error then."""
    engine, server = AskingEngine(), served()
    engine.hear(server.start())
    engine.ask(HEALTH)
    engine.http.close_connection()
    server.receive(engine.http.data_to_send())
    assert server.is_over
    assert isinstance(server.last_words(), bytes)


def test_last_words_say_goodbye() -> None:
    """The engine is told that no question will be answered any more."""
    engine, server = AskingEngine(), served()
    talk(engine, server)
    engine.hear(server.last_words())
    with pytest.raises(Exception, match="CLOSED"):
        engine.ask(HEALTH)


def test_what_is_no_http_2_ends_the_session() -> None:
    """With an error of our own, and words for the other side."""
    server = served()
    server.start()
    with pytest.raises(SessionProtocolError):
        server.receive(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 3)
    assert server.is_over
    server.last_words()


def test_bytes_may_come_one_by_one() -> None:
    """Frames are put together again."""
    engine = AskingEngine()
    stream = engine.ask(GET_SECRET, named("token"))
    talk(engine, served(), piece=1)
    assert engine.told[stream].message == bytes_field(1, b"hunter2")


def conversation() -> bytes:
    """Return what an engine says that asks a few things."""
    engine = AskingEngine()
    for path, message in (
        (HEALTH, b""),
        (GET_SECRET, named("token")),
        (CREDENTIALS, named("x")),
        ("/a", b""),
    ):
        engine.ask(path, message)
    return engine.http.data_to_send()


TALK = conversation()


def survives(data: bytes, pieces: int) -> None:
    """Feed bytes: they are answered within bounds, or refused with our own error."""
    server = served()
    server.start()
    said = 0
    for start in range(0, len(data), max(1, len(data) // pieces)):
        try:
            said += len(server.receive(data[start : start + max(1, len(data) // pieces)]))
        except SessionProtocolError:
            break
        if server.is_over:
            break
    said += len(server.last_words())
    assert said < 4096 + 32 * len(data)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=600), st.integers(1, 20))
def test_random_bytes_after_the_preface_do_no_harm(data: bytes, pieces: int) -> None:
    """Whatever an engine sends."""
    survives(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + data, pieces)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_mutated_conversations_do_no_harm(draw: st.DataObject) -> None:
    """Real frames with bytes changed, cut out, put in or repeated reach deeper than random ones."""
    data = bytearray(TALK)
    for _ in range(draw.draw(st.integers(1, 6))):
        start = draw.draw(st.integers(24, len(data)))
        end = min(len(data), start + draw.draw(st.integers(0, 6)))
        data[start:end] = draw.draw(st.binary(max_size=6)) or data[start:end] * 2
    survives(bytes(data), draw.draw(st.integers(1, 10)))


FRAMES = st.tuples(
    st.integers(0, 10), st.integers(0, 255), st.sampled_from([0, 1, 1, 3, 3, 5, 2]), st.binary(max_size=40)
).map(lambda f: len(f[3]).to_bytes(3, "big") + bytes([f[0], f[1]]) + f[2].to_bytes(4, "big") + f[3])


@settings(max_examples=300, deadline=None)
@given(st.lists(FRAMES, max_size=8), st.integers(1, 5))
def test_any_frames_do_no_harm(frames: list[bytes], pieces: int) -> None:
    """Well-formed heads with any content, in any order."""
    survives(TALK + b"".join(frames), pieces)


@given(st.binary(max_size=300))
def test_any_request_is_read_or_refused(body: bytes) -> None:
    """By gRPC's frame and by protocol buffers, with one error."""
    try:
        text_field(unary_message(body), 1)
    except SessionWireError:
        return


@given(st.binary(max_size=300))
def test_what_is_encoded_is_read_back(value: bytes) -> None:
    """Messages of any length."""
    text = value.hex()
    assert text_field(unary_message(framed(bytes_field(1, text.encode()))), 1) == text
