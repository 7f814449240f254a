"""The interfaces of an old and a new release in; what changed for those who call, and what breaks them, out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chainctl.deploy.schema_gaps import Gap, GapKind, gaps

FRONT_DOOR = "front door"


@dataclass(frozen=True, slots=True)
class Interface:
    """How one chainlet is called: JSON schemas of arguments and answer (of an item, where it streams)."""

    chainlet: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    is_stream: bool = False
    takes_stream: bool = False
    is_websocket: bool = False


@dataclass(frozen=True, slots=True)
class Interfaces:
    """Those of all chainlets of a release; `edges` are pairs of caller and callee.

    `chainlets` is empty for releases that were recorded before interfaces were.
    """

    entrypoint: str = ""
    chainlets: tuple[Interface, ...] = ()
    edges: tuple[tuple[str, str], ...] = ()

    def of(self, chainlet: str) -> Interface | None:
        return next((one for one in self.chainlets if one.chainlet == chainlet), None)


@dataclass(frozen=True, slots=True)
class InterfaceChange:
    """One thing that is otherwise for callers. `where` is the front door, or an edge as `Caller → Callee`."""

    where: str
    text: str
    is_breaking: bool


@dataclass(frozen=True, slots=True)
class InterfaceReport:
    """What changed. `is_known` is False where the old release has no interfaces on record."""

    changes: tuple[InterfaceChange, ...] = field(default=())
    is_known: bool = True

    @property
    def is_breaking(self) -> bool:
        return any(change.is_breaking for change in self.changes)


def interface_changes(old: Interfaces, new: Interfaces) -> InterfaceReport:
    """Compare two releases at the front door and at every edge that both have.

    Callers inside of a chain are released with what they call, so a breaking change of an edge breaks
    nobody that runs; it is told because code outside may know that chainlet, too.
    """
    if not old.chainlets:
        return InterfaceReport(is_known=False)
    pairs = [(FRONT_DOOR, old.of(old.entrypoint), new.of(new.entrypoint))]
    pairs += [
        (f"{caller} → {callee}", old.of(callee), new.of(callee))
        for caller, callee in sorted({*old.edges} & {*new.edges})
    ]
    changes = (
        InterfaceChange(where, text, is_breaking)
        for where, before, after in pairs
        if before is not None and after is not None
        for text, is_breaking in _changes(before, after)
    )
    return InterfaceReport(
        tuple(sorted(changes, key=lambda c: (c.where != FRONT_DOOR, not c.is_breaking, c.where)))
    )


def report_lines(report: InterfaceReport) -> list[str]:
    """Render a report for people: `!` before what breaks callers, `~` before what does not."""
    if not report.is_known:
        return ["? interfaces: the last release has none on record, so they were not compared"]
    return [
        f"{'! breaking' if c.is_breaking else '~ interface'}: {c.where}: {c.text}" for c in report.changes
    ]


def _changes(old: Interface, new: Interface) -> Iterator[tuple[str, bool]]:
    kinds = list(_kinds(old, new))
    yield from ((text, True) for text in kinds)
    if old.is_websocket or new.is_websocket:
        return
    breaking, widened = gaps(old.inputs, new.inputs), gaps(new.inputs, old.inputs)
    yield from ((_INPUT_BREAKS[gap.kind](gap), True) for gap in breaking)
    yield from ((_input_widens(gap), False) for gap in _apart(widened, breaking))
    if old.is_stream != new.is_stream:
        return
    breaking, widened = gaps(new.outputs, old.outputs), gaps(old.outputs, new.outputs)
    yield from ((_OUTPUT_BREAKS[gap.kind](gap), True) for gap in breaking)
    yield from ((_output_narrows(gap), False) for gap in _apart(widened, breaking))


def _apart(found: Iterable[Gap], told: Sequence[Gap]) -> Iterator[Gap]:
    """Leave out the other side of what was told already: a type that is another one is one change."""
    places = {gap.path for gap in told}
    return (gap for gap in found if gap.path not in places)


def _kinds(old: Interface, new: Interface) -> Iterator[str]:
    for was, is_now, what in (
        (old.is_stream, new.is_stream, "the answer is {} a stream"),
        (old.takes_stream, new.takes_stream, "the argument is {} a stream"),
        (old.is_websocket, new.is_websocket, "calls are {} WebSockets"),
    ):
        if was != is_now:
            yield what.format("now" if is_now else "no longer")


def _argument(gap: Gap) -> str:
    return f"`{gap.path}`" if gap.path else "the call"


def _part(gap: Gap) -> str:
    return f"`{gap.path}` of the answer" if gap.path else "the answer"


_INPUT_BREAKS = {
    GapKind.TYPE: lambda gap: f"{_argument(gap)} takes {gap.outer} only, not {gap.inner}",
    GapKind.REQUIRED: lambda gap: (
        f"{_argument(gap)} is required now"
        if gap.inner == "optional"
        else f"{_argument(gap)} is new and required"
    ),
    GapKind.UNKNOWN: lambda gap: f"{_argument(gap)} is no longer taken",
    GapKind.VALUES: lambda gap: f"{_argument(gap)} no longer takes {gap.inner}",
    GapKind.BOUND: lambda gap: f"{_argument(gap)} is bounded closer: {gap.outer}, before {gap.inner}",
    GapKind.FORM: lambda gap: f"{_argument(gap)} must have another form: {gap.outer}, before {gap.inner}",
    GapKind.UNCOMPARED: lambda gap: f"{_argument(gap)} can not be compared: {gap.outer}, before {gap.inner}",
}
_OUTPUT_BREAKS = {
    GapKind.TYPE: lambda gap: f"{_part(gap)} may be {gap.inner}, before {gap.outer}",
    GapKind.REQUIRED: lambda gap: (
        f"{_part(gap)} may be missing" if gap.inner == "optional" else f"{_part(gap)} is gone"
    ),
    GapKind.UNKNOWN: lambda gap: f"{_part(gap)} is new, where no other keys were allowed",
    GapKind.VALUES: lambda gap: f"{_part(gap)} may be {gap.inner}",
    GapKind.BOUND: lambda gap: f"{_part(gap)} is bounded wider: {gap.inner}, before {gap.outer}",
    GapKind.FORM: lambda gap: f"{_part(gap)} has another form: {gap.inner}, before {gap.outer}",
    GapKind.UNCOMPARED: lambda gap: f"{_part(gap)} can not be compared: {gap.inner}, before {gap.outer}",
}


def _input_widens(gap: Gap) -> str:
    """Say what is new, for a gap from the new arguments to the old ones."""
    if gap.kind is GapKind.UNKNOWN:
        return f"{_argument(gap)} is new and optional"
    if gap.kind is GapKind.REQUIRED:
        return f"{_argument(gap)} is {'optional now' if gap.inner == 'optional' else 'no longer needed'}"
    return f"{_argument(gap)} takes more: {gap.inner}, before {gap.outer}"


def _output_narrows(gap: Gap) -> str:
    """Say what is new, for a gap from the old answer to the new one."""
    if gap.kind is GapKind.REQUIRED:
        return f"{_part(gap)} is {'always there now' if gap.inner == 'optional' else 'new'}"
    if gap.kind is GapKind.UNKNOWN:
        return f"{_part(gap)} is gone, which was optional"
    return f"{_part(gap)} is narrower: {gap.outer}, before {gap.inner}"
