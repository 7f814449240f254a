"""Errors that go through several services: what each caller sees, and what the client gets."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainctl as chains
from chainctl.calls.answer import Answer
from chainctl.calls.remote_error import RemoteFault, error_of
from chainctl.wire.error_detail import MOST_LINKS, RemoteErrorDetail, origin_of
from chainctl.wire.fault import Fault, circuit_open, deadline, detail_in, invalid_output, overloaded
from chainctl.wire.signature import ArgumentsCodec, Field
from chainctl.worker.failure import fault_of, log_text


class Mishap(Exception):
    """An error of the user's own."""


class WebError(Exception):
    """Made as the exceptions of web frameworks are."""

    def __init__(self, status_code: int, detail: str = "", headers: dict[str, str] | None = None) -> None:
        self.status_code = int(status_code)
        self.detail = detail
        self.headers = headers

    def __str__(self) -> str:
        return f"{self.status_code}: {self.detail}"


def answer_to(name: str, work: Callable[[], object]) -> Fault:
    """What the chainlet `name` answers when its code does some work that fails."""
    try:
        work()
    except BaseException as error:  # noqa: BLE001  # as the worker does
        return fault_of(error, chainlet=name)
    raise AssertionError("the work did not fail")


def call(name: str, fault: Fault) -> Any:
    """Raise what the caller of `name` gets for its answer."""
    raise error_of(name, Answer(fault.status, dict(fault.headers), fault.body))


def through(names: str, work: Callable[[], object]) -> Fault:
    """What comes out at the first service of a row when the last one's code fails and nobody handles it."""
    *above, last = list(names)
    fault = answer_to(last, work)
    for name, callee in zip(reversed(above), reversed(names), strict=False):
        fault = answer_to(name, lambda callee=callee, fault=fault: call(callee, fault))  # type: ignore[misc]
    return fault


def seen_by_caller(name: str, fault: Fault) -> Exception:
    """The exception that a call of `name` raises."""
    return error_of(name, Answer(fault.status, dict(fault.headers), fault.body))


def raising(error: BaseException) -> Callable[[], object]:
    def run_remote() -> object:
        raise error

    return run_remote


def test_three_hops_are_one_tree() -> None:
    """Each hop is told once, with its status and its own frames; the root is at the bottom, once."""
    fault = through("ABC", raising(Mishap("bad size")))
    assert (fault.status, fault.kind) == (500, "user")
    found = seen_by_caller("A", fault)
    assert type(found) is Mishap
    lines = [line for line in str(found).splitlines() if not line.startswith(("│     ", "│       "))]
    traceback = "│   Chainlet-Traceback (most recent call last):"
    assert lines == [
        "(showing chained remote errors, root error at the bottom)",
        "├─ Error calling dependency chainlet `A`, HTTP status=500.",
        traceback,
        "├─ Error calling dependency chainlet `B`, HTTP status=500.",
        traceback,
        "├─ Error calling dependency chainlet `C`, HTTP status=500.",
        traceback,
        "╰   Mishap: bad size",
    ]
    assert str(found).count("in run_remote") == 1
    assert str(found).count(", in call\n") == 2


def test_text_grows_with_the_hops_and_not_faster() -> None:
    """A hop adds its own block to the text, whatever was there before."""
    sizes = [
        len(str(seen_by_caller("A", through("A" * n, raising(Mishap("x" * 5000)))))) for n in (2, 3, 4, 5)
    ]
    steps = {after - before for before, after in itertools.pairwise(sizes)}
    assert len(steps) == 1
    assert steps.pop() < 2000


def test_long_rows_keep_their_root() -> None:
    """Of very many hops the middle is left out, and the root is still told."""
    found = seen_by_caller("A", through("A" * 60, raising(Mishap("bad size"))))
    lines = str(found).splitlines()
    assert lines[-1] == "╰   Mishap: bad size"
    assert sum(line.startswith("├─") for line in lines) == MOST_LINKS + 1
    assert "more left out" in str(found)


def test_error_that_was_wrapped_on_its_way() -> None:
    """A service that raises another error from it has a block of its own, and the root stays last."""

    def wraps() -> None:
        try:
            call("C", answer_to("C", raising(Mishap("bad size"))))
        except Mishap as error:
            raise RuntimeError("no picture") from error

    found = seen_by_caller("B", answer_to("B", wraps))
    assert type(found) is RuntimeError
    text = str(found)
    assert (
        text.index("│   RuntimeError: no picture")
        < text.index("├─ Raised from:")
        < text.index("chainlet `C`")
    )
    assert text.splitlines()[-1] == "╰   Mishap: bad size"
    assert text.count("Mishap: bad size") == 1


