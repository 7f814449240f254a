"""What the state tells of components and their jobs, as frozen values."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chainctl.components.node import NodeKey


class JobStatus(enum.StrEnum):
    """Where a trigger's run stands. A skipped one counts as done."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    BLOCKED = "blocked"
    INTERRUPTED = "interrupted"

    @property
    def is_done(self) -> bool:
        return self in (JobStatus.SUCCESS, JobStatus.SKIPPED)


class Action(enum.StrEnum):
    """What applying does to a component."""

    CREATE = "create"
    UPDATE = "update"
    RESUME = "resume"
    KEEP = "keep"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something, where, and from which source: the audit trail."""

    user: str = ""
    host: str = ""
    source: str = ""
    source_revision: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One trigger of one revision. `error` is a traceback, times are seconds since the epoch."""

    key: NodeKey
    rev: int
    method: str
    status: JobStatus
    depends_on: tuple[str, ...] = ()
    attempt: int = 0
    result: Any = None
    error: str = ""
    started_at: float | None = None
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """One state of a component as it was applied. `hash` is of what it is, `uuid` of its version."""

    key: NodeKey
    version: int
    rev: int
    uuid: str
    hash: str
    status: str
    created_at: float
    author: Author
    data: Mapping[str, Any]

    @property
    def huuid(self) -> str:
        return f"{self.key}:{self.uuid}"


@dataclass(frozen=True, slots=True)
class Change:
    """What applying does, or has done, to one component, and why; `jobs` are the triggers to run."""

    key: NodeKey
    action: Action
    version: int
    rev: int
    reason: str = ""
    jobs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """What applying has done. `is_ok` says that every job is done, of these and of earlier times."""

    changes: tuple[Change, ...]
    jobs: tuple[Job, ...]

    @property
    def is_ok(self) -> bool:
        return all(job.status.is_done for job in self.jobs)

    @property
    def failed(self) -> tuple[Job, ...]:
        return tuple(job for job in self.jobs if job.status is JobStatus.FAILED)
