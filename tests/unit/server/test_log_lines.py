"""What user code prints and logs, in a process of its own, as lines of JSON on the real streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from chainctl.wire.log_line import LONGEST_MESSAGE

BEGIN = """
import logging, os, subprocess, sys, threading, traceback, warnings
from contextvars import ContextVar
from chainctl.server.log_lines import install
CALL = ContextVar("CALL", default=None)
log = install("Hello", "demo-hello", CALL.get)
"""


def run(code: str, *, expect: int = 0, **environ: str) -> tuple[list[Any], list[Any]]:
    """Run code after `install`; return the lines of stdout and stderr, parsed where they are JSON."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, **environ},
        check=False,
    )
    assert done.returncode == expect, done.stderr
    return _parsed(done.stdout), _parsed(done.stderr)


def messages(lines: list[Any]) -> list[str]:
    """What the events say."""
    return [line["message"] for line in lines]


def _parsed(text: str) -> list[Any]:
    return [json.loads(line) if line.startswith("{") else line for line in text.splitlines()]


def test_a_print_is_one_line() -> None:
    """With time, names and stream; it is an event of its own however it was put together."""
    out, err = run("""
print("one", 2, sep="-")
print("a ", end=""); print("b")
print("first\\nsecond")
print("grüße", "\\udc80", file=sys.stderr)
print()
""")
    assert messages(out) == ["one-2", "a b", "first\nsecond", ""]
    assert messages(err) == ["grüße \udc80"]
    assert {key: out[0][key] for key in ("level", "chainlet", "service", "stream")} == {
        "level": "INFO",
        "chainlet": "Hello",
        "service": "demo-hello",
        "stream": "stdout",
    }
    assert out[0]["time"][10] == "T"
    assert out[0]["time"].endswith("Z")
    assert len(out[0]["time"]) == len("2026-01-01T00:00:00.000Z")


def test_a_record_is_one_line_with_its_traceback() -> None:
    """Level, logger, and the ids of the call that is being run."""
    _, err = run("""
CALL.set(("r1", "ab" * 16))
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("mine").exception("it failed with %s", "x")
CALL.set(None)
logging.getLogger("mine").debug("not told")
logging.getLogger("mine").info("told")
""")
    first, second = err
    assert first["message"].startswith("it failed with x\nTraceback (most recent call last):\n")
    assert first["message"].endswith("ZeroDivisionError: division by zero")
    assert (first["level"], first["logger"], first["request_id"]) == ("ERROR", "mine", "r1")
    assert first["trace_id"] == "ab" * 16
    assert second["message"] == "told"
    assert "request_id" not in second
    assert "stream" not in second


def test_tracebacks_stay_together() -> None:
    """Printed ones, those of threads, and the one that ends the process."""
    out, err = run(
        """
try:
    int("x")
except ValueError:
    traceback.print_exc()
    print(traceback.format_exc())
def fail(): raise KeyError("k")
thread = threading.Thread(target=fail, name="helper"); thread.start(); thread.join()
raise RuntimeError("the end")
""",
        expect=1,
    )
    printed, of_thread, last = messages(err)
    assert printed.startswith("Traceback")
    assert printed.endswith("with base 10: 'x'")
    assert of_thread.startswith("uncaught exception in thread helper\nTraceback")
    assert last.endswith("RuntimeError: the end")
    assert messages(out)[0].endswith("with base 10: 'x'")


def test_a_line_under_way_is_written_in_the_end() -> None:
    """At exit nothing is lost, in the order it was begun or not."""
    out, err = run("""
sys.stdout.write("no end"); sys.stdout.flush()
sys.stderr.write("\\nstep 1"); sys.stderr.write("\\nstep 2")
""")
    assert messages(out) == ["no end"]
    assert messages(err) == ["\nstep 1", "step 2"]


def test_a_progress_bar_leaves_its_last_state() -> None:
    """A carriage return overwrites, as on a terminal."""
    _, err = run("""
for percent in range(0, 101, 20):
    sys.stderr.write(f"\\r{percent}%"); sys.stderr.flush()
sys.stderr.write("\\n")
print("a\\rb\\r", file=sys.stderr)
print("windows\\r\\nline", file=sys.stderr)
""")
    assert messages(err) == ["100%", "b", "windows\nline"]


