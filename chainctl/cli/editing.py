"""A chain file in; what it says served after each save, until interrupted, out."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from chainctl.cli.console import Console, now
from chainctl.cli.watch_site import ChainSite
from chainctl.deploy.release import Release
from chainctl.errors import BuildError, ChainDefinitionError, DeployError, LockError
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.graph import ChainGraph
from chainctl.watch.ladder import inputs_of
from chainctl.wire.log_line import readable
from chainctl.workflows.watch import Watch, texts_of
from chainctl.workflows.watch_controls import ServiceControls

LOOK_MS = 500
_STEP_MS = 10
_DEBOUNCE_MS = 400
_LONG_MS = 3_600_000
_CORRECTABLE = (ChainDefinitionError, BuildError, DeployError, LockError)
_NEVER = (".git", "__pycache__", ".venv", "node_modules", ".mypy_cache", ".pytest_cache", ".ruff_cache")
_OWN = ("chainctl.lock",)


def watch_file(
    file: str, console: Console, *, target: str | None, name: str | None, secrets: Path | None
) -> None:
    """Push a chain, then serve every save of its files, until interrupted; what runs goes on then.

    Raises UsageError and EngineError; what users can correct is shown, and the next save tried.
    """
    site = ChainSite(file, console, target=target, name=name, secrets=secrets)
    release, graph = _first(site, console, ChainFile.parse(file))
    controls = ServiceControls(site.world.target, site.chain)
    watch = Watch(site, controls, console.emit, now)
    watch.begin(release, graph, texts_of(graph, site))
    assert site.pushed is not None
    sys.stdout.write(site.pushed.url + "\n")
    sys.stdout.flush()
    console.line("Watching. Ctrl-C ends that; what runs goes on.")
    threading.Thread(target=_print_logs, args=(site, console), daemon=True).start()
    try:
        for paths in saves(lambda: watched_places(watch.graph), LOOK_MS):
            if paths:
                watch.saved(paths)
            watch.look()
    finally:
        controls.close()


def watched_places(graph: ChainGraph) -> list[str]:
    """The directories that a chain is made from, none within another."""
    wanted = {graph.root, str(Path(graph.path).parent)}
    for spec in graph.chainlets:
        wanted |= {str(Path(file.source).parent) for file in spec.files}
        wanted |= {place if Path(place).is_dir() else str(Path(place).parent) for place in inputs_of(spec)}
    places = sorted(place for place in wanted if Path(place).is_dir())
    return [p for p in places if not any(p != q and Path(p).is_relative_to(q) for q in places)]


def saves(places: Callable[[], list[str]], timeout_ms: int) -> Iterator[set[str]]:
    """Yield the paths that were saved, those that come at once together; an empty set after each `timeout_ms`.

    `places` is asked again after each. What is saved while the caller is busy comes with the next set.
    """
    from watchfiles import watch

    while True:
        watched = places()
        for changes in watch(
            *watched,
            watch_filter=lambda _, path: is_source(path),
            debounce=_DEBOUNCE_MS,
            step=_STEP_MS,
            rust_timeout=timeout_ms,
            yield_on_timeout=True,
            raise_interrupt=True,
        ):
            yield {path for _, path in changes}
            if places() != watched:
                break


def is_source(path: str) -> bool:
    """Say whether a path may be of what users write, and not of what tools and our own runs write."""
    parts = Path(path).parts
    return not any(part in _NEVER for part in parts) and parts[-1] not in _OWN and not path.endswith(".pyc")


def _first(site: ChainSite, console: Console, file: ChainFile) -> tuple[Release, ChainGraph]:
    """Push; what is wrong with the chain is shown, and each save is a new attempt."""
    while True:
        try:
            graph = site.load()
            return site.push(), graph
        except _CORRECTABLE as error:
            console.failure(error)
            console.line("Waiting for the next save.")
        next(paths for paths in saves(lambda: [str(file.root)], _LONG_MS) if paths)


def _print_logs(site: ChainSite, console: Console) -> None:
    for line in site.world.logs.logs(site.chain, tail=0, follow=True):
        for text in readable([line.text]):
            console.line(f"  {line.chainlet} | {text}")
