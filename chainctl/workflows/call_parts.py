"""A call in; its time cut into parts, and those parts of a tree that made it as long as it was, out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chainctl.workflows.call_tree import CallNode
from chainctl.workflows.seen_span import SeenSpan

QUEUE = "queue"
SERIALISE = "serialise"
COMPUTE = "compute"
WIRE = "wire"
FIRST_BYTE = "first byte"
READ = "read"
WAIT = "wait"
OTHER = "other"
PARTS = (QUEUE, SERIALISE, COMPUTE, WIRE, FIRST_BYTE, READ, OTHER)


@dataclass(frozen=True, slots=True)
class Step:
    """A part of one call that lies on the critical path, in nanoseconds."""

    node: CallNode
    part: str
    ns: int


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a call on the clock, in nanoseconds from the epoch."""

    part: str
    start_ns: int
    end_ns: int


def own_parts(node: CallNode) -> dict[str, int]:
    """Return what a call did itself, by part: without the time in which calls of its own ran."""
    span = node.span
    covered = _covered(node)
    return _shares(node, max(0, span.total_ns - covered))


def critical_path(root: CallNode) -> list[Step]:
    """Return the parts that a faster call would have to shorten, callers before what they called.

    Walked from the end: of what a call waited for last, then of what ended before that began. They
    add up to the time of the root.
    """
    return list(_critical(root, root.span.start_ns, root.span.end_ns))


def pieces(node: CallNode) -> list[Piece]:
    """Return the parts of a call in the order of their times; calls of its own are parts called "wait"."""
    span = node.span
    if not span.is_server:
        return _of_client(node)
    decoded = span.start_ns + span.decode_ns
    prepared = decoded + span.preprocess_ns
    started = prepared + span.queue_ns
    ran = min(span.end_ns, started + span.run_ns + span.postprocess_ns)
    encoded = min(span.end_ns, ran + span.encode_ns)
    before = [Piece(COMPUTE, decoded, prepared)] if span.preprocess_ns else []
    found = [
        Piece(SERIALISE, span.start_ns, decoded),
        *before,
        Piece(QUEUE, prepared, started),
        Piece(COMPUTE, started, ran),
        Piece(SERIALISE, ran, encoded),
        Piece(_rest(span), encoded, span.end_ns),
    ]
    return [*found, *(Piece(WAIT, child.span.start_ns, child.span.end_ns) for child in node.children)]


def _rest(span: SeenSpan) -> str:
    """What a service does in time that nothing explains: a stream makes its items until its end."""
    return COMPUTE if span.items else OTHER


def _of_client(node: CallNode) -> list[Piece]:
    span = node.span
    permitted = span.start_ns + span.queue_ns
    sent = permitted + span.encode_ns
    arrived = max(sent, span.end_ns - span.decode_ns)
    middle = [Piece(WIRE, sent, arrived)]
    if not node.children and span.first_byte_ns:
        answered = max(sent, arrived - span.read_ns)
        begun = max(sent, answered - span.first_byte_ns)
        middle = [
            Piece(WIRE, sent, begun),
            Piece(FIRST_BYTE, begun, answered),
            Piece(READ, answered, arrived),
        ]
    found = [
        Piece(QUEUE, span.start_ns, permitted),
        Piece(SERIALISE, permitted, sent),
        *middle,
        Piece(SERIALISE, arrived, span.end_ns),
    ]
    return [*found, *(Piece(WAIT, child.span.start_ns, child.span.end_ns) for child in node.children)]


def _critical(node: CallNode, from_ns: int, until_ns: int) -> Iterator[Step]:
    """Explain an interval in which a call ran."""
    cursor, own = until_ns, 0
    chosen: list[tuple[CallNode, int, int]] = []
    for child in sorted(node.children, key=lambda child: child.span.end_ns, reverse=True):
        start, end = max(from_ns, child.span.start_ns), min(until_ns, child.span.end_ns)
        if end > cursor or start >= end:
            continue  # it ran beside what is on the path already
        own += cursor - end
        chosen.append((child, start, end))
        cursor = start
    own += cursor - from_ns
    yield from (Step(node, part, ns) for part, ns in _shares(node, own).items())
    for child, start, end in reversed(chosen):
        yield from _critical(child, start, end)


def _shares(node: CallNode, own_ns: int) -> dict[str, int]:
    """Share time out to the parts of a call; what nothing explains is the wire's or the runtime's."""
    span = node.span
    wanted = [(QUEUE, span.queue_ns), (SERIALISE, span.decode_ns + span.encode_ns)]
    if span.is_server:
        wanted += [(COMPUTE, span.user_ns), (_rest(span), own_ns)]
    elif node.children:
        wanted += [(WIRE, own_ns)]
    else:
        wanted += [(FIRST_BYTE, span.first_byte_ns), (READ, span.read_ns), (WIRE, own_ns)]
    shares: dict[str, int] = {}
    for part, ns in wanted:
        if share := min(ns, own_ns):
            shares[part] = share
            own_ns -= share
    return shares


def _covered(node: CallNode) -> int:
    """Nanoseconds of a call in which at least one of its own calls ran."""
    covered, reached = 0, node.span.start_ns
    for child in node.children:
        start = max(reached, child.span.start_ns)
        end = min(child.span.end_ns, node.span.end_ns)
        covered += max(0, end - start)
        reached = max(reached, end)
    return covered
