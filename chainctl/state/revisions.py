"""Components as nodes in; their rows in the state's tables, out, and back. One transaction is the caller's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chainctl.components.node import Blob, Node, NodeKey
from chainctl.components.nodes import node_from, node_value
from chainctl.state.artifacts import ArtifactStore
from chainctl.state.values import Author, Job, JobStatus, Revision
from chainctl.version import __version__

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

READY, FAILED, REMOVE_FAILED, CREATE_FAILED = "ready", "failed", "remove-failed", "create-failed"
APPLYING = "applying"


@dataclass(frozen=True, slots=True)
class Head:
    """The revision of a component that counts. `owner` is the chain that it was applied with, "" for none."""

    id: int
    key: NodeKey
    version: int
    rev: int
    uuid: str
    hash: str
    breaking: str
    status: str
    owner: str
    is_created: bool


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one namespace, in a transaction."""

    connection: Connection
    namespace: str

    def head(self, key: NodeKey) -> Head | None:
        from chainctl.state.tables import head, revision

        query = (
            revision.join(head, revision.c.id == head.c.revision_id)
            .select()
            .where(*self._of(head, key))
            .with_only_columns(revision, head.c.status, head.c.owner)
        )
        row = self.connection.execute(query).one_or_none()
        return None if row is None else _head(row)

    def heads(self) -> list[Head]:
        from chainctl.state.tables import head, revision

        query = (
            revision.join(head, revision.c.id == head.c.revision_id)
            .select()
            .where(head.c.namespace == self.namespace)
            .with_only_columns(revision, head.c.status, head.c.owner)
            .order_by(revision.c.component, revision.c.identifier)
        )
        return [_head(row) for row in self.connection.execute(query)]

    def save(
        self, node: Node, before: Head | None, author: Author, owner: str, now: float, *, jobs: bool
    ) -> int:
        """Write a new revision with its jobs, edges and artifacts, and make it the one that counts."""
        from chainctl.state.tables import artifact_ref, edge, head, job, revision

        is_new_version = before is None or before.breaking != node.breaking
        version = (before.version if before else 0) + is_new_version
        is_created = before is not None and before.is_created and not is_new_version
        made = self.connection.execute(
            revision.insert().values(
                namespace=self.namespace, component=node.key.component, identifier=node.key.identifier,
                version=version, rev=self.last_rev(node.key) + 1, uuid=node.uuid, hash=node.hash,
                breaking=node.breaking, data=node.data, node=_text_of(node), is_created=is_created,
                created_at=now, user=author.user, host=author.host, source=author.source,
                source_revision=author.source_revision, tool_version=__version__,
            ).returning(revision.c.id)
        ).scalar_one()  # fmt: skip
        for place, trigger in enumerate(node.triggers):
            status, why = _first_status(is_wanted=trigger.is_wanted, jobs=jobs)
            self.connection.execute(
                job.insert().values(
                    revision_id=made, method=trigger.method, place=place, status=status, attempt=0,
                    depends_on=json.dumps(trigger.depends_on), result=None, error=why,
                )
            )  # fmt: skip
        for blob in node.blobs:
            self.connection.execute(artifact_ref.insert().values(revision_id=made, sha256=blob.sha256))
        self.connection.execute(edge.delete().where(*self._of(edge, node.key)))
        for child in dict.fromkeys(node.children):
            self.connection.execute(
                edge.insert().values(
                    namespace=self.namespace, component=node.key.component, identifier=node.key.identifier,
                    child_component=child.component, child_identifier=child.identifier,
                )
            )  # fmt: skip
        self.connection.execute(head.delete().where(*self._of(head, node.key)))
        self.connection.execute(
            head.insert().values(
                namespace=self.namespace, component=node.key.component, identifier=node.key.identifier,
                revision_id=made, status=APPLYING, reason="", owner=owner,
            )
        )  # fmt: skip
        return int(made)

    def last_rev(self, key: NodeKey) -> int:
        from sqlalchemy import func, select

        from chainctl.state.tables import revision

        query = select(func.max(revision.c.rev)).where(*self._of(revision, key))
        return int(self.connection.execute(query).scalar_one() or 0)

    def set_status(self, key: NodeKey, status: str, reason: str = "") -> None:
        from chainctl.state.tables import head

        self.connection.execute(
            head.update().where(*self._of(head, key)).values(status=status, reason=reason)
        )

    def set_created(self, revision_id: int) -> None:
        from chainctl.state.tables import revision

        self.connection.execute(revision.update().where(revision.c.id == revision_id).values(is_created=True))

    def jobs(self, head: Head) -> list[Job]:
        return self.jobs_of(head.id, head.key, head.rev)

    def jobs_of(self, revision_id: int, key: NodeKey, rev: int) -> list[Job]:
        """The jobs of a revision, in the order in which they run."""
        from chainctl.state.tables import job

        query = job.select().where(job.c.revision_id == revision_id).order_by(job.c.place)
        return [
            Job(
                key, rev, row.method, JobStatus(row.status), tuple(json.loads(row.depends_on)), row.attempt,
                None if row.result is None else json.loads(row.result), row.error or "",
                row.started_at, row.ended_at,
            )
            for row in self.connection.execute(query)
        ]  # fmt: skip

    def set_job(self, revision_id: int, method: str, **values: Any) -> None:
        from chainctl.state.tables import job

        mine = (job.c.revision_id == revision_id, job.c.method == method)
        self.connection.execute(job.update().where(*mine).values(**values))

    def parents(self, key: NodeKey) -> list[NodeKey]:
        """Those that refer to a component, sorted."""
        from chainctl.state.tables import edge

        query = edge.select().where(
            edge.c.namespace == self.namespace,
            edge.c.child_component == key.component,
            edge.c.child_identifier == key.identifier,
        )
        return sorted(NodeKey(row.component, row.identifier) for row in self.connection.execute(query))

    def node(self, revision_id: int, artifacts: ArtifactStore) -> Node:
        """Return a stored node with its blobs. Raises StateError when one of them is gone or was changed."""
        from chainctl.state.tables import revision

        row = self.connection.execute(revision.select().where(revision.c.id == revision_id)).one()
        value = {**json.loads(row.node), "data": row.data}
        return node_from(value, {name: artifacts.get(name) for name in value["blobs"]})

    def revisions(self, key: NodeKey) -> Iterator[tuple[int, Revision]]:
        """Yield all revisions of a component with their ids, newest first."""
        from chainctl.state.tables import head, revision

        status = self.connection.execute(head.select().where(*self._of(head, key))).one_or_none()
        query = revision.select().where(*self._of(revision, key)).order_by(revision.c.rev.desc())
        for row in self.connection.execute(query).all():
            is_head = status is not None and status.revision_id == row.id
            yield row.id, _revision(row, status.status if is_head and status else "replaced")

    def forget(self, key: NodeKey) -> None:
        """Delete all rows of a component."""
        from sqlalchemy import select

        from chainctl.state.tables import artifact_ref, edge, head, job, revision

        ids = select(revision.c.id).where(*self._of(revision, key))
        self.connection.execute(edge.delete().where(*self._of(edge, key)))
        self.connection.execute(head.delete().where(*self._of(head, key)))
        for table in (job, artifact_ref):
            self.connection.execute(table.delete().where(table.c.revision_id.in_(ids)))
        self.connection.execute(revision.delete().where(*self._of(revision, key)))

    def _of(self, table: Any, key: NodeKey) -> tuple[Any, ...]:
        return (
            table.c.namespace == self.namespace,
            table.c.component == key.component,
            table.c.identifier == key.identifier,
        )


