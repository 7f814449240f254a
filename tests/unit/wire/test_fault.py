"""Errors that cross a process border: their JSON form, and what is read out of other people's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pydantic
import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from chainctl.wire.error_detail import LONGEST_MESSAGE, RemoteErrorDetail, shortened
from chainctl.wire.fault import (
    Fault,
    cancelled,
    circuit_open,
    deadline,
    detail_in,
    error_body,
    invalid_input,
    invalid_output,
    malformed,
    not_ready,
    overloaded,
    parse_error_body,
    too_large,
    unsupported_media_type,
    user_error_body,
)
from chainctl.wire.invalid import InvalidValue, Mismatch
from chainctl.wire.stack_frames import user_frames


def raised(error: BaseException) -> BaseException:
    """Raise an error and catch it, so that it has a traceback."""
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001  # it is the one that was just raised
        return caught


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_user_error_body() -> None:
    """A user's exception is described by class, module, message and the user's own frames."""
    error = json.loads(user_error_body(raised(ValueError("bad size"))))["error"]
    frames = error.pop("user_stack_trace")
    assert error == {
        "kind": "user",
        "message": "ValueError: bad size",
        "exception_cls_name": "ValueError",
        "exception_module_name": "builtins",
        "exception_message": "bad size",
    }
    assert [(frame["filename"], frame["name"], frame["line"]) for frame in frames] == [
        (__file__, "raised", "raise error")
    ]


@pytest.mark.parametrize(
    "error",
    [
        Exception(),
        KeyError("a"),
        Exception("\ud800", b"\xff"),
        Unprintable(),
        ExceptionGroup("two", [ValueError(1)]),
    ],
)
def test_any_exception_has_a_body(error: Exception) -> None:
    """Whatever an exception does when it is printed, its body is JSON and names its class."""
    parsed = parse_error_body(user_error_body(raised(error)))
    detail = detail_in(parsed)
    assert detail is not None
    assert detail.exception_cls_name == type(error).__name__
    assert isinstance(detail.exception_message, str)


def test_detail_renders_as_a_traceback() -> None:
    """A detail reads like Python's own traceback, under its own headline."""
    lines = RemoteErrorDetail.of(raised(ValueError("bad size"))).format().splitlines()
    assert lines[0] == "Chainlet-Traceback (most recent call last):"
    assert lines[1].startswith(f'  File "{__file__}", line ')
    assert lines[-1] == "ValueError: bad size"


def test_frames_of_the_framework_are_left_out() -> None:
    """Frames of the framework are no news to the user; files beside it with a similar name are."""

    def fail() -> None:
        raise LookupError("no")

    import chainctl.wire.fault as ours

    namespace: dict[str, Callable[[Callable[[], None]], None]] = {}
    for filename in (ours.__file__, ours.__file__.replace("/chainctl/", "/chainctl_app/")):
        source = "def call(work):\n    work()\n"
        exec(compile(source, filename, "exec"), namespace)
        try:
            namespace["call"](fail)
        except LookupError as error:
            names = [frame.name for frame in user_frames(error)]
        is_ours = filename == ours.__file__
        assert names[1:] == (["fail"] if is_ours else ["call", "fail"])


class Picky(pydantic.BaseModel):
    size: int

    @pydantic.field_validator("size")
    @classmethod
    def _fails(cls, size: int) -> int:
        raise KeyError(size)


def test_frames_of_the_machinery_are_left_out() -> None:
    """What runs the user's code, and what the user's code runs in pydantic and asyncio, is no news either."""

    async def work() -> None:
        await asyncio.wait_for(asyncio.to_thread(lambda: Picky(size=1)), 20)

    with pytest.raises(KeyError) as caught:
        asyncio.run(work())
    frames = user_frames(caught.value)
    assert [frame.name for frame in frames][-3:] == ["work", "<lambda>", "_fails"]
    assert {frame.filename for frame in frames} == {__file__}


