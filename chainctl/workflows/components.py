"""The components of a chain file in; applied around the chain's own release, before, as its gates, and after, out.

Order comes from references alone: what does not refer to the chain is there before it is built, a smoke
test that is a gate is passed before it gets traffic, all else that refers to it runs once it serves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from chainctl.components.node import Node, NodeKey, Runner
from chainctl.components.nodes import CHAIN, FoundComponent, bound
from chainctl.deploy.operations import PassGates
from chainctl.deploy.release import Release
from chainctl.errors import DeployError, JobsFailedError
from chainctl.events import Emit, Notice, OperationFinished, OperationStarted, PhaseStarted
from chainctl.state.db import Db
from chainctl.state.values import Action, ApplyResult, Author, Change, Job, JobStatus

_SMOKE_TEST = "chainctl.sdk.built_in:SmokeTest"
_SHOWN = 12


class ChainRunner(Runner, Protocol):
    """A Runner that knows what stands in the place of `this_chain()`, and which service to test."""

    def know(self, chain: Mapping[str, Any], service: str) -> None: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class Components:
    """What a push does with the components of its file. `prune` removes those that the file has no more."""

    db: Db
    found: Sequence[FoundComponent]
    runner: ChainRunner
    author: Author
    emit: Emit
    clock: Callable[[], float]
    prune: bool = False

    def before(self, release: Release) -> None:
        """Apply what does not refer to the chain. Raises JobsFailedError: nothing of the chain was touched."""
        self._apply(
            [one.node for one in self.found if not one.reaches_chain], release, "nothing was deployed"
        )

    def gates(self, release: Release) -> tuple[str, ...]:
        """Name the gates that a release passes whenever traffic is to flip to it."""
        return tuple(str(node.key) for node in self._gate_nodes(release))

    def pass_gates(self, release: Release, operation: PassGates, target: str) -> None:
        """Run the gates against a service without traffic. Raises DeployError when one is not passed.

        They run also when the same release passed them before: what was started since may be otherwise.
        """
        self.runner.know(_chain_of(release, target), operation.service)
        result = self._run(self._gate_nodes(release), release, rerun=True)
        if not result.is_ok:
            raise DeployError(
                _said(result),
                hint="no traffic went to the new release; correct it and push again.",
                details=_evidence(result),
            )

    def after(self, release: Release, target: str, number: int, url: str) -> None:
        """Apply what refers to the chain. Raises JobsFailedError: the release serves all the same."""
        chain = {**_chain_of(release, target), "release": number, "url": url}
        self.runner.know(chain, release.entrypoint)
        self._apply(
            [node for node in self._bound(release) if node.key in self._reaching()],
            release,
            f"release {number} serves",
        )
        self._tell_orphans(release.chain)

    def close(self) -> None:
        """End the child of the runner, and leave the database."""
        self.runner.close()
        self.db.close()

    def orphans(self, chain: str) -> tuple[NodeKey, ...]:
        """Components that were applied with the chain, and that its file no longer has."""
        kept = {one.node.key for one in self.found}
        return tuple(key for key in self.db.owned_by(chain) if key not in kept)

    def plan(self, release: Release) -> tuple[Change, ...]:
        """Say what applying would do. Writes nothing."""
        changes = self.db.plan_nodes(self._bound(release))
        removed = self.orphans(release.chain) if self.prune else ()
        return (*changes, *(Change(key, Action.REMOVE, 0, 0, "no longer in the file") for key in removed))

    def planned(self, release: Release) -> tuple[tuple[str, str], ...]:
        """Pairs of what and how it is, for a plan file: each component, and what `--prune` removes."""
        removed = ", ".join(map(str, self.orphans(release.chain))) if self.prune else ""
        pruned = [("what --prune removes", removed)] if removed else []
        return (*((f"the component {node.key}", node.hash[:16]) for node in self._bound(release)), *pruned)

    def revisions(self, release: Release) -> tuple[tuple[str, str, int], ...]:
        """Name the revisions that count once all is applied: class, identifier, number."""
        changes = self.db.plan_nodes(self._bound(release))
        return tuple((c.key.component, c.key.identifier, c.rev) for c in changes)

    def is_settled(self, release: Release) -> bool:
        """Say whether there is nothing to do for a release, and nothing to tell."""
        is_kept = all(change.action is Action.KEEP for change in self.plan(release))
        return is_kept and not self.orphans(release.chain)

    def _apply(self, nodes: Sequence[Node], release: Release, consequence: str) -> None:
        if not nodes:
            return
        require_done(self._run(nodes, release), consequence)

    def _run(self, nodes: Sequence[Node], release: Release, *, rerun: bool = False) -> ApplyResult:
        if rerun or any(change.action is not Action.KEEP for change in self.db.plan_nodes(nodes)):
            self.emit(PhaseStarted("Components"))
        teller = _Teller(self.emit, self.clock)
        return self.db.apply_nodes(
            nodes, self.runner, owner=release.chain, rerun=rerun, author=self.author, told=teller.told
        )

    def _bound(self, release: Release) -> tuple[Node, ...]:
        key = NodeKey(CHAIN.component, release.chain)
        return bound((one.node for one in self.found), key, release.digest)

    def _reaching(self) -> set[NodeKey]:
        return {one.node.key for one in self.found if one.reaches_chain}

    def _gate_nodes(self, release: Release) -> tuple[Node, ...]:
        """Smoke tests that are gates, and refer to nothing else that needs the chain."""
        reaching = self._reaching()
        return tuple(
            node
            for node in self._bound(release)
            if is_gate(node) and node.key in reaching and not reaching & set(node.children)
        )

    def _tell_orphans(self, chain: str) -> None:
        orphans = self.orphans(chain)
        if orphans and self.prune:
            removed = self.db.remove_keys(orphans, self.runner)
            self.emit(Notice(f"Removed {', '.join(map(str, removed))}: no longer in the file."))
        elif orphans:
            shown = ", ".join(map(str, orphans))
            self.emit(
                Notice(f"No longer in the file, but still applied: {shown}. `--prune` removes what is.")
            )


@dataclass(slots=True)
class _Teller:
    """Tells jobs as steps, with their time."""

    emit: Emit
    clock: Callable[[], float]
    started: dict[str, float] = field(default_factory=dict)

    def told(self, key: NodeKey, method: str, status: JobStatus) -> None:
        line = f"{key} {method}"
        if status is JobStatus.RUNNING:
            self.started[line] = self.clock()
            self.emit(OperationStarted(line))
        elif status is JobStatus.SUCCESS:
            self.emit(OperationFinished(line, self.clock() - self.started.pop(line, self.clock())))
        else:
            self.emit(Notice(f"{line}: {status}"))


def require_done(result: ApplyResult, consequence: str) -> None:
    """Raise JobsFailedError when a job is not done; `consequence` says what that means for the chain."""
    if not result.is_ok:
        raise JobsFailedError(
            f"{_said(result)}; {consequence}",
            hint="correct it and push again: finished jobs are not repeated.",
            details=_evidence(result),
        )


def is_gate(node: Node) -> bool:
    """Say whether a node is a smoke test that stands before traffic."""
    data = json.loads(node.data)
    return data.get("_path") == _SMOKE_TEST and data.get("gate") is True


def change_line(change: Change) -> str:
    """One line of a plan's text for a component: a sign, what, and why."""
    sign = {Action.CREATE: "+", Action.UPDATE: "~", Action.RESUME: "~", Action.KEEP: "=", Action.REMOVE: "-"}
    jobs = f" (runs {', '.join(change.jobs)})" if change.jobs else ""
    reason = f": {change.reason}" if change.reason else ""
    return f"{sign[change.action]} {change.key}{jobs}{reason}"


def _chain_of(release: Release, target: str) -> dict[str, Any]:
    return {"identifier": release.chain, "target": target, "digest": release.digest}


def _said(result: ApplyResult) -> str:
    failed = [f"{job.key}.{job.method}" for job in result.failed] or [
        str(job.key) for job in result.jobs if not job.status.is_done
    ]
    blocked = sum(job.status is JobStatus.BLOCKED for job in result.jobs)
    wait = "waits" if blocked == 1 else "wait"
    more = f", and {blocked} more {wait} for it" if blocked and result.failed else ""
    return f"{', '.join(dict.fromkeys(failed))} failed{more}"


def _evidence(result: ApplyResult) -> list[str]:
    """The last lines of what each failed job raised."""
    lines: list[str] = []
    for job in _with_errors(result):
        lines += [
            f"{job.key} {job.method}:",
            *(f"  {line}" for line in job.error.strip().splitlines()[-_SHOWN:]),
        ]
    return lines


def _with_errors(result: ApplyResult) -> Sequence[Job]:
    return result.failed or [job for job in result.jobs if job.error and not job.status.is_done][:1]
