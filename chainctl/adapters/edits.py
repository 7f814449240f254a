"""The files of a chain in; sets of those that were edited, as it happens, out."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from chainctl.graph.graph import ChainGraph

if TYPE_CHECKING:
    import watchfiles

_LOOK_MS = 100
_QUIET_MS = 50
_LONGEST_MS = 400


class Edits:
    """Notices edits from when it is made, also while nobody waits for them.

    Directories are watched, so that editors which write by renaming are seen; what else changes in them
    (caches, locks, logs) is not told.
    """

    def __init__(self, graph: ChainGraph) -> None:
        self._pending: frozenset[Path] = frozenset()
        self._watch(graph)

    def wait(self) -> frozenset[Path]:
        """Return what was edited, added or removed, some milliseconds after the last of it."""
        found, self._pending = self._pending, frozenset()
        while not found:
            found = self._next()
        return found

    def follow(self, graph: ChainGraph) -> None:
        """Watch the files that a chain has now; what was edited meanwhile is not lost."""
        self._known = _files(graph)
        if _directories(graph) != self._directories:
            self._pending |= self._next()
            self._changes.close()
            self._watch(graph)

    def _watch(self, graph: ChainGraph) -> None:
        import watchfiles  # takes as long to import as many a command runs

        self._known = _files(graph)
        self._directories = _directories(graph)
        self._changes: Generator[set[tuple[watchfiles.Change, str]], None, None] = watchfiles.watch(
            *self._directories,
            watch_filter=lambda _change, path: self._matters(path),
            recursive=False,
            debounce=_LONGEST_MS,
            step=_QUIET_MS,
            rust_timeout=_LOOK_MS,
            yield_on_timeout=True,
        )
        self._pending |= self._next()  # only from the first look on anything is noticed

    def _next(self) -> frozenset[Path]:
        return frozenset(Path(path) for _, path in next(self._changes))

    def _matters(self, path: str) -> bool:
        return path.endswith(".py") or Path(path) in self._known


def _files(graph: ChainGraph) -> frozenset[Path]:
    """The files that images are made of, besides what is in directories of data."""
    images = [spec.remote_config.docker_image for spec in graph.chainlets]
    required = (path for image in images for path in (image.requirements_file, image.pip_requirements_file))
    named = (path.path for path in required if path is not None)
    sources = (Path(file.source) for spec in graph.chainlets for file in spec.files)
    return frozenset([*sources, *named])


def _directories(graph: ChainGraph) -> list[Path]:
    return sorted({path.parent for path in _files(graph) if path.parent.is_dir()})