def used_artifacts(connection: Connection) -> set[str]:
    """The digests that some revision of any namespace refers to."""
    from sqlalchemy import select

    from chainctl.state.tables import artifact_ref

    return set(connection.execute(select(artifact_ref.c.sha256).distinct()).scalars())


def with_blobs(nodes: Iterable[Node]) -> dict[str, Blob]:
    return {blob.sha256: blob for node in nodes for blob in node.blobs}


def _text_of(node: Node) -> str:
    value = node_value(node)
    del value["data"]  # which has a column of its own
    return json.dumps(value, sort_keys=True)


def _first_status(*, is_wanted: bool, jobs: bool) -> tuple[JobStatus, str | None]:
    if not is_wanted:
        return JobStatus.SKIPPED, "what it requires was not given"
    return (JobStatus.PENDING, None) if jobs else (JobStatus.SKIPPED, "not requested")


def _head(row: Row[Any]) -> Head:
    key = NodeKey(row.component, row.identifier)
    return Head(
        row.id, key, row.version, row.rev, row.uuid, row.hash, row.breaking, row.status, row.owner,
        row.is_created,
    )  # fmt: skip


def _revision(row: Row[Any], status: str) -> Revision:
    return Revision(
        NodeKey(row.component, row.identifier), row.version, row.rev, row.uuid, row.hash, status,
        row.created_at, Author(row.user, row.host, row.source, row.source_revision), json.loads(row.data),
    )  # fmt: skip