def test_causes_contexts_and_notes() -> None:
    """What Python keeps of an exception's history is told; what is suppressed, or only of the framework, is not."""

    def nested() -> None:
        try:
            try:
                raise KeyError("first")
            except KeyError:
                int("second")
        except ValueError as error:
            error.add_note("a note\nof two lines")
            raise Mishap("third") from error

    def suppressed() -> None:
        try:
            raise KeyError("hidden")
        except KeyError:
            raise Mishap("shown") from None

    text = str(seen_by_caller("A", answer_to("A", nested)))
    assert text.splitlines()[-1] == "╰   KeyError: 'first'"
    order = [
        "Mishap: third",
        "Raised from:",
        "ValueError: invalid",
        "│   a note\n│   of two",
        "while this was handled",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert "hidden" not in str(seen_by_caller("A", answer_to("A", suppressed)))

    def misused() -> None:
        ArgumentsCodec("Input", [Field("size", int)]).encode({"size": "x"})

    internal = answer_to("A", misused)
    assert b"pydantic" not in internal.body
    assert "chain" not in json.loads(internal.body)["error"]


def test_exception_group() -> None:
    """Members are told with their own frames, also those that came from another service."""

    def gathers() -> None:
        errors: list[Exception] = []
        for work in (raising(ValueError("one")), lambda: call("C", answer_to("C", raising(Mishap("two"))))):
            try:
                work()
            except Exception as error:  # noqa: BLE001  # as a TaskGroup does
                errors.append(error)
        raise ExceptionGroup("both failed", errors)

    found = seen_by_caller("B", answer_to("B", gathers))
    assert type(found) is chains.GenericRemoteException
    text = str(found)
    assert "ExceptionGroup: both failed (2 sub-exceptions)" in text
    assert text.count("├─ One of the group:") == 2
    assert "ValueError: one" in text
    assert text.splitlines()[-1] == "╰   Mishap: two"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (chains.HTTPError(418, "teapot"), 418),
        (WebError(404, "no such"), 404),
        (WebError(200, "no error"), 500),
        (ExceptionGroup("g", [chains.HTTPError(418, "a"), WebError(418, "b")]), 418),
        (ExceptionGroup("g", [chains.HTTPError(418, "a"), ValueError("b")]), 500),
        (TimeoutError("slow"), 504),
        (RemoteFault("gone", status=503), 503),
        (ValueError("bad"), 500),
        (SystemExit(3), 500),
    ],
)
def test_status_survives_every_hop(error: BaseException, status: int) -> None:
    """What user code sets in the last service is what the client of the first one gets."""
    assert through("C", raising(error)).status == status
    assert through("ABC", raising(error)).status == status


