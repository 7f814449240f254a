"""The calls of one trace in; a waterfall with bars, and the critical path summed up, out. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from chainctl.cli.diagnostics import PLAIN, Palette
from chainctl.cli.durations import duration_text
from chainctl.workflows.call_parts import (
    COMPUTE,
    FIRST_BYTE,
    OTHER,
    PARTS,
    QUEUE,
    READ,
    SERIALISE,
    WAIT,
    WIRE,
    Piece,
    Step,
    critical_path,
    own_parts,
    pieces,
)
from chainctl.workflows.call_tree import CallNode, call_trees
from chainctl.workflows.seen_span import SeenSpan

BAR_WIDTH = 40
_MARKS = {
    QUEUE: "░",
    SERIALISE: "▒",
    COMPUTE: "█",
    WIRE: "─",
    FIRST_BYTE: "╌",
    READ: "═",
    WAIT: "·",
    OTHER: "─",
}
_LEGEND = "░ queue  ▒ serialise  █ compute  · waits for what it called  ─ wire and rest  ╌ first byte  ═ read"
_LONGEST_ERROR = 60
_FAILED = 400


def waterfall_text(spans: Iterable[SeenSpan], palette: Palette = PLAIN) -> str:
    """Render a trace: a line for each call as its client and as its server saw it, then the critical path.

    Lines that begin with `*` are on the critical path of their tree.
    """
    trees = call_trees(spans)
    if not trees:
        return "no calls\n"
    paths = [critical_path(tree) for tree in trees]
    start = min(node.span.start_ns for tree in trees for node in tree.walk())
    end = max(node.span.end_ns for tree in trees for node in tree.walk())
    rows = [
        _row(node, depth, path, (start, end))
        for tree, path in zip(trees, paths, strict=True)
        for node, depth in _walk(tree, 0)
    ]
    lines = [_title(trees[0].span, palette), *_aligned(rows, palette), "", _LEGEND]
    for path in paths:
        lines += ["", *_path_lines(path, palette)]
    return "\n".join(lines) + "\n"


def _title(root: SeenSpan, palette: Palette) -> str:
    request = f"  request {root.request_id}" if root.request_id else ""
    return f"{palette.strong}trace {root.trace_id}{palette.off}{request}"


def _walk(node: CallNode, depth: int) -> Iterable[tuple[CallNode, int]]:
    yield node, depth
    for child in node.children:
        yield from _walk(child, depth + 1)


def _row(node: CallNode, depth: int, path: Sequence[Step], extent: tuple[int, int]) -> tuple[str, ...]:
    span = node.span
    mark = "*" if any(step.node is node for step in path) else " "
    name = f"{mark} {'  ' * depth}{'' if span.is_server else '→ '}{span.name}"
    return (
        name,
        _bar(node, extent),
        duration_text(span.total_ns),
        _outcome(span),
        _parts_text(own_parts(node)),
    )


def _aligned(rows: Sequence[tuple[str, ...]], palette: Palette) -> list[str]:
    names = max(len(row[0]) for row in rows)
    durations = max(len(row[2]) for row in rows)
    outcomes = max(len(row[3]) for row in rows)
    lines = []
    for name, bar, duration, outcome, parts in rows:
        strong = palette.strong if name.startswith("*") else ""
        shown = f"{strong}{name.ljust(names)}{palette.off if strong else ''}"
        line = f"{shown}  {bar}  {duration.rjust(durations)}  {outcome.ljust(outcomes)}  {parts}"
        lines.append(line.rstrip())
    return lines


def _bar(node: CallNode, extent: tuple[int, int]) -> str:
    """Draw a call between the first start and the last end of the trace; at least one mark wide."""
    start, end = extent
    cell = max(1.0, (end - start) / BAR_WIDTH)
    first = min(BAR_WIDTH - 1, int((node.span.start_ns - start) / cell))
    last = max(first, min(BAR_WIDTH - 1, round((node.span.end_ns - start) / cell) - 1))
    found = pieces(node)
    middles = (start + (column + 0.5) * cell for column in range(first, last + 1))
    inside = (min(max(at_ns, node.span.start_ns), node.span.end_ns - 1) for at_ns in middles)
    marks = [_mark_at(found, at_ns) for at_ns in inside]
    return (" " * first + "".join(marks)).ljust(BAR_WIDTH)


def _mark_at(found: Sequence[Piece], at_ns: float) -> str:
    parts = [piece.part for piece in found if piece.start_ns <= at_ns < piece.end_ns]
    return _MARKS[parts[-1] if parts else OTHER]


def _outcome(span: SeenSpan) -> str:
    attempts = f", {span.attempts} attempts" if span.attempts > 1 else ""
    items = f", {span.items} items" if span.items else ""
    status = str(span.status) if span.status else "no answer"
    error = f" {span.error.splitlines()[0][:_LONGEST_ERROR]}" if span.error.strip() else ""
    return f"{status}{attempts}{items}{error}"


def _parts_text(parts: dict[str, int]) -> str:
    return "  ".join(f"{part} {duration_text(parts[part])}" for part in PARTS if parts.get(part))


def _path_lines(path: Sequence[Step], palette: Palette) -> list[str]:
    total = sum(step.ns for step in path)
    sums: Counter[str] = Counter()
    for step in path:
        sums[step.part] += step.ns
    shares = [
        f"{part} {duration_text(ns)} ({100 * ns / total:.0f}%)" for part, ns in sums.most_common() if ns
    ]
    title = f"{palette.strong}critical path{palette.off}  {duration_text(total)}: {', '.join(shares)}"
    return [title, *_steps(path)]


def _steps(path: Sequence[Step]) -> list[str]:
    """One line for each call on the path, callers first."""
    by_span: dict[str, tuple[SeenSpan, dict[str, int]]] = {}
    for step in path:
        _, parts = by_span.setdefault(step.node.span.span_id, (step.node.span, {}))
        parts[step.part] = parts.get(step.part, 0) + step.ns
    return [
        f"  {'' if span.is_server else '→ '}{span.name}: {_parts_text(parts)}"
        for span, parts in by_span.values()
    ]
