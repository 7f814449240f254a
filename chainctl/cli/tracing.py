"""A chain and a trace's id, or a call under way, in; its waterfall, or a list of traces, out."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from chainctl.cli.console import Console
from chainctl.cli.durations import duration_text
from chainctl.cli.output import table
from chainctl.cli.waterfall import waterfall_text
from chainctl.deploy.target import DeployTarget
from chainctl.errors import CallFailedError, ChainctlError
from chainctl.telemetry.trace_context import format_traceparent, new_span_id, new_trace_id
from chainctl.workflows.call_parts import critical_path
from chainctl.workflows.call_tree import call_trees
from chainctl.workflows.seen_span import CLIENT, SeenSpan
from chainctl.workflows.trace import ListedTrace, Told, trace_of_call

_OK = 200


class TracedCall:
    """One call from here, as a context: it is timed, and shown with what it caused on stderr, at its end.

    `name` is what the call is shown as.
    """

    def __init__(self, target: DeployTarget, chain: str, name: str) -> None:
        self._target = target
        self._chain = chain
        self._trace_id, self._span_id = new_trace_id(), new_span_id()
        self._name = name

    @property
    def traceparent(self) -> str:
        """The header to call with."""
        return format_traceparent(self._trace_id, self._span_id)

    def __enter__(self) -> TracedCall:
        self._started = time.time_ns(), time.perf_counter_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        total_ns = time.perf_counter_ns() - self._started[1]
        if error is None or isinstance(error, CallFailedError):
            self._show(self._span(total_ns, error))

    def _span(self, total_ns: int, error: CallFailedError | None) -> SeenSpan:
        return SeenSpan(
            trace_id=f"{self._trace_id:032x}",
            span_id=f"{self._span_id:016x}",
            parent_id="",
            name=self._name,
            kind=CLIENT,
            start_ns=self._started[0],
            total_ns=total_ns,
            status=0 if error else _OK,
            error=error.message if error else "",
        )

    def _show(self, call: SeenSpan) -> None:
        """Print the waterfall. What cannot be told of a call does not change how it went."""
        console = Console()
        try:
            told = trace_of_call(self._target, self._chain, call)
        except ChainctlError as error:
            console.line(f"the trace cannot be shown: {error.message}")
            return
        sys.stdout.flush()
        console.line(waterfall_text(_with_outcome(told.spans, call), console.palette).rstrip("\n"))
        for why in told.silent:
            console.line(f"not in the trace: {why}")


def _with_outcome(spans: tuple[SeenSpan, ...], call: SeenSpan) -> list[SeenSpan]:
    """Give the call the status that the first service answered with, where the call itself only failed."""
    answered = next((s for s in spans if s.parent_id == call.span_id), None)
    status = answered.status if answered and not call.status else call.status
    request = answered.request_id if answered else ""
    own = replace(call, status=status, request_id=request, error="" if status else call.error)
    return [own if span is call else span for span in spans]


def traces_text(traces: list[ListedTrace]) -> str:
    """Render traces as a table, the newest first. Times are UTC."""
    rows = [
        [
            datetime.fromtimestamp(one.root.start_ns / 1e9, UTC).strftime("%H:%M:%S.%f")[:-3],
            one.trace_id,
            duration_text(one.root.total_ns),
            str(one.root.status or "no answer"),
            str(one.hops),
            one.root.name,
            one.root.request_id,
        ]
        for one in traces
    ]
    return table(["TIME", "TRACE", "DURATION", "STATUS", "HOPS", "CHAINLET", "REQUEST"], rows) if rows else ""


def traces_json(traces: list[ListedTrace]) -> list[dict[str, Any]]:
    """Describe traces as JSON values."""
    return [
        {
            "trace_id": one.trace_id,
            "start_ns": one.root.start_ns,
            "total_ns": one.root.total_ns,
            "status": one.root.status,
            "hops": one.hops,
            "chainlet": one.root.name,
            "request_id": one.root.request_id,
        }
        for one in traces
    ]


def trace_json(told: Told) -> dict[str, Any]:
    """Describe one trace: its spans, and of each tree in it the critical path."""
    trees = call_trees(told.spans)
    names = SeenSpan.__dataclass_fields__
    return {
        "trace_id": told.spans[0].trace_id,
        "spans": [{name: getattr(span, name) for name in names} for span in told.spans],
        "critical_path": [
            {"span_id": step.node.span.span_id, "name": step.node.span.name, "part": step.part, "ns": step.ns}
            for tree in trees
            for step in critical_path(tree)
        ],
        "silent": list(told.silent),
    }
