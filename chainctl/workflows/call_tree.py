"""The spans of a trace in; a tree of calls, on one clock, out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from chainctl.workflows.seen_span import SeenSpan


@dataclass(frozen=True, slots=True)
class CallNode:
    """A span with what it caused, in the order of their starts."""

    span: SeenSpan
    children: tuple[CallNode, ...] = ()

    def walk(self) -> Iterator[CallNode]:
        """Yield this node and all below it, callers first."""
        yield self
        for child in self.children:
            yield from child.walk()


def call_trees(spans: Iterable[SeenSpan]) -> list[CallNode]:
    """Return the trees of spans, earliest first. A span whose parent is not there begins a tree.

    The clocks of two machines differ: a server's span that lies outside of its client's is moved
    into its middle, with all below it.
    """
    known = {span.span_id: span for span in spans}
    children: defaultdict[str, list[SeenSpan]] = defaultdict(list)
    for span in known.values():
        parent = span.parent_id if span.parent_id in known else ""
        children[parent].append(span)
    return [_node(span, children, 0, frozenset()) for span in _in_order(children[""])]


def _node(
    span: SeenSpan, children: dict[str, list[SeenSpan]], shift_ns: int, above: frozenset[str]
) -> CallNode:
    moved = replace(span, start_ns=span.start_ns + shift_ns)
    path = above | {span.span_id}
    below = [child for child in children.get(span.span_id, []) if child.span_id not in path]
    nodes = [_node(child, children, shift_ns + _correction(moved, child, shift_ns), path) for child in below]
    return CallNode(moved, tuple(sorted(nodes, key=lambda node: node.span.start_ns)))


def _correction(parent: SeenSpan, child: SeenSpan, shift_ns: int) -> int:
    """How much later a child's clock must be read so that it lies within its caller's wait."""
    if parent.is_server or not child.is_server:
        return 0
    start, end = child.start_ns + shift_ns, child.end_ns + shift_ns
    if parent.start_ns <= start and end <= parent.end_ns:
        return 0
    spare = max(0, parent.total_ns - child.total_ns)
    return parent.start_ns + spare // 2 - start


def _in_order(spans: Iterable[SeenSpan]) -> list[SeenSpan]:
    return sorted(spans, key=lambda span: (span.start_ns, span.span_id))
