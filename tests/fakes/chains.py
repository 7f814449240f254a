"""Names, edges and files in; the graphs, snapshots and releases that tests work on out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from chainctl.build.plan import plan_build
from chainctl.build.settings import BuildSettings
from chainctl.build.snapshot import SnapshotFile, SourceSnapshot
from chainctl.deploy.compose_release import compose_release
from chainctl.deploy.release import FrontDoor, Release
from chainctl.deploy.settings import DeploySettings
from chainctl.events import Event
from chainctl.graph.graph import ChainGraph, ChainletSpec, Edge, SourceFileRef

ROOT = "/project"


def chainlet(
    name: str, *, files: Iterable[str] = ("chain.py",), config: Mapping[str, Any] | None = None
) -> ChainletSpec:
    """A chainlet of the class `name` in `/project/chain.py`; `files` are relative to the project."""
    return ChainletSpec(
        name=name,
        class_name=name,
        module="chain",
        qualname=name,
        path=f"{ROOT}/chain.py",
        line=1,
        config=config or {},
        is_async=True,
        is_stream=False,
        input_schema={},
        output_schema={},
        files=tuple(SourceFileRef(file, f"{ROOT}/{file}") for file in sorted(files)),
    )


def graph_of(
    calls: Mapping[str, Iterable[str]],
    *,
    entrypoint: str | None = None,
    specs: Iterable[ChainletSpec] = (),
    chain: str = "shop",
) -> ChainGraph:
    """A graph by "who calls whom"; the first caller is the entrypoint. `specs` replace plain chainlets."""
    given = {spec.name: spec for spec in specs}
    edges = [Edge(caller, callee, callee.lower(), 1, 600.0) for caller in calls for callee in calls[caller]]
    return ChainGraph(
        chain=chain,
        root=ROOT,
        path=f"{ROOT}/chain.py",
        entrypoint=entrypoint or next(iter(calls)),
        chainlets=tuple(given.get(name, chainlet(name)) for name in sorted(calls)),
        edges=tuple(sorted(edges, key=lambda e: (e.caller, e.argument))),
    )


def snapshot_file(path: str, content: str = "", *, is_executable: bool = False) -> SnapshotFile:
    return SnapshotFile(path, hashlib.sha256(content.encode()).hexdigest(), is_executable)


def snapshot_of(
    files: Mapping[str, str] | None = None,
    *,
    trees: Mapping[str, Mapping[str, str]] | None = None,
    texts: Mapping[str, str] | None = None,
) -> SourceSnapshot:
    """A snapshot of files that exist nowhere; paths relative to the project, contents as text."""
    given = {"chain.py": "# chain\n"} if files is None else files
    return SourceSnapshot(
        files={_absolute(path): snapshot_file(_absolute(path), text) for path, text in given.items()},
        trees={
            directory: {path: snapshot_file(f"{directory}/{path}", text) for path, text in tree.items()}
            for directory, tree in (trees or {}).items()
        },
        texts=dict(texts or {}),
        runtime={"__init__.py": snapshot_file("/runtime/__init__.py", "runtime")},
    )


def _absolute(path: str) -> str:
    return path if path.startswith("/") else f"{ROOT}/{path}"


def release_of(
    graph: ChainGraph,
    snapshot: SourceSnapshot | None = None,
    settings: DeploySettings | None = None,
    fingerprints: Mapping[str, str] | None = None,
    *,
    front_door: FrontDoor | None = None,
) -> Release:
    """The release of a graph as a push would make it."""
    images = plan_build(graph, graph.chain, snapshot or snapshot_of(), BuildSettings())
    wanted = settings or DeploySettings(front_door=front_door or FrontDoor())
    return compose_release(graph, graph.chain, images, wanted, fingerprints or {})


def silent(_event: Event) -> None:
    """Hear an event and say nothing."""


def still_clock() -> float:
    """The same moment, always."""
    return 1_000_000.0
