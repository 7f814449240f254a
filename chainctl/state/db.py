"""A database and an artifact store in; the connection that components are applied to, out."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from chainctl.components.live import LiveRunner, components_below
from chainctl.components.load import loaded
from chainctl.components.node import Node, NodeKey, Runner
from chainctl.components.nodes import CHAIN, beside, nodes_of
from chainctl.errors import ChainctlError, CleanupError, ComponentError, InUseError, NotFoundError
from chainctl.sdk.built_in import ChainDeployment
from chainctl.sdk.component import Component, state_of
from chainctl.state.applying import Applying, Told, change_of, untold
from chainctl.state.artifacts import ArtifactStore
from chainctl.state.database import Database
from chainctl.state.lease import Lease, Locks, user_name
from chainctl.state.revisions import REMOVE_FAILED, Rows, used_artifacts
from chainctl.state.values import ApplyResult, Author, Change, Job, Revision

Deploy = Callable[[ChainDeployment], Change]
"""Pushes a chain from its file, gives it its outputs, and says what that changed."""

SCOPE = "components"
_YOUNG_SEC = 3600.0


class Db:
    """Components as they were applied: their revisions, jobs and artifacts, in one namespace.

    Of what it stores only `load`, `remove` and `rollback` make components again, which runs their code.
    """

    def __init__(
        self,
        database: Database,
        artifact_store: ArtifactStore,
        namespace: str = "default",
        author: Author | None = None,
        deploy: Deploy | None = None,
    ) -> None:
        self._deploy = deploy
        self.metadata = database
        self.artifact_store = artifact_store
        self.namespace = namespace
        self._author = author or Author(user_name(), socket.gethostname())
        self._locks = Locks(database, namespace)

    @property
    def databackend(self) -> Database:
        """Where rows are kept; the seed's name for it."""
        return self.metadata

    # --- components ---

    def apply(
        self, component: Component, *, jobs: bool = True, wait: float = 0.0, rerun: bool = False
    ) -> ApplyResult:
        """Store a component and all that it refers to, and run the triggers of what changed or was not done.

        A chain among them that names its file is pushed first. `wait` is how many seconds to wait for somebody
        else's lock. Raises EncodeError before anything is written, LockHeldError, StateError, and what a push
        raises. What a trigger raised is in its job.
        """
        _require_component(component)
        below = dict(components_below(component))
        nodes = _own(nodes_of(component), component)
        pushed = [
            self._pushed(below.pop(key), key) for key in [k for k in below if k.component == CHAIN.component]
        ]
        nodes = beside(nodes, {change.key: f"release {change.rev}" for change in pushed})
        with LiveRunner(below.values(), load=self._loaded) as runner:
            for each in below.values():
                state_of(each).db = self
            done = self.apply_nodes(nodes, runner, jobs=jobs, wait=wait, rerun=rerun)
        for key, each in below.items():
            self._tell(each, key)
        return replace(done, changes=(*pushed, *done.changes))

    def _pushed(self, chain: Component, key: NodeKey) -> Change:
        """Push a chain. Raises ComponentError when it names no file, or nobody here can push."""
        assert isinstance(chain, ChainDeployment)
        if self._deploy is None or chain.file is None:
            raise ComponentError(
                f"{key} does not say what to push",
                hint=f'name its file: `ChainDeployment("{chain.identifier}", file="chain.py")`.',
            )
        return self._deploy(chain)

    def plan(self, component: Component) -> tuple[Change, ...]:
        """Return what `apply` would do. Writes nothing."""
        _require_component(component)
        nodes = _own(nodes_of(component), component)
        chain = next(
            (each for key, each in components_below(component).items() if key.component == CHAIN.component),
            None,
        )
        if chain is not None:
            raise ComponentError(
                f"what applying {chain!r} would do is not known before it is loaded and looked at",
                hint="`chainctl plan FILE` tells what a push would do.",
            )
        return self.plan_nodes(nodes)

    def load(
        self,
        component: str | None = None,
        identifier: str | None = None,
        version: int | None = None,
        revision: int | None = None,
        *,
        huuid: str | None = None,
    ) -> Component:
        """Make a stored component again: the last one, or that of a version or revision. Runs its code.

        Raises NotFoundError, StateError for an artifact that was changed, DecodeError.
        """
        if huuid is not None:
            component, identifier, uuid = _parts_of(huuid)
        if component is None or identifier is None:
            raise ComponentError("say which component to load", hint='`db.load("Notify", "ops")`.')
        key = NodeKey(component, identifier)
        with self.metadata.reading() as connection:
            rows = Rows(connection, self.namespace)
            known = tuple(rows.revisions(key))
            for id_, found in known:
                is_version = version in (None, found.version) and revision in (None, found.rev)
                if is_version and (huuid is None or found.uuid == uuid):
                    made = self._loaded(rows.node(id_, self.artifact_store))
                    self._tell(made, key)
                    return made
        if not known:
            raise NotFoundError(f"{key} is not in the state", hint="`db.show()` lists what is.")
        wanted = [f"version {version}"] if version is not None else []
        wanted += [f"revision {revision}"] if revision is not None else []
        raise NotFoundError(
            f"{key} has no {' with '.join(wanted) or f'version with the uuid {uuid!r}'}",
            hint=f'`db.history("{component}", "{identifier}")` lists its revisions.',
        )

    def rollback(
        self, component: str, identifier: str, to: int | None = None, *, wait: float = 0.0
    ) -> ApplyResult:
        """Apply an older revision as a new one; by default the one before the last."""
        key = NodeKey(component, identifier)
        with self.metadata.reading() as connection:
            rows = Rows(connection, self.namespace)
            found = list(rows.revisions(key))
            older = [one for one in found[1:] if to in (None, one[1].rev)]
            if not older:
                raise NotFoundError(
                    f"{key} has no {'older revision' if to is None else f'revision {to} to go back to'}",
                    hint=f'`db.history("{component}", "{identifier}")` lists them.',
                )
            node = rows.node(older[0][0], self.artifact_store)
        with LiveRunner(load=self._loaded) as runner:
            return self.apply_nodes((node,), runner, wait=wait)

    def remove(
        self,
        component: str,
        identifier: str,
        *,
        recursive: bool = False,
        force: bool = False,
        wait: float = 0.0,
    ) -> tuple[NodeKey, ...]:
        """Run `cleanup` and forget a component; `recursive` first those that refer to it.

        Raises InUseError naming those; what `cleanup` raised as ComponentError, and the component stays
        as "remove-failed", unless `force`. Returns what was removed.
        """
        with LiveRunner(load=self._loaded) as runner:
            return self.remove_keys(
                [NodeKey(component, identifier)], runner, recursive=recursive, force=force, wait=wait
            )

    # --- what the state has: never runs anything of it ---

    def show(
        self, component: str | None = None, identifier: str | None = None, version: int | None = None
    ) -> tuple[Revision, ...]:
        """Return components as they count now; of one, the revision of a version."""
        with self.metadata.reading() as connection:
            rows = Rows(connection, self.namespace)
            found = []
            for head in rows.heads():
                if component in (None, head.key.component) and identifier in (None, head.key.identifier):
                    revisions = (one for _, one in rows.revisions(head.key))
                    chosen = next((r for r in revisions if version in (None, r.version)), None)
                    found += [chosen] if chosen else []
            return tuple(found)

    def history(self, component: str, identifier: str) -> tuple[Revision, ...]:
        """Return all revisions of a component, newest first."""
        with self.metadata.reading() as connection:
            rows = Rows(connection, self.namespace)
            return tuple(one for _, one in rows.revisions(NodeKey(component, identifier)))

    def jobs(self, component: str | None = None, identifier: str | None = None) -> tuple[Job, ...]:
        """Return the jobs of components as they count now."""
        with self.metadata.reading() as connection:
            rows = Rows(connection, self.namespace)
            return tuple(
                job
                for head in rows.heads()
                if component in (None, head.key.component) and identifier in (None, head.key.identifier)
                for job in rows.jobs(head)
            )

    def owned_by(self, owner: str) -> tuple[NodeKey, ...]:
        """The components that were applied with a chain."""
        with self.metadata.reading() as connection:
            heads = Rows(connection, self.namespace).heads()
            return tuple(
                head.key for head in heads if head.owner == owner and head.key.component != CHAIN.component
            )

    def differing(self, revisions: Iterable[tuple[str, str, int]]) -> tuple[Node, ...]:
        """Return the stored nodes of revisions that are not what counts now, in the order given.

        Raises StateError when one of their artifacts is gone or was changed; one that was removed since
        is left out: its revisions went with it.
        """
        found = []
        with self.metadata.reading() as connection:
            rows = Rows(connection, self.namespace)
            for component, identifier, rev in revisions:
                key = NodeKey(component, identifier)
                head = rows.head(key)
                for id_, revision in rows.revisions(key):
                    if revision.rev == rev and (head is None or head.hash != revision.hash):
                        found.append(rows.node(id_, self.artifact_store))
        return tuple(found)

    # --- the engine, for those who have nodes ---

    def plan_nodes(self, nodes: Sequence[Node]) -> tuple[Change, ...]:
        with self.metadata.reading() as connection:
            rows = Rows(connection, self.namespace)
            return tuple(change_of(node, rows) for node in nodes)

    def apply_nodes(
        self,
        nodes: Sequence[Node],
        runner: Runner,
        *,
        owner: str = "",
        jobs: bool = True,
        wait: float = 0.0,
        rerun: bool = False,
        author: Author | None = None,
        told: Told = untold,
    ) -> ApplyResult:
        """Store nodes, children first, and run their jobs. `owner` is the chain that they belong to."""
        with self._locked(wait) as lease:
            applying = Applying(
                self.metadata, self.artifact_store, self.namespace, lease, author or self._author, owner, told
            )
            return applying.apply(nodes, runner, jobs=jobs, rerun=rerun)

    def remove_keys(
        self,
        keys: Iterable[NodeKey],
        runner: Runner,
        *,
        recursive: bool = False,
        force: bool = False,
        wait: float = 0.0,
    ) -> tuple[NodeKey, ...]:
        """Remove components, those that refer to others first."""
        with self._locked(wait) as lease:
            ordered = self._ordered(list(keys), recursive=recursive)
            for key in ordered:
                self._remove(key, runner, lease, force=force)
        return tuple(ordered)

    def gc(self, *, young_sec: float = _YOUNG_SEC) -> tuple[str, ...]:
        """Delete artifacts that no revision refers to, but for those that were put just now."""
        with self._locked(0.0), self.metadata.reading() as connection:
            used = used_artifacts(connection)
            unused = [name for name in self.artifact_store.older_than(young_sec) if name not in used]
            for name in unused:
                self.artifact_store.delete(name)
        return tuple(unused)

    def unlock(self, token: str) -> str:
        """Take a lock away from a holder that is gone for good; returns what it was on. Raises StateError."""
        return self._locks.unlock(token)

    def close(self) -> None:
        self.metadata.close()

    def __enter__(self) -> Db:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _locked(self, wait: float) -> AbstractContextManager[Lease]:
        return self._locks.held(SCOPE, wait_sec=wait)

    def _loaded(self, node: Node) -> Component:
        made = loaded(node)
        state_of(made).db = self
        return made

    def _tell(self, component: Component, key: NodeKey) -> None:
        """Let a component know where it stands."""
        with self.metadata.reading() as connection:
            head = Rows(connection, self.namespace).head(key)
        state = state_of(component)
        state.db = self
        if head is not None:
            state.version, state.status = head.version, head.status

    def _ordered(self, keys: list[NodeKey], *, recursive: bool) -> list[NodeKey]:
        """Put those that refer to others before them. Raises NotFoundError, InUseError."""
        ordered: dict[NodeKey, None] = {}
        with self.metadata.reading() as connection:
            rows = Rows(connection, self.namespace)

            def place(key: NodeKey) -> None:
                if key in ordered:
                    return
                parents = [parent for parent in rows.parents(key) if parent != key]
                strangers = [parent for parent in parents if parent not in keys]
                if strangers and not recursive:
                    raise InUseError(
                        f"{key} is in use by {', '.join(map(str, strangers))}",
                        hint="remove those first, or all of them with `recursive`.",
                    )
                for parent in parents:
                    place(parent)
                ordered[key] = None

            for key in keys:
                if rows.head(key) is None:
                    raise NotFoundError(f"{key} is not in the state", hint="`db.show()` lists what is.")
                place(key)
        return list(ordered)

    def _remove(self, key: NodeKey, runner: Runner, lease: Lease, *, force: bool) -> None:
        with self.metadata.reading() as connection:
            rows = Rows(connection, self.namespace)
            head = rows.head(key)
            if head is None:
                return
            read: Callable[[], Node] = lambda: rows.node(head.id, self.artifact_store)  # noqa: E731
            try:
                runner.cleanup(read())
                failure = None
            except Exception as error:  # noqa: BLE001 - user code may raise anything
                failure = error
        with self.metadata.writing() as connection:
            lease.require(connection)
            rows = Rows(connection, self.namespace)
            if failure is None or force:
                rows.forget(key)
            else:
                rows.set_status(key, REMOVE_FAILED, str(failure))
        if failure is not None and not force:
            raise _not_cleaned_up(key, failure) from failure


