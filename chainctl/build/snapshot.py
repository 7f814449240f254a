"""The files that a build may need, with their digests, as one frozen value taken at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chainctl.build.context import ContextFile


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """A file that was there: where it is, hex sha256, whether it is executable."""

    source: str
    sha256: str
    is_executable: bool = False

    def placed_at(self, path: str) -> ContextFile:
        return ContextFile(path, self.sha256, Path(self.source), self.is_executable)


@dataclass(frozen=True, slots=True)
class SourceSnapshot:
    """What was read for a chain.

    `files` maps absolute paths to files; a file that the user's ignore rules exclude is not in it.
    `trees` maps absolute directories to their files by relative posix path. `texts` maps the
    absolute paths of requirements files, and of the files that they include, to their text.
    `runtime` holds chainctl's own container side by relative path.
    """

    files: Mapping[str, SnapshotFile]
    trees: Mapping[str, Mapping[str, SnapshotFile]]
    texts: Mapping[str, str]
    runtime: Mapping[str, SnapshotFile]
