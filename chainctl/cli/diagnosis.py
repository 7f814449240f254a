"""Facts in; findings, in the order in which they are reported, and the exit code out. Looks at nothing itself."""

from __future__ import annotations

from collections.abc import Iterable

from chainctl.adapters.cluster_facts import ClusterSilence
from chainctl.adapters.host_facts import EngineFacts
from chainctl.cli.diagnosis_cluster import cluster_findings
from chainctl.cli.diagnosis_engine import engine_findings
from chainctl.cli.diagnosis_finding import Facts, Finding, Status
from chainctl.cli.diagnosis_host import host_findings, setup_findings
from chainctl.errors import ExitCode


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """Decide about every fact."""
    return (
        *setup_findings(facts),
        *engine_findings(facts),
        *cluster_findings(facts),
        *host_findings(facts),
    )


def exit_code(facts: Facts, findings: Iterable[Finding]) -> ExitCode:
    """0 when nothing failed, 6 when the engine or cluster that was asked for does not answer, else 1."""
    is_silent = facts.is_engine_needed and not isinstance(facts.engine, EngineFacts)
    if is_silent or isinstance(facts.cluster, ClusterSilence):
        return ExitCode.ENGINE_UNREACHABLE
    has_failed = any(finding.status is Status.FAIL for finding in findings)
    return ExitCode.FAILURE if has_failed else ExitCode.OK
