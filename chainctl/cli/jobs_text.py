"""Components and their jobs in; one row a job, as text or JSON, out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainctl.cli.output import table
from chainctl.state.values import Job, Revision


def jobs_text(components: Sequence[Revision], jobs: Sequence[Job]) -> str:
    """Render components as a table: a line each, a line for each of their jobs, and what failed in full."""
    rows: list[list[str]] = []
    for component in components:
        rows.append([str(component.key), str(component.rev), component.status, "", ""])
        rows += [
            ["", "", str(job.status), job.method, _took(job)] for job in jobs if job.key == component.key
        ]
    text = table(["COMPONENT", "REVISION", "STATUS", "JOB", "TOOK"], rows) if rows else ""
    errors = [
        f"{job.key} {job.method}:\n" + "\n".join(f"  {line}" for line in job.error.strip().splitlines())
        for job in jobs
        if job.error and not job.status.is_done
    ]
    return "\n\n".join([text, *errors])


def jobs_json(components: Sequence[Revision], jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Describe components as JSON values."""
    return [
        {
            "component": component.key.component,
            "identifier": component.key.identifier,
            "version": component.version,
            "revision": component.rev,
            "uuid": component.uuid,
            "status": component.status,
            "applied_at": component.created_at,
            "user": component.author.user,
            "source": component.author.source,
            "source_revision": component.author.source_revision,
            "jobs": [_job(job) for job in jobs if job.key == component.key],
        }
        for component in components
    ]


def _job(job: Job) -> dict[str, Any]:
    return {
        "method": job.method,
        "status": str(job.status),
        "attempt": job.attempt,
        "result": job.result,
        "error": job.error,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
    }


def _took(job: Job) -> str:
    if job.started_at is None or job.ended_at is None:
        return ""
    return f"{job.ended_at - job.started_at:.1f}s"
