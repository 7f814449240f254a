"""The files of a chain, as they serve and as they were saved, in; what differs between them out."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chainctl.deploy.release import Release
from chainctl.events import EditRefused
from chainctl.graph.graph import ChainGraph, ChainletSpec
from chainctl.watch.source_change import SourceChange, source_change
from chainctl.workflows.watch_controls import Files

Read = Callable[[str], bytes | None]
"""Return what is in a file now, None where there is none."""


@dataclass(slots=True)
class Served:
    """What serves: the release, the graph that it was made from, and the texts of its files by path."""

    release: Release
    graph: ChainGraph
    texts: dict[str, bytes]

    def files(
        self, spec: ChainletSpec, texts: Mapping[str, bytes], found: Mapping[str, bytes | None]
    ) -> Files:
        """Return what changed of a chainlet's Python files, by their paths in its image."""
        own = {file.source: file.path for file in spec.files if file.source.endswith(".py")}
        old = {file.source: file.path for file in self.graph.chainlet(spec.name).files}
        changed = {
            name: texts[path].decode()
            for path, name in own.items()
            if path in texts and texts[path] != self.texts.get(path)
        }
        gone = tuple(sorted(name for path, name in old.items() if path in found and found[path] is None))
        return Files(changed, gone)


def changes_of(
    old: Mapping[str, bytes], found: Mapping[str, bytes | None]
) -> dict[str, SourceChange] | EditRefused:
    """Compare Python files that both have, or say which of them is none."""
    changes = {}
    for path, text in found.items():
        if not path.endswith(".py") or path not in old:
            continue
        try:
            changes[path] = source_change(old[path].decode(), (text or b"").decode(), path)
        except SyntaxError as error:
            where = f"{path}:{error.lineno or 0}"
            return EditRefused(f"{where}: {error.msg}", ((error.text or "").rstrip(),) if error.text else ())
        except UnicodeDecodeError as error:
            return EditRefused(f"{path}: it is no UTF-8 text, at byte {error.start}")
        except ValueError as error:  # a null character
            return EditRefused(f"{path}: {error}")
    return changes


def trees_of(texts: Mapping[str, bytes]) -> dict[str, ast.Module]:
    """Read Python files. One that can not be read, which nobody imports then, is left out."""
    found = {}
    for path, text in texts.items():
        if path.endswith(".py"):
            try:
                found[path] = ast.parse(text)
            except (SyntaxError, ValueError):
                continue
    return found


def texts_of(graph: ChainGraph, read: Read) -> dict[str, bytes]:
    """Read all files that a chain is made from."""
    return came(graph, {}, read)


def came(graph: ChainGraph, known: Mapping[str, bytes], read: Read) -> dict[str, bytes]:
    """Read the files that a chain is made from and that were not known before."""
    configs = {spec.config_file for spec in graph.chainlets if spec.config_file}
    paths = ({file.source for spec in graph.chainlets for file in spec.files} | configs) - known.keys()
    found = {path: read(path) for path in sorted(paths)}
    return {path: text for path, text in found.items() if text is not None}
