"""Nodes and a Runner in; the nodes stored, and their hooks and triggers run as jobs, out.

All rows are written before anything runs, in one transaction; so a command that is killed at any point
leaves rows that say what is left, and the same nodes, applied again, run that and nothing else.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from chainctl.components.node import Node, NodeKey, Runner
from chainctl.errors import ChainctlError, LockLostError, StateError
from chainctl.state.artifacts import ArtifactStore
from chainctl.state.database import Database
from chainctl.state.lease import Lease
from chainctl.state.revisions import CREATE_FAILED, FAILED, READY, Head, Rows
from chainctl.state.values import Action, ApplyResult, Author, Change, Job, JobStatus

Told = Callable[[NodeKey, str, JobStatus], None]
"""Hears of every job that changes: whose, which method, and where it stands now."""


def untold(_key: NodeKey, _method: str, _status: JobStatus) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class Applying:
    """What applying works with. `lease` is the lock that the caller holds."""

    database: Database
    artifacts: ArtifactStore
    namespace: str
    lease: Lease
    author: Author = field(default_factory=Author)
    owner: str = ""
    told: Told = untold

    def apply(
        self, nodes: Sequence[Node], runner: Runner, *, jobs: bool = True, rerun: bool = False
    ) -> ApplyResult:
        """Store what changed, children first, then run what is left to do.

        Raises StateError before anything is written when the state can not take it, LockLostError
        when somebody else has the lock by now. What a trigger raises is in its job.
        """
        changes = self._stored(nodes, jobs=jobs, rerun=rerun)
        bad: set[NodeKey] = set()
        done: list[Job] = []
        for node in nodes:
            is_blocked = any(child in bad for child in node.children)
            ran = self._run(node, runner, is_blocked=is_blocked)
            done += ran
            if not all(job.status.is_done for job in ran) or self._is_create_failed(node.key):
                bad.add(node.key)
        return ApplyResult(tuple(changes), tuple(done))

    # --- storing ---

    def _stored(self, nodes: Sequence[Node], *, jobs: bool, rerun: bool) -> list[Change]:
        """Write blobs first and all rows then: blobs that nothing refers to only take room."""
        with self.database.reading() as connection:
            rows = Rows(connection, self.namespace)
            changes = [change_of(node, rows, jobs=jobs, rerun=rerun) for node in nodes]
        changed = [
            node for node, change in zip(nodes, changes, strict=True)
            if change.action in (Action.CREATE, Action.UPDATE)
        ]  # fmt: skip
        for blob in {blob.sha256: blob for node in changed for blob in node.blobs}.values():
            if self.artifacts.put(blob.data) != blob.sha256:
                raise StateError(f"a blob is not what its name {blob.sha256[:12]} says")
        with self.database.writing() as connection:
            self.lease.require(connection)
            rows, now = Rows(connection, self.namespace), self.database.now(connection)
            for node in nodes:
                head = rows.head(node.key)
                if head is None or head.hash != node.hash:
                    rows.save(node, head, self.author, self.owner, now, jobs=jobs)
                elif jobs:
                    self._left_over(rows, head, rerun=rerun)
        return changes

    def _left_over(self, rows: Rows, head: Head, *, rerun: bool) -> None:
        """What was running when its command died was interrupted. Asked to, run all anew."""
        for job in rows.jobs(head):
            if job.status is JobStatus.RUNNING:
                rows.set_job(head.id, job.method, status=JobStatus.INTERRUPTED)
            if rerun and (job.status.is_done and not _is_not_wanted(job)):
                rows.set_job(head.id, job.method, status=JobStatus.PENDING, result=None, error=None)

    # --- running ---

    def _run(self, node: Node, runner: Runner, *, is_blocked: bool) -> list[Job]:
        head, jobs = self._read(node.key)
        left = [job for job in jobs if not job.status.is_done]
        if not left and (head.is_created or is_blocked):
            self._write(lambda rows: rows.set_status(node.key, READY))
            return jobs
        if is_blocked:
            self._block(head, left, "what it refers to is not ready")
        elif not head.is_created and (raised := self._create(node, head, runner)):
            self._block(head, left, f"`on_create` raised\n{raised}")
        else:
            for job in left:
                self._run_job(node, head, job, runner)
        head, jobs = self._read(node.key)
        is_ok = all(job.status.is_done for job in jobs) and head.is_created
        if head.status != CREATE_FAILED:
            self._write(lambda rows: rows.set_status(node.key, READY if is_ok else FAILED))
        return jobs

    def _create(self, node: Node, head: Head, runner: Runner) -> str:
        """Run `on_create`, once for each version; one that raised is tried again the next time.

        Returns what it raised, "" when it did not.
        """
        try:
            runner.create(node)
        except Exception as error:  # noqa: BLE001 - user code may raise anything
            reason = _shown(error)
            self._write(lambda rows: rows.set_status(node.key, CREATE_FAILED, reason))
            self.told(node.key, "on_create", JobStatus.FAILED)
            return reason

        def created(rows: Rows) -> None:
            rows.set_created(head.id)
            rows.set_status(node.key, "applying")

        self._write(created)
        return ""

    def _run_job(self, node: Node, head: Head, job: Job, runner: Runner) -> None:
        by_method = {one.method: one for one in self._read(node.key)[1]}
        if not all(by_method[needed].status.is_done for needed in job.depends_on):
            self._block(head, [job], f"waits for {', '.join(job.depends_on)}")
            return
        self._begin(head, job)
        try:
            result = json.dumps(runner.run(node, job.method))
        except KeyboardInterrupt:
            self._end(head, job, JobStatus.INTERRUPTED, error="interrupted")
            raise
        except LockLostError:
            raise
        except Exception as error:  # noqa: BLE001 - user code may raise anything
            self._end(head, job, JobStatus.FAILED, error=_shown(error))
            return
        self._end(head, job, JobStatus.SUCCESS, result=result)

    def _begin(self, head: Head, job: Job) -> None:
        def begin(rows: Rows) -> None:
            now = self.database.now(rows.connection)
            values = {"status": JobStatus.RUNNING, "attempt": job.attempt + 1, "error": None, "result": None}
            rows.set_job(head.id, job.method, **values, started_at=now, ended_at=None)

        self._write(begin)
        self.told(head.key, job.method, JobStatus.RUNNING)

    def _end(
        self, head: Head, job: Job, status: JobStatus, *, result: str | None = None, error: str | None = None
    ) -> None:
        def end(rows: Rows) -> None:
            now = self.database.now(rows.connection)
            rows.set_job(head.id, job.method, status=status, result=result, error=error, ended_at=now)

        self._write(end)
        self.told(head.key, job.method, status)

    def _block(self, head: Head, jobs: Sequence[Job], reason: str) -> None:
        def block(rows: Rows) -> None:
            for job in jobs:
                rows.set_job(head.id, job.method, status=JobStatus.BLOCKED, error=reason)

        self._write(block)
        for job in jobs:
            self.told(head.key, job.method, JobStatus.BLOCKED)

    def _is_create_failed(self, key: NodeKey) -> bool:
        return self._read(key)[0].status == CREATE_FAILED

    def _read(self, key: NodeKey) -> tuple[Head, list[Job]]:
        with self.database.reading() as connection:
            rows = Rows(connection, self.namespace)
            head = rows.head(key)
            if head is None:
                raise StateError(
                    f"{key} is no longer in the state", hint="somebody removed it; apply it again."
                )
            return head, rows.jobs(head)

    def _write(self, change: Callable[[Rows], None]) -> None:
        with self.database.writing() as connection:
            self.lease.require(connection)
            change(Rows(connection, self.namespace))


def change_of(node: Node, rows: Rows, *, jobs: bool = True, rerun: bool = False) -> Change:
    """Say what applying a node does. Writes nothing."""
    head = rows.head(node.key)
    wanted = tuple(t.method for t in node.triggers if t.is_wanted) if jobs else ()
    if head is None:
        return Change(node.key, Action.CREATE, 1, rows.last_rev(node.key) + 1, "new", wanted)
    if head.hash != node.hash:
        is_new_version = head.breaking != node.breaking
        reason = _differences(head, node, rows)
        return Change(node.key, Action.UPDATE, head.version + is_new_version, head.rev + 1, reason, wanted)
    stored = rows.jobs(head)
    left = tuple(job.method for job in stored if not job.status.is_done) if jobs else ()
    if rerun:
        left = tuple(job.method for job in stored if not _is_not_wanted(job))
    if left or not head.is_created:
        reason = "asked to run again" if rerun else "was not finished"
        return Change(node.key, Action.RESUME, head.version, head.rev, reason, left)
    return Change(node.key, Action.KEEP, head.version, head.rev)


def _differences(head: Head, node: Node, rows: Rows) -> str:
    """Name the fields that differ, without loading anything: loading would run code."""
    for id_, revision in rows.revisions(node.key):
        if id_ == head.id:
            old, new = _fields(revision.data), _fields(json.loads(node.data))
            names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
            if names:
                return f"{', '.join(names)} changed"
    return "its code or what it refers to changed"


def _fields(data: Mapping[str, object]) -> dict[str, str]:
    return {
        name: json.dumps(value, sort_keys=True) for name, value in data.items() if not name.startswith("_")
    }


def _is_not_wanted(job: Job) -> bool:
    return job.status is JobStatus.SKIPPED and job.error != "not requested"


def _shown(error: Exception) -> str:
    """The evidence: what user code that runs elsewhere said itself, else the traceback.

    Without what no database takes: lone surrogates and NUL.
    """
    if isinstance(error, ChainctlError):
        said = str(getattr(error, "traceback", ""))
        hint = [f"hint: {error.hint}"] if error.hint else []
        text = said or "\n".join([error.message, *error.details, *hint])
    else:
        text = "".join(traceback.format_exception(error))
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
