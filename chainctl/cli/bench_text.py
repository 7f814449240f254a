"""The report of a load in; what people read of it out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from chainctl.cli.durations import duration_text
from chainctl.cli.output import table
from chainctl.workflows.bench.assertion import ERRORS, RATE, Assertion
from chainctl.workflows.bench.bench import Report
from chainctl.workflows.bench.capacity import CPU, TARGET, Advice, Usage
from chainctl.workflows.bench.hops import CALLS, HOP_PARTS, Hop, Hops
from chainctl.workflows.bench.outcome import Outcome
from chainctl.workflows.bench.percentiles import Summary, summary
from chainctl.workflows.bench.plan import LoadPlan
from chainctl.workflows.bench.verdict import Verdict

_NS = 1e9
_QUIET = 0.5
_BUSY_GENERATOR = 0.9


def report_text(report: Report, chain: str, verdicts: Sequence[Verdict] = ()) -> str:
    """Render throughput, latencies and errors; hops; the bottleneck; what would be needed; assertions."""
    blocks = [
        [_title(report.plan, chain, report.outcome), *_measured(report.outcome, report.plan)],
        _hop_lines(report.hops),
        _bottleneck(report.usages, report.hops),
        _advice_lines(report.advice, report.target_rate),
        [verdict_text(verdict) for verdict in verdicts],
        [*_warnings(report.outcome), *(f"not known: {why}" for why in report.silent)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def verdict_text(verdict: Verdict) -> str:
    """Say of an assertion whether it held, with the value and the bound."""
    word = "ok    " if verdict.is_kept else "FAILED"
    assertion = verdict.assertion
    if verdict.value is None:
        return f"{word}  {assertion.text}: {assertion.metric} has no value, as nothing was measured"
    value, bound = value_text(assertion, verdict.value), value_text(assertion, assertion.bound)
    is_word = "are" if assertion.metric == ERRORS else "is"
    told = f"{assertion.metric} {is_word} {value}, the bound is {assertion.operator} {bound}"
    return f"{word}  {assertion.text}: {told}"


def value_text(assertion: Assertion, value: float) -> str:
    """Write a value in the unit of an assertion's metric."""
    if assertion.metric == RATE:
        return f"{value:.1f}/s"
    if assertion.metric == ERRORS:
        return f"{100 * value:.2f}%" if assertion.is_share else f"{value:g}"
    return duration_text(value)


def _title(plan: LoadPlan, chain: str, outcome: Outcome) -> str:
    loop = (
        f"closed loop of {plan.clients} clients"
        if plan.rate is None
        else f"open loop, {plan.rate:g} requests/s ({plan.arrivals} arrivals)"
    )
    where = plan.url if chain == plan.url else f"{chain} at {plan.url}"
    cut = ", interrupted" if outcome.is_cut else ""
    return f"{where}: {loop}, {outcome.seconds:.1f} s after {plan.warmup_sec:g} s of warm-up{cut}"


def _measured(outcome: Outcome, plan: LoadPlan) -> Iterator[str]:
    yield ""
    yield f"requests  {outcome.requests:,} begun, {outcome.rate:,.1f}/s answered"
    yield f"latency   {_summary_text(summary(outcome.latencies_ns))}"
    if plan.rate is not None:
        yield f"unqueued  {_summary_text(summary(outcome.services_ns))}"
    yield f"errors    {outcome.errors:,} ({100 * outcome.error_share:.2f}%)"
    for failure, count in sorted(outcome.failures.items(), key=lambda item: (-item[1], item[0].kind)):
        yield f"          {count:,} × {failure.status or 'no answer'} {failure.kind}"


def _summary_text(found: Summary | None) -> str:
    if found is None:
        return "none, as nothing was answered"
    return "  ".join(f"{name} {duration_text(ns)}" for name, ns in found.values.items())


def _hop_lines(hops: Hops) -> list[str]:
    if not hops.hops:
        return []
    header = ["HOP", "CALLS/REQUEST", "MEAN", *(part.upper() for part in HOP_PARTS)]
    title = (
        f"where the time went (means of the last {_many(hops.requests, 'request')} whose traces are whole)"
    )
    return [title, table(header, [_hop_row(hop) for hop in hops.hops])]