def _own(nodes: tuple[Node, ...], component: Component) -> tuple[Node, ...]:
    """Refuse what needs a chain. Raises ComponentError."""
    if any(CHAIN in node.children for node in nodes):
        raise ComponentError(
            f"{component!r} refers to `this_chain()`, which is the chain of a file that is pushed",
            hint="declare it in the chain file and run `chainctl push`.",
        )
    return nodes


def _not_cleaned_up(key: NodeKey, failure: Exception) -> CleanupError:
    """What `cleanup` raised; a child interpreter says by itself whose it was, and adds the traceback."""
    said = failure.message if isinstance(failure, ChainctlError) else str(failure)
    is_told = isinstance(failure, ComponentError) and str(key) in said
    return CleanupError(
        said if is_told else f"`cleanup` of {key} raised {type(failure).__name__}: {said}",
        hint="correct it and remove it again, or `force` it: then it is forgotten as it is.",
        details=failure.details if isinstance(failure, ChainctlError) else (),
    )


def _parts_of(huuid: str) -> tuple[str, str, str]:
    """Take a huuid apart. Raises ComponentError."""
    component, _, rest = huuid.partition(":")
    identifier, _, uuid = rest.rpartition(":")
    if not (component and identifier and uuid):
        raise ComponentError(
            f"{huuid!r} is no huuid", hint="it is `TYPE:IDENTIFIER:UUID`, as `component.huuid` returns it."
        )
    return component, identifier, uuid


def _require_component(given: object) -> None:
    """Refuse anything else, before it is taken apart. Raises ComponentError."""
    if isinstance(given, type):
        name = given.__name__
        raise ComponentError(f"{name} is a class, no component", hint=f'make one: `{name}("name", …)`.')
    if not isinstance(given, Component):
        raise ComponentError(
            f"what was given is no component, but of the type {type(given).__name__}",
            hint="give an object of a class that derives from `chains.Component`.",
        )
