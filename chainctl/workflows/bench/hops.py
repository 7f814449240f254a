"""The spans of a load and the requests that caused them in; where time went, by chainlet and edge, out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chainctl.workflows.bench.outcome import LEAST_ERROR, Sent
from chainctl.workflows.call_parts import COMPUTE, OTHER, QUEUE, critical_path, own_parts
from chainctl.workflows.call_tree import CallNode, call_trees
from chainctl.workflows.seen_span import CLIENT, SeenSpan
from chainctl.workflows.trace import MOST_SPANS

OUTSIDE = ""
DECODE, ENCODE, WIRE, CALLS = "decode", "encode", "wire", "calls"
HOP_PARTS = (QUEUE, DECODE, COMPUTE, ENCODE, WIRE, CALLS)


@dataclass(frozen=True, slots=True)
class Hop:
    """A chainlet, or the edge to it from `caller`, as a mean over its calls; times are nanoseconds.

    `per_request` is how often a request makes this call. `parts` add up to `total_ns`: "wire" is what
    nothing else explains, "calls" the time in which its own calls ran (of an edge: in which the callee
    had it). `place_ns` is how long a call occupies one of the chainlet's places, 0 of an edge: user
    code with all that it waits for, without the queues in front of what it calls, because those
    shorten when their own chainlet gets what it needs.
    """

    name: str
    caller: str | None
    per_request: float
    total_ns: float
    parts: dict[str, float]
    place_ns: float = 0.0

    @property
    def is_edge(self) -> bool:
        return self.caller is not None


@dataclass(frozen=True, slots=True)
class Hops:
    """All hops of a chain, callers first, from `requests` traces that were whole."""

    hops: tuple[Hop, ...]
    requests: int


def hops_of(spans: Iterable[SeenSpan], sent: Sequence[Sent]) -> Hops:
    """Find the requests in the spans and sum up what they caused.

    Services keep their last calls only, so traces that may have lost spans are left out, and so
    are requests that failed. An edge from
    outside has the caller "".
    """
    kept = list(spans)
    horizon_ns = _horizon(kept)
    ids = {one.trace_id for one in sent}
    roots = [_as_span(one) for one in sent if one.start_ns >= horizon_ns and one.status < LEAST_ERROR]
    begun = {root.span_id for root in roots}
    trees = call_trees([*roots, *(span for span in kept if span.trace_id in ids)])
    whole = [tree for tree in trees if tree.span.span_id in begun and tree.children]
    return _summed(whole)


def _horizon(spans: Sequence[SeenSpan]) -> int:
    """The time from which on no service has forgotten a call: where its store is full, its oldest's end."""
    ends: defaultdict[str, list[int]] = defaultdict(list)
    for span in spans:
        ends[span.service].append(span.end_ns)
    return max((min(found) for found in ends.values() if len(found) >= MOST_SPANS), default=0)


def _as_span(sent: Sent) -> SeenSpan:
    return SeenSpan(
        sent.trace_id, sent.span_id, "", "", CLIENT, sent.start_ns, sent.total_ns, status=sent.status
    )


def _summed(trees: Sequence[CallNode]) -> Hops:
    calls: defaultdict[tuple[str, str | None], list[CallNode]] = defaultdict(list)
    for tree in trees:
        for node, key in _keyed(tree):
            calls[key].append(node)
    hops = [_hop(name, caller, nodes, len(trees)) for (name, caller), nodes in calls.items()]
    return Hops(tuple(hops), len(trees))


def _keyed(root: CallNode) -> Iterable[tuple[CallNode, tuple[str, str | None]]]:
    """Yield every node with the name of what it is: an edge's callee with its caller, or a chainlet."""
    todo = [(root, OUTSIDE)]
    while todo:
        node, caller = todo.pop()
        if node.span.is_server:
            yield node, (node.span.name, None)
            todo += [(child, node.span.name) for child in reversed(node.children)]
        else:
            callee = node.children[0].span.name if node.children else node.span.name
            yield node, (callee, caller)
            todo += [(child, callee) for child in reversed(node.children)]


def _hop(name: str, caller: str | None, nodes: Sequence[CallNode], requests: int) -> Hop:
    parts: defaultdict[str, float] = defaultdict(float)
    for node in nodes:
        for part, ns in hop_parts(node).items():
            parts[part] += ns / len(nodes)
    return Hop(
        name=name,
        caller=caller,
        per_request=len(nodes) / requests,
        total_ns=sum(node.span.total_ns for node in nodes) / len(nodes),
        parts={part: parts[part] for part in HOP_PARTS},
        place_ns=sum(map(place_ns, nodes)) / len(nodes) if caller is None else 0.0,
    )


def hop_parts(node: CallNode) -> dict[str, int]:
    """Cut the time of one call into HOP_PARTS, which add up to it; a stream computes until its end."""
    span, own = node.span, own_parts(node)
    left = span.total_ns
    shares: dict[str, int] = {}
    wanted = ((QUEUE, span.queue_ns), (DECODE, span.decode_ns), (ENCODE, span.encode_ns))
    compute = own.get(COMPUTE, 0) or (own.get(OTHER, 0) if span.items else 0)
    for part, ns in (*wanted, (COMPUTE, compute), (CALLS, _called_ns(node, own))):
        shares[part] = min(ns, left)
        left -= shares[part]
    return {**shares, WIRE: left}


def place_ns(node: CallNode) -> int:
    """Return how long a call had a place of its chainlet, without the queues of those that it called."""
    span = node.span
    held = span.run_ns or max(0, span.total_ns - span.queue_ns - span.decode_ns - span.encode_ns)
    queues = sum(s.ns for s in critical_path(node) if s.part == QUEUE and s.node.span.span_id != span.span_id)
    return max(0, held - queues)


def _called_ns(node: CallNode, own: dict[str, int]) -> int:
    """The time in which calls of its own ran; of a call to a stranger, the time until its answer was read."""
    if not node.span.is_server and not node.children:
        return node.span.first_byte_ns + node.span.read_ns
    return node.span.total_ns - sum(own.values())
