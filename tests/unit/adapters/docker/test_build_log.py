"""Cutting what instructions write into lines that are safe to show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.adapters.docker.build_log import LONGEST, TAIL, LineCutter, StepLog, clean_line


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("plain  ", "plain"),
        ("windows\r", "windows"),
        ("10%\r50%\r100%", "100%"),
        ("\x1b[91mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("bell\x07 \x9b31m", "bell 31m"),
        ("tab\tstays", "tab\tstays"),
    ],
)
def test_lines_show_what_a_terminal_would(written: str, shown: str) -> None:
    """No escape reaches the user's terminal; of a progress bar, its last state does."""
    assert clean_line(written) == shown


def test_lines_survive_any_cutting_of_the_bytes() -> None:
    """A character or a line may arrive in two messages."""
    cutter = LineCutter()
    data = "eins\nzwölf\nrest".encode()
    lines = [line for byte in data for line in cutter.feed(bytes([byte]))]
    assert (lines, cutter.finish(), cutter.finish()) == (["eins", "zwölf"], ["rest"], [])


def test_a_line_without_end_is_cut() -> None:
    """Output with no line break costs bounded memory."""
    cutter = LineCutter()
    assert [len(line) for line in cutter.feed(b"x" * 10 * LONGEST)] == [LONGEST]
    assert cutter.finish() == []


def test_streams_are_cut_apart_and_remembered_together() -> None:
    """Half a line of output does not mix with an error line; the tail has the last of both."""
    log = StepLog()
    assert log.feed(1, b"50%") + log.feed(2, b"err\n") + log.feed(1, b" done\n") == [
        "err",
        "50% done",
    ]
    log.feed(1, b"".join(b"%d\n" % number for number in range(30)))
    assert log.tail == tuple(str(number) for number in range(30 - TAIL, 30))


@given(st.lists(st.binary(max_size=50)))
def test_no_control_character_is_left(parts: list[bytes]) -> None:
    """For any bytes in any pieces, lines have nothing but printable text and tabs."""
    cutter = LineCutter()
    lines = [line for part in parts for line in cutter.feed(part)] + cutter.finish()
    assert not any(ord(char) < 32 and char != "\t" for line in lines for char in line)
