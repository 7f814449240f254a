"""The engine's log stream as bytes: lines with their times, whole again where they were cut."""

from __future__ import annotations

import io
import struct

import pytest

from chainctl.adapters.docker.logs_frames import StampedLine, read_lines
from chainctl.adapters.docker.logs_stream import since_of

A, B, C = (f"2026-11-22T09:00:0{n}.000000000Z" for n in range(3))


def frame(text: str, stream: int = 1) -> bytes:
    payload = text.encode()
    return struct.pack(">BxxxL", stream, len(payload)) + payload


def lines_of(*frames: bytes) -> list[StampedLine]:
    return list(read_lines(io.BytesIO(b"".join(frames)).read))


def test_lines_have_their_times() -> None:
    """Both streams, an empty line, and one with a carriage return."""
    assert lines_of(frame(f"{A} one\n"), frame(f"{B} \n", 2), frame(f"{C} three\r\n")) == [
        StampedLine(A, "one"),
        StampedLine(B, ""),
        StampedLine(C, "three"),
    ]


def test_pieces_of_a_line_are_joined() -> None:
    """Every piece has a time; the line has that of the first, and another stream comes between."""
    cut = lines_of(frame(f"{A} lo"), frame(f"{B} other\n", 2), frame(f"{B} n"), frame(f"{C} g\n"))
    assert cut == [StampedLine(B, "other"), StampedLine(A, "long")]


def test_a_line_without_an_end_is_told_at_the_end() -> None:
    """A service that was killed may not have ended its last line."""
    assert lines_of(frame(f"{A} last words")) == [StampedLine(A, "last words")]


def test_a_line_that_never_ends_is_cut() -> None:
    """Progress bars must not fill the memory of a follower."""
    pieces = [frame(f"{A} {'x' * 16_384}") for _ in range(65)]
    assert len(lines_of(*pieces)[0].text) > 1 << 20


@pytest.mark.parametrize("cut", [3, 12])
def test_a_stream_that_breaks_off_ends(cut: int) -> None:
    """In a head or in a payload: what was whole before is told."""
    assert lines_of(frame(f"{A} one\n"), frame(f"{B} two\n")[:cut]) == [StampedLine(A, "one")]


def test_bytes_that_are_no_text_are_shown() -> None:
    """Something is better than an error."""
    raw = f"{A} ".encode() + b"\xff\n"
    assert lines_of(struct.pack(">BxxxL", 1, len(raw)) + raw) == [StampedLine(A, "\ufffd")]


def test_a_follower_goes_on_to_the_nanosecond() -> None:
    """A float would lose the last digits and show lines twice."""
    assert since_of("1970-01-01T00:00:07.123456789Z") == "7.123456789"