def test_frames_of_the_loop_are_left_out() -> None:
    """Also where it is compiled, and fails by itself."""

    async def connect() -> None:
        await asyncio.get_running_loop().create_unix_connection(asyncio.Protocol, "/nobody/listens")

    with (
        pytest.raises(FileNotFoundError) as caught,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(connect())
    frames = user_frames(caught.value)
    assert frames[-1].name == "connect"
    assert {frame.filename for frame in frames} == {__file__}


def test_frames_are_bounded() -> None:
    """Of an endless recursion the last frames are kept."""

    def deeper() -> None:
        deeper()

    with pytest.raises(RecursionError) as caught:
        deeper()
    assert len(user_frames(caught.value)) == 50


def test_error_body_holds_more() -> None:
    """An answer that is an error has a kind and a message, and may have more."""
    body = error_body("invalid_input", "no", problems=[{"path": "a"}])
    assert json.loads(body) == {
        "error": {"kind": "invalid_input", "message": "no", "problems": [{"path": "a"}]}
    }
    assert json.loads(error_body("x", "y", odd={1, 2}))["error"]["odd"] == "{1, 2}"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "empty answer"),
        (b"Internal Server Error", "Internal Server Error"),
        (b"<html>\xff</html>", "<html>\ufffd</html>"),
        (b"[1]", "[1]"),
        (b'"text"', '"text"'),
        (b'{"error": "old style"}', "old style"),
        (b'{"error": {"code": 3}}', "{'code': 3}"),
        (b'{"detail": "not ours"}', '{"detail": "not ours"}'),
        (b'{"error": {"message": "ours"}}', "ours"),
    ],
)
def test_error_bodies_of_strangers(body: bytes, message: str) -> None:
    """Whatever a server answers, there is a message; without the description of an exception there is no detail."""
    parsed = parse_error_body(body)
    assert parsed["message"] == message
    assert detail_in(parsed) is None


def test_long_error_pages_are_cut() -> None:
    """A page of HTML does not flood the log."""
    assert len(parse_error_body(b"x" * 100_000)["message"]) == 2000


@given(st.binary(max_size=100))
def test_reading_an_error_never_fails(body: bytes) -> None:
    """Any bytes give a message."""
    parsed = parse_error_body(body)
    assert "message" in parsed
    assert detail_in(parsed) is None


_WRONG = InvalidValue([Mismatch("names.0", "not a text")])
_BROKEN = InvalidValue([Mismatch("", "no JSON", "json_invalid")])


@pytest.mark.parametrize(
    ("fault", "status", "kind", "headers"),
    [
        (deadline("late"), 504, "deadline", {}),
        (overloaded("full", 2), 503, "overloaded", {"retry-after": "2", "x-chainctl-not-started": "1"}),
        (not_ready("A"), 503, "not_ready", {"retry-after": "1", "x-chainctl-not-started": "1"}),
        (circuit_open("B", 9), 503, "circuit_open", {"retry-after": "9"}),
        (cancelled(), 499, "cancelled", {}),
        (malformed("no"), 400, "malformed", {}),
        (invalid_input(_WRONG), 422, "invalid_input", {}),
        (invalid_input(_BROKEN), 400, "malformed", {}),
        (invalid_output("no", _WRONG), 500, "invalid_output", {}),
        (too_large(10), 413, "too_large", {}),
        (unsupported_media_type("text/html"), 415, "unsupported_media_type", {}),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else None,
)
def test_faults_of_the_framework(fault: Fault, status: int, kind: str, headers: dict[str, str]) -> None:
    """Each has its status and headers, and a body that says its kind and its message."""
    assert (fault.status, fault.kind, fault.headers) == (status, kind, headers)
    parsed = parse_error_body(fault.body)
    assert (parsed["kind"], parsed["message"]) == (kind, fault.message)
    assert fault.message


def test_places_that_do_not_fit_are_listed() -> None:
    """The paths are there for programs, and in the message for people; a list of many is cut."""
    assert json.loads(invalid_output("no", _WRONG).body)["error"]["problems"] == [
        {"path": "names.0", "message": "not a text"}
    ]
    many = invalid_input(InvalidValue([Mismatch(str(i), "m" * 1000) for i in range(1000)]))
    assert len(json.loads(many.body)["error"]["problems"]) == 100
    assert len(many.message) <= LONGEST_MESSAGE


@given(st.text(alphabet=st.characters(), max_size=400), st.integers(100, 200))
def test_shortened_texts_are_bounded_and_stay(text: str, longest: int) -> None:
    """A text is never longer than asked for, can be encoded, and does not change a second time."""
    short = shortened(text, longest)
    short.encode()
    assert len(short) <= longest
    assert shortened(short, longest) == short
    if len(text) <= longest and text.isascii() and text.isprintable():
        assert short == text