def test_status_survives_a_class_that_is_not_known_above(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service without the web framework hands the status on all the same."""
    module = ModuleType("some_web_framework")
    error_class = type("Teapot", (WebError,), {"__module__": module.__name__})
    module.__dict__["Teapot"] = error_class
    monkeypatch.setitem(sys.modules, module.__name__, module)
    known = seen_by_caller("C", through("C", raising(error_class(418, "no coffee"))))
    assert (type(known), vars(known)["status_code"]) == (error_class, 418)
    monkeypatch.delitem(sys.modules, module.__name__)
    unknown = seen_by_caller("B", through("BC", raising(error_class(418, "no coffee"))))
    assert type(unknown) is chains.GenericRemoteException
    assert str(unknown).endswith("╰   Teapot: 418: no coffee")
    assert fault_of(unknown, chainlet="A").status == 418


def test_http_error_is_restored_with_its_status() -> None:
    """The caller can read the status of what it catches; headers go out where it was raised, and only there."""
    first = through("C", raising(chains.HTTPError(429, "slow down", {"Retry-After": "7"})))
    assert first.headers == {"retry-after": "7"}
    found = seen_by_caller("C", first)
    assert isinstance(found, chains.HTTPError)
    assert (found.status, found.message) == (429, str(found))
    assert through("BC", raising(chains.HTTPError(429, "slow down", {"Retry-After": "7"}))).headers == {}


def test_headers_that_are_not_the_users_to_set() -> None:
    """What frames the answer or is between our services stays out, and so does what is no header."""
    given = {
        "Content-Length": "3", "transfer-encoding": "chunked", "Connection": "close", "x-chainctl-not-started": "1",
        "x-a": "b\r\nx-c: d", "b ad": "1", "X-Fine": "é", "number": 3,
    }  # fmt: skip
    error = chains.HTTPError(400, "no", given)  # type: ignore[arg-type]  # what users write
    assert through("A", raising(error)).headers == {"x-fine": "é", "number": "3"}
    assert through("A", raising(WebError(400, "no"))).headers == {}


def test_kinds_of_the_framework_go_on() -> None:
    """A result that does not fit stays one for every caller, with the field and the hops in the text."""
    wrong = invalid_output("`C.run_remote` returned what its type does not allow: `names.0`: not a text")
    assert (wrong.status, wrong.kind) == (500, "invalid_output")
    with pytest.raises(RemoteFault, match=r"`C` answered 500: .*`names\.0`: not a text"):
        call("C", wrong)
    above = answer_to("B", lambda: call("C", wrong))
    assert (above.status, above.kind) == (502, "invalid_output")
    found = seen_by_caller("B", above)
    assert isinstance(found, RemoteFault)
    assert (found.kind, found.status) == ("invalid_output", 502)
    assert "`names.0`: not a text" in str(found).splitlines()[-1]
    assert ", in call" in str(found)


def test_deadlines_and_busy_services() -> None:
    """Time that ran out is a TimeoutError; a busy service keeps its status and its advice."""
    found = seen_by_caller("C", deadline("no time is left"))
    assert isinstance(found, TimeoutError)
    assert through("ABC", raising(found)).status == 504
    for fault in (overloaded("full", 3), circuit_open("D", 3)):
        busy = seen_by_caller("C", fault)
        assert isinstance(busy, RemoteFault)
        assert (busy.status, busy.kind, busy.retry_after_sec) == (503, fault.kind, 3.0)
        again = answer_to("B", raising(busy))
        assert (again.status, again.kind, again.headers) == (503, fault.kind, {"retry-after": "3"})
    own = answer_to("B", raising(RemoteFault.circuit_open("C", 2.4)))
    assert (own.status, own.kind, own.headers) == (503, "circuit_open", {"retry-after": "2"})
    assert answer_to("B", raising(RemoteFault.overloaded("C", 1))).kind == "overloaded"


@pytest.mark.parametrize("written", ["soon", "-1", "1e3", "٣", "9" * 50, ""])
def test_advice_that_is_none(written: str) -> None:
    """A `Retry-After` that is no number of seconds is not taken."""
    found = error_of("C", Answer(503, {"retry-after": written}, b""))
    assert isinstance(found, RemoteFault)
    assert found.retry_after_sec is None


@pytest.mark.parametrize("cls", [StopIteration, StopAsyncIteration])
def test_iteration_that_stops_is_not_raised_here(cls: type[Exception]) -> None:
    """A coroutine cannot raise these: the caller gets a generic error with the text."""
    found = seen_by_caller("C", through("C", raising(cls("x"))))
    assert type(found) is chains.GenericRemoteException
    assert f"{cls.__name__}: x" in str(found)


def test_module_attributes_are_not_computed() -> None:
    """A class is taken from a module as it is; its `__getattr__` is code that a stranger must not reach."""
    body = json.dumps({"error": {"message": "x", "exception_message": "x", "exception_cls_name": "ChainsUsageError",
                                 "exception_module_name": "chainctl"}})  # fmt: skip
    vars(chains).pop("ChainsUsageError", None)
    assert type(error_of("C", Answer(500, {}, body.encode()))) is chains.GenericRemoteException


def test_messages_are_bounded_and_printable() -> None:
    """A huge message keeps its ends; control characters and broken Unicode become visible."""
    fault = through("A", raising(Mishap("begin" + "x" * 10**7 + "\x1b[31m\ud800\x00end")))
    assert len(fault.body) < 20_000
    text = str(seen_by_caller("A", fault))
    assert "Mishap: begin" in text
    assert text.endswith("\\x1b[31m\\ud800\\x00end")
    assert "characters left out" in text
    text.encode()


def test_source_lines_are_never_read_from_here() -> None:
    """A frame that names a file of this machine shows nothing of it."""
    frame = {"filename": __file__, "lineno": 1, "name": "f", "line": None}
    body = json.dumps({"error": {"message": "x", "exception_message": "x", "exception_cls_name": "ValueError",
                                 "user_stack_trace": [frame]}})  # fmt: skip
    assert (__doc__ or "").strip() not in str(error_of("C", Answer(500, {}, body.encode())))


def test_log_text_shows_this_service_first() -> None:
    """The log has the error and the own frames, then the hops; an error of one's own has no more."""
    fault = through("BC", raising(Mishap("bad size")))
    lines = log_text(seen_by_caller("B", fault)).splitlines()
    assert lines[0] == "Mishap: bad size"
    assert lines[1].startswith("├─ Error calling dependency chainlet `B`")
    assert lines[-1] == "╰   Mishap: bad size"
    error = Mishap("own")
    error.add_note("noted")
    with pytest.raises(Mishap):
        raising(error)()
    lines = log_text(error).splitlines()
    assert lines[:2] == ["Mishap: own", "noted"]
    assert [line for line in lines if line.startswith("  File")][-1].endswith("in run_remote")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_names = st.sampled_from(
    ["ValueError", "HTTPError", "KeyError", "SystemExit", "UnicodeDecodeError", "ExceptionGroup"]
)
_modules = st.sampled_from([None, "builtins", "os", "chainctl.sdk.http_error", "sys", "chainctl", __name__])
_frame = st.fixed_dictionaries(
    {"filename": st.text(max_size=9), "name": _json, "lineno": _json, "line": _json}
)
_hostile = st.fixed_dictionaries(
    {"message": _json, "exception_message": st.text() | _json, "exception_cls_name": _names | _json},
    optional={
        "kind": st.sampled_from(["user", "deadline", ""]) | _json,
        "exception_module_name": _modules | _json,
        "user_stack_trace": st.lists(_frame, max_size=3) | _json,
        "status": st.integers() | _json,
        "chainlet": _json,
        "notes": st.lists(st.text(max_size=5), max_size=3) | _json,
        "chain": st.lists(
            st.fixed_dictionaries({"relation": st.sampled_from(["call", "cause"])}), max_size=40
        )
        | _json,
    },
)


@given(_hostile, st.integers(400, 599))
def test_hostile_descriptions_are_only_errors(error: Any, status: int) -> None:
    """Whatever an answer claims, the caller gets an exception that prints, and that goes on as an error answer."""
    found = error_of("C", Answer(status, {}, json.dumps({"error": error}).encode()))
    str(found).encode()
    fault = fault_of(found, chainlet="B")
    assert 400 <= fault.status <= 599
    assert isinstance(error_of("B", Answer(fault.status, {}, fault.body)), Exception)


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"error": {"message": ' + b"[" * 500 + b"]" * 500 + b"}}",
        b'{"error": {"message": 1' + b"0" * 5000 + b"}}",
        b'{"error": {"message": "' + b"x" * (9 << 20) + b'"}}',
        b"\xff" * 100_000,
        b'{"error": {"message": "' + b"\\ud800" * 100_000 + b'"}}',
    ],
)
def test_answers_that_are_made_to_hurt(body: bytes) -> None:
    """Deep, huge and broken bodies give a short fault."""
    found = error_of("C", Answer(500, {}, body))
    assert isinstance(found, RemoteFault)
    assert len(str(found).encode()) < 60_000