def _hop_row(hop: Hop) -> list[str]:
    shares = [
        f"{100 * hop.parts[part] / hop.total_ns:.0f}%" if hop.parts[part] else "-" for part in HOP_PARTS
    ]
    return [_name(hop), f"{hop.per_request:.1f}", duration_text(hop.total_ns), *shares]


def _name(hop: Hop) -> str:
    return f"{hop.caller or 'client'} → {hop.name}" if hop.is_edge else hop.name


def _bottleneck(usages: Sequence[Usage], hops: Hops) -> list[str]:
    known = [usage for usage in usages if usage.limits]
    if not known:
        return []
    first = known[0]
    is_busy = first.share >= _QUIET
    word = "bottleneck" if is_busy else "no chainlet is a bottleneck; busiest is"
    lines = [f"{word} {first.chainlet}: {100 * first.share:.0f}% of {_limit_words(first)} is in use"]
    if not is_busy:
        lines.append(_longest(hops))
    return [*lines, *(f"  {usage.chainlet}: {_law(usage)}" for usage in known)]


def _longest(hops: Hops) -> str:
    """Where most of a request's time is, for a chain in which nothing is busy: it may wait for something else."""
    chainlets = {hop.name for hop in hops.hops if not hop.is_edge}
    found = [
        (hop.parts[part] * hop.per_request, part, hop)
        for hop in hops.hops
        for part in HOP_PARTS
        if part != CALLS or hop.name not in chainlets
    ]
    ns, part, hop = max(found, key=lambda one: one[0])
    return f"most time is {part} of {_name(hop)}: {duration_text(ns)} a request"


def _limit_words(usage: Usage) -> str:
    means = usage.means
    return _many(means.replicas, "core") if usage.tightest == CPU else _many(_places(usage), "place")


def _law(usage: Usage) -> str:
    """The utilisation law with its numbers."""
    means, told = usage.means, []
    for name, share in usage.limits.items():
        each = (means.cpu_sec or 0.0) if name == CPU else usage.place_sec
        many = _many(means.replicas, "core") if name == CPU else f"({means.replicas} × {means.concurrency})"
        told.append(f"{name} {usage.rate:.1f}/s × {duration_text(each * _NS)} / {many} = {100 * share:.0f}%")
    return "; ".join(told)


def _advice_lines(advice: Iterable[Advice], rate: float) -> list[str]:
    lines = [line for one in advice for line in _advice(one)]
    title = f"for {rate:,.1f} requests/s with {100 * float(TARGET):.0f}% in use"
    return [title, *lines] if lines else []


def _advice(advice: Advice) -> Iterator[str]:
    """Little's law with its numbers, then what follows."""
    usage, target = advice.usage, f"{float(TARGET):g}"
    sums = [f"{advice.rate:.1f}/s × {duration_text(usage.place_sec * _NS)} = {advice.at_once:.2f} at once"]
    if usage.means.concurrency:
        sums[0] += f" / {target} → {_many(advice.places, 'place')}"
    if usage.means.cpu_sec is not None:
        each = duration_text(usage.means.cpu_sec * _NS)
        cores = f"{advice.cores:.2f} / {target} → {_many(advice.by_cpu, 'core')}"
        sums.append(f"{advice.rate:.1f}/s × {each} of CPU = {cores}")
    yield f"  {advice.chainlet}: {'; '.join(sums)}"
    yield f"    {'→' if advice.is_change else '='} {_needs(advice)}"


def _needs(advice: Advice) -> str:
    has = advice.usage.means
    replicas = f"replicas {advice.replicas}"
    needs = f"{replicas}, predict_concurrency {advice.concurrency}" if has.concurrency else replicas
    if not advice.is_change:
        return f"{needs}, as it is"
    if not has.concurrency:
        return f"{needs} (now {has.replicas})"
    other = ""
    if advice.concurrency != has.concurrency:
        other = f"; or replicas {advice.replicas_alone} with {has.concurrency} each"
    return f"{needs} (now {has.replicas} and {has.concurrency}){other}"


def _places(usage: Usage) -> int:
    return usage.means.replicas * usage.means.concurrency


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _warnings(outcome: Outcome) -> Iterator[str]:
    if outcome.cpu_share >= _BUSY_GENERATOR:
        yield (
            f"warning: the load generator used {100 * outcome.cpu_share:.0f}% of a core; "
            "this may be its limit and not the chain's"
        )
