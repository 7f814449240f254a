"""Server-sent events, however the network cuts them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.calls.events import LARGEST_EVENT, EventReader, EventTooLarge


def read(*chunks: bytes) -> list[str]:
    reader = EventReader()
    return [data for chunk in chunks for data in reader.feed(chunk)]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\ndata:b\n\n", ["a", "b"]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", ["a", "b", "c"]),
        (b": hello\n\nevent: x\nid: 3\ndata: a\ndata:  b\nretry: 5\n\n", ["a\n b"]),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b"data\n\n", [""]),
        (b"data: a\n\ndata: never ended\n", ["a"]),
        (b"\n\n\n", []),
        ("data: é\u2028x\n\n".encode(), ["é\u2028x"]),
        (b"data: \xff\n\n", ["\ufffd"]),
        (b"", []),
    ],
)
def test_events(stream: bytes, events: list[str]) -> None:
    """Data of an event is its data lines; everything else in it is passed over."""
    assert read(stream) == events
    assert read(*(stream[i : i + 1] for i in range(len(stream)))) == events


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1), max_size=5
    ),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.integers(0, 200), max_size=6),
)
def test_cuts_do_not_matter(events: list[str], end: str, cuts: list[int]) -> None:
    """Chunks may end anywhere, also in a character or between CR and LF."""
    stream = "".join(f"data: {event}{end}{end}" for event in events).encode() + b": end\n"
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    assert read(*(stream[a:b] for a, b in itertools.pairwise(places))) == events


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_any_bytes_are_read(chunks: list[bytes]) -> None:
    """Nothing that is sent breaks the reader."""
    assert all(isinstance(data, str) for data in read(*chunks))


@pytest.mark.parametrize("piece", [b"x" * (1 << 20), b"data: " + b"x" * (1 << 20) + b"\n"])
def test_events_are_bounded(piece: bytes) -> None:
    """An event that never ends is given up."""
    reader = EventReader()
    with pytest.raises(EventTooLarge, match=str(LARGEST_EVENT)):
        any(list(reader.feed(piece)) for _ in range(20))