def test_description_of_a_stranger_is_bounded() -> None:
    """No part of a description is longer than what we would have sent."""
    frame = {"filename": "f" * 10**5, "lineno": 10**12, "name": "n" * 10**5, "line": "l" * 10**5}
    link: dict[str, Any] = {"exception_message": "m" * 10**5, "user_stack_trace": [frame] * 60}
    given_detail: dict[str, Any] = {
        "exception_cls_name": "c" * 10**5,
        "exception_message": "m" * 10**5,
        "chain": [link] * 40,
    }
    detail = detail_in(given_detail)
    assert detail is not None
    assert len(detail.exception_cls_name) <= 500
    assert len(detail.exception_message) <= 8000
    assert len(detail.chain) == MOST_LINKS
    assert len(detail.chain[0].user_stack_trace) == 50
    assert detail.chain[0].user_stack_trace[0].lineno is None
    assert len(detail.chain[0].user_stack_trace[0].filename) <= 500
    assert detail.bounded() == detail


def test_origin_of_an_error() -> None:
    """An exception from another service knows where it came from; one of here does not."""
    origin = origin_of(seen_by_caller("C", through("C", raising(Mishap("x")))))
    assert origin is not None
    assert (origin.chainlet, origin.status, origin.detail.chainlet) == ("C", 500, "C")
    assert origin_of(Mishap("x")) is None
    assert RemoteErrorDetail.of(Mishap("x")).chain == []
