"""Decoding BuildKit's trace: what an engine sent, and what no engine ever would."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.adapters.docker.trace import (
    Trace,
    Vertex,
    VertexLog,
    VertexStatus,
    decode_trace,
)
from chainctl.adapters.docker.trace_wire import TraceError, fields

DATA = Path(__file__).parent / "data"
RECORDED = [
    base64.b64decode(message["aux"])
    for line in (DATA / "buildkit_fresh.jsonl").read_text().splitlines()
    if (message := json.loads(line)).get("id") == "moby.buildkit.trace"
]


def test_recorded_traces_are_understood() -> None:
    """All that engine 20.10 told about one small build."""
    traces = [decode_trace(data) for data in RECORDED]
    vertexes = {vertex.digest: vertex for trace in traces for vertex in trace.vertexes}
    logs = [log for trace in traces for log in trace.logs]
    assert "[2/3] COPY f.txt /f.txt" in {vertex.name for vertex in vertexes.values()}
    assert all(vertex.completed for vertex in vertexes.values())
    assert b"".join(log.message for log in logs if log.stream == 1) == b"out\na\rb\n50% 100%\n"
    assert b"".join(log.message for log in logs if log.stream == 2) == b"err\n"


def test_every_field_is_read() -> None:
    """A message made by hand, with one field that is not known."""
    stamp = b"\x08\x02\x10\x80\xca\xb5\xee\x01"
    vertex = b"\x0a\x01d\x12\x01i\x12\x01j\x1a\x01n\x20\x01\x2a\x08" + stamp + b"\x3a\x01e\x42\x00"
    status = b"\x0a\x01s\x12\x01d\x20\x05\x28\x07"
    log = b"\x0a\x01d\x18\x02\x22\x02hi"
    data = b"".join(
        bytes([number << 3 | 2, len(part)]) + part for number, part in ((1, vertex), (2, status), (3, log))
    )
    assert decode_trace(data) == Trace(
        vertexes=(Vertex("d", "n", ("i", "j"), True, 2.5, None, "e"),),
        statuses=(VertexStatus("s", "d", 5, 7),),
        logs=(VertexLog("d", 2, b"hi"),),
    )


def test_numbers_may_be_negative() -> None:
    """int64 is two's complement in ten bytes."""
    data = b"\x12\x0f\x12\x01d\x20" + b"\xff" * 9 + b"\x01\x28\x00"
    data = b"\x12" + bytes([len(data) - 2]) + data[2:]
    assert decode_trace(data).statuses[0].current == -1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x0a\x05ab", "longer than its message"),
        (b"\x80", "no end"),
        (b"\xff" * 11, "no end"),
        (b"\x00", "no number"),
        (b"\x0b", "unknown wire type 3"),
        (b"\x08\x01", "field 1 is a number"),
        (b"\x0a\x04\x22\x00\x22\x00", "field 4 is no number"),
        (b"\x09\x00", "longer than its message"),
    ],
)
def test_broken_messages_are_refused(data: bytes, message: str) -> None:
    """Each rule of the wire format has its own words."""
    with pytest.raises(TraceError, match=message):
        decode_trace(data)


def test_fixed_width_fields_are_skipped_over() -> None:
    """Wire types 1 and 5 are in no field that we read, but may come."""
    assert list(fields(b"\x09" + bytes(8) + b"\x0d" + bytes(4))) == [(1, bytes(8)), (1, bytes(4))]


def decoded_or_refused(data: bytes) -> None:
    try:
        decode_trace(data)
    except TraceError:
        return


@given(st.binary(max_size=4096))
def test_random_bytes_never_do_worse_than_trace_error(data: bytes) -> None:
    """Whatever comes, it is decoded or refused."""
    decoded_or_refused(data)


@given(st.data())
def test_mutated_traces_never_do_worse_than_trace_error(draw: st.DataObject) -> None:
    """Real traces with bytes changed, cut out or put in reach deeper than random ones."""
    data = bytearray(draw.draw(st.sampled_from(RECORDED)))
    for _ in range(draw.draw(st.integers(1, 8))):
        start = draw.draw(st.integers(0, len(data)))
        end = min(len(data), start + draw.draw(st.integers(0, 4)))
        data[start:end] = draw.draw(st.binary(max_size=4))
    decoded_or_refused(bytes(data))


@pytest.mark.parametrize("piece", [b"\x0a\x00", b"\x1a\x02\x22\x00", b"\x20\x01", b"\x0a\x02\x2a\x00"])
def test_large_messages_take_time_in_proportion(piece: bytes) -> None:
    """Many of the smallest fields are done in a second, not in hours."""
    began = time.monotonic()
    decoded_or_refused(piece * ((1 << 18) // len(piece)))
    assert time.monotonic() - began < 20
