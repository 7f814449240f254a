"""Errors that cross a process border: their JSON form, and what is read out of other people's."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.wire.fault import (
    RemoteErrorDetail,
    detail_in,
    error_body,
    parse_error_body,
    user_error_body,
    user_frames,
)
from chainctl.worker.call import OutputMismatch


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
        raise OutputMismatch("no")

    import chainctl.wire.fault as ours

    namespace: dict[str, Callable[[Callable[[], None]], None]] = {}
    for filename in (ours.__file__, ours.__file__.replace("/chainctl/", "/chainctl_app/")):
        source = "def call(work):\n    work()\n"
        exec(compile(source, filename, "exec"), namespace)
        try:
            namespace["call"](fail)
        except OutputMismatch as error:
            names = [frame.name for frame in user_frames(error)]
        is_ours = filename == ours.__file__
        assert names[1:] == (["fail"] if is_ours else ["call", "fail"])


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
