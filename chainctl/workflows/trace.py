"""A chain and maybe a trace's id in; the spans that its services still have of it out."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from chainctl.deploy.state import ObservedService, ServiceStatus
from chainctl.deploy.target import DeployTarget
from chainctl.errors import ChainctlError, UsageError
from chainctl.workflows.call_tree import CallNode, call_trees
from chainctl.workflows.seen_span import SeenSpan, spans_in

T = TypeVar("T")
MOST_SPANS = 4096
_FULL_ID = re.compile(r"[0-9a-f]{32}")
_MOST_THREADS = 16
_FIRST_PAUSE_SEC = 0.02


@dataclass(frozen=True, slots=True)
class Told:
    """What services told. `silent` says of each that did not answer why."""

    spans: tuple[SeenSpan, ...]
    silent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListedTrace:
    """One trace in short. `hops` counts the calls that services of the chain answered."""

    trace_id: str
    root: SeenSpan
    hops: int


def gather(target: DeployTarget, chain: str, trace: str = "") -> Told:
    """Ask all running services of a chain for their spans, of one trace or of all.

    Raises UsageError when none runs, and what they say when not one of them answers.
    """
    query = f"trace={trace}&" if trace else ""
    answers = ask_all(target, chain, f"/-/spans?{query}limit={MOST_SPANS}", spans_in)
    found = {(s.span_id, s.kind): s for _, spans in answers.values for s in spans}
    return Told(tuple(found.values()), answers.silent)


@dataclass(frozen=True, slots=True)
class Answers(Generic[T]):
    """What each service answered, and of the others why they did not."""

    values: tuple[tuple[ObservedService, T], ...]
    silent: tuple[str, ...]


def ask_all(target: DeployTarget, chain: str, path: str, parse: Callable[[bytes], T]) -> Answers[T]:
    """Ask all running services of a chain at the same time. Raises UsageError, ChainctlError."""
    running = [s for s in target.observe(chain).services if s.status is ServiceStatus.RUNNING]
    if not running:
        raise UsageError(f"no service of {chain} is running", hint="push it again.")

    def ask(service: ObservedService) -> tuple[ObservedService, T] | ChainctlError:
        try:
            return service, parse(target.ask(chain, service.own_name, path))
        except ChainctlError as error:
            return error
        except ValueError as error:
            return ChainctlError(f"{service.own_name} answered what cannot be understood: {error}")

    with ThreadPoolExecutor(min(len(running), _MOST_THREADS)) as pool:
        told = list(pool.map(ask, running))
    values = tuple(one for one in told if isinstance(one, tuple))
    errors = [one for one in told if isinstance(one, ChainctlError)]
    if errors and not values:
        raise errors[0]
    return Answers(values, tuple(_reason(error) for error in errors))


def _reason(error: ChainctlError) -> str:
    return f"{error.message}: {error.details[0]}" if error.details else error.message


def wanted_trace(target: DeployTarget, chain: str, wanted: str) -> Told:
    """Find one trace by its id or its request's, or the beginning of either. Raises UsageError."""
    if _FULL_ID.fullmatch(wanted.lower()):
        told = gather(target, chain, wanted.lower())
        ids = {span.trace_id for span in told.spans}
    else:
        told = gather(target, chain)
        ids = {span.trace_id for span in told.spans if _begins(span, wanted)}
    if len(ids) == 1:
        return Told(tuple(span for span in told.spans if span.trace_id in ids), told.silent)
    if ids:
        raise UsageError(f"{len(ids)} traces begin with {wanted}", hint="give more of the id.")
    raise UsageError(
        f"no service of {chain} has a trace {wanted}",
        hint=f"each keeps its last calls only; `chainctl trace {chain}` lists what there is.",
    )


def _begins(span: SeenSpan, wanted: str) -> bool:
    return span.trace_id.startswith(wanted.lower()) or span.request_id.startswith(wanted)


def trace_of_call(target: DeployTarget, chain: str, call: SeenSpan, within_sec: float = 2.0) -> Told:
    """Return a call's trace, with the call itself; waits a little, as services note a call after its end."""
    waiting, pause, waited = threading.Event(), _FIRST_PAUSE_SEC, 0.0
    told = gather(target, chain, call.trace_id)
    while not _is_whole(told.spans, call) and waited < within_sec:
        waiting.wait(pause)
        waited += pause
        pause *= 2
        told = gather(target, chain, call.trace_id)
    return Told((call, *told.spans), told.silent)


def _is_whole(spans: Iterable[SeenSpan], call: SeenSpan) -> bool:
    return any(span.parent_id == call.span_id for span in spans)


def last_traces(spans: Iterable[SeenSpan], limit: int) -> list[ListedTrace]:
    """Return the newest traces, newest first."""
    by_trace: dict[str, list[SeenSpan]] = {}
    for span in spans:
        by_trace.setdefault(span.trace_id, []).append(span)
    listed = [_listed(trace_id, call_trees(found)) for trace_id, found in by_trace.items()]
    return sorted(listed, key=lambda one: one.root.start_ns, reverse=True)[:limit]


def _listed(trace_id: str, trees: list[CallNode]) -> ListedTrace:
    hops = sum(node.span.is_server for tree in trees for node in tree.walk())
    return ListedTrace(trace_id, trees[0].span, hops)