def test_threads_do_not_mix_their_lines() -> None:
    """Each has its own line under way."""
    out, _ = run("""
def tell(number):
    for _ in range(200):
        print(number, number, end=" "); print(number)
threads = [threading.Thread(target=tell, args=(n,)) for n in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
""")
    assert sorted(messages(out)) == sorted(f"{n} {n} {n}" for n in range(4) for _ in range(200))


def test_long_lines_are_bounded() -> None:
    """A print is cut into pieces that lose nothing; a record loses its middle."""
    out, err = run(f"""
print("x" * {3 * LONGEST_MESSAGE + 5})
sys.stdout.write("y" * {LONGEST_MESSAGE + 1})
logging.error("a" + "z" * {2 * LONGEST_MESSAGE} + "b")
""")
    assert [len(message) for message in messages(out)] == [*[LONGEST_MESSAGE] * 3, 5, LONGEST_MESSAGE, 1]
    assert len(err[0]["message"]) < LONGEST_MESSAGE + 100
    assert err[0]["message"][0] + err[0]["message"][-1] == "ab"


def test_what_is_not_python_stays_raw() -> None:
    """Subprocesses and C code write to the descriptors themselves."""
    out, _ = run("""
print("before")
subprocess.run([sys.executable, "-c", "print('of a child')"], stdout=sys.stdout, check=True)
os.write(sys.stdout.fileno(), b"of C\\n")
sys.stdout.buffer.write(b"bytes\\n"); sys.stdout.buffer.flush()
""")
    assert [line if isinstance(line, str) else line["message"] for line in out] == [
        "before",
        "of a child",
        "of C",
        "bytes",
    ]


def test_a_forked_child_goes_on_with_lines_of_its_own() -> None:
    """What its parent had begun is the parent's."""
    out, _ = run("""
sys.stdout.write("parent ")
child = os.fork()
if not child:
    print("child"); os._exit(0)
os.waitpid(child, 0)
print("ends")
""")
    assert messages(out) == ["child", "parent ends"]


def test_other_loggers_and_warnings_are_events_too() -> None:
    """A handler for stderr that a library made, a warning, a record that cannot be formatted."""
    out, err = run("""
logging.basicConfig(force=False, format="never")
logger = logging.getLogger("library"); logger.propagate = False
logger.addHandler(logging.StreamHandler()); logger.warning("mine")
warnings.warn("beware")
logging.info("%d", "no number")
""")
    assert out == []
    assert err[0]["message"] == "mine"
    assert err[1]["logger"] == "py.warnings"
    assert "UserWarning: beware" in err[1]["message"]
    assert any("--- Logging error ---" in message for message in messages(err))


def test_the_streams_are_what_libraries_expect() -> None:
    """They have an encoding, are no terminal, and refuse what is no text."""
    out, _ = run("""
assert (sys.stdout.encoding, sys.stdout.isatty(), sys.stdout.writable()) == ("utf-8", False, True)
sys.stdout.reconfigure(line_buffering=True)
sys.stdout.writelines(["a", "b\\n"])
try:
    sys.stdout.write(b"bytes")
except TypeError as error:
    print(error)
""")
    assert messages(out) == ["ab", "write() argument must be str, not bytes"]


def test_everything_can_be_given_back() -> None:
    """What was there before is there again."""
    out, err = run("""
print("begun", end="")
log.restore()
print("plain")
logging.getLogger().warning("plain too")
""")
    assert out[0]["message"] == "begun"
    assert out[1] == "plain"
    assert err == ["plain too"]


@pytest.mark.parametrize("wanted", ["text", " TEXT"])
def test_text_can_be_asked_for(wanted: str) -> None:
    """Then prints are as they are, and records as `LEVEL logger: message`."""
    out, err = run("print('a'); logging.getLogger('l').warning('b')", CHAINCTL_LOG_FORMAT=wanted)
    assert out == ["a"]
    assert err == ["WARNING l: b"]
