"""The report of a load in; JSON values of it out. Pure; times are milliseconds, shares from 0 to 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainctl.workflows.bench.bench import Report
from chainctl.workflows.bench.capacity import TARGET, Advice, Usage
from chainctl.workflows.bench.hops import Hop
from chainctl.workflows.bench.outcome import Outcome
from chainctl.workflows.bench.percentiles import summary
from chainctl.workflows.bench.plan import LoadPlan
from chainctl.workflows.bench.verdict import Verdict

SCHEMA_VERSION = 1
_NS_PER_MS = 1e6
_MS_PER_SEC = 1e3


def report_json(report: Report, chain: str, verdicts: Sequence[Verdict] = ()) -> dict[str, Any]:
    """Describe a report; `schema_version` changes when a key changes its meaning."""
    return {
        "schema_version": SCHEMA_VERSION,
        "chain": chain,
        "load": _load(report.plan),
        "result": _result(report.outcome),
        "hops": [_hop(hop) for hop in report.hops.hops],
        "traced_requests": report.hops.requests,
        "usage": [_usage(usage) for usage in report.usages],
        "bottleneck": report.usages[0].chainlet if report.usages and report.usages[0].limits else None,
        "advice": {
            "rate": report.target_rate,
            "utilisation": float(TARGET),
            "chainlets": [_advice(advice) for advice in report.advice],
        },
        "assertions": [_verdict(verdict) for verdict in verdicts],
        "silent": list(report.silent),
    }


def _load(plan: LoadPlan) -> dict[str, Any]:
    return {
        "url": plan.url,
        "loop": "closed" if plan.rate is None else "open",
        "clients": plan.clients,
        "rate": plan.rate,
        "arrivals": None if plan.rate is None else plan.arrivals,
        "duration_sec": plan.duration_sec,
        "warmup_sec": plan.warmup_sec,
        "inputs": len(plan.bodies),
    }


def _result(outcome: Outcome) -> dict[str, Any]:
    return {
        "requests": outcome.requests,
        "seconds": outcome.seconds,
        "rate": outcome.rate,
        "latency_ms": _summary(outcome.latencies_ns),
        "unqueued_ms": _summary(outcome.services_ns),
        "errors": outcome.errors,
        "error_share": outcome.error_share,
        "failures": [
            {"status": failure.status or None, "kind": failure.kind, "count": count}
            for failure, count in outcome.failures.items()
        ],
        "generator_cpu_share": outcome.cpu_share,
        "interrupted": outcome.is_cut,
    }


def _summary(sorted_ns: Sequence[int]) -> dict[str, float] | None:
    found = summary(sorted_ns)
    return {name: ns / _NS_PER_MS for name, ns in found.values.items()} if found else None


def _hop(hop: Hop) -> dict[str, Any]:
    return {
        "chainlet": hop.name,
        "kind": "edge" if hop.is_edge else "chainlet",
        "caller": hop.caller or None,
        "calls_per_request": hop.per_request,
        "mean_ms": hop.total_ns / _NS_PER_MS,
        "parts_ms": {part: ns / _NS_PER_MS for part, ns in hop.parts.items()},
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "chainlet": usage.chainlet,
        "rate": usage.rate,
        "place_ms": usage.place_sec * _MS_PER_SEC,
        "cpu_ms": None if usage.means.cpu_sec is None else usage.means.cpu_sec * _MS_PER_SEC,
        "replicas": usage.means.replicas,
        "predict_concurrency": usage.means.concurrency or None,
        "utilisation": dict(usage.limits),
    }


def _advice(advice: Advice) -> dict[str, Any]:
    return {
        "chainlet": advice.chainlet,
        "rate": advice.rate,
        "at_once": advice.at_once,
        "places": advice.places,
        "cores": advice.cores,
        "replicas": advice.replicas,
        "predict_concurrency": advice.concurrency or None,
        "replicas_alone": advice.replicas_alone,
        "is_change": advice.is_change,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "assertion": verdict.assertion.text,
        "metric": verdict.assertion.metric,
        "is_kept": verdict.is_kept,
        "value": verdict.value,
        "bound": verdict.assertion.bound,
    }
