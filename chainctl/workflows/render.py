"""A BuildPlan and a directory in; every build context written out, as an engine would get it."""

from __future__ import annotations

import shutil
from pathlib import Path

from chainctl.build.context import ContextFile
from chainctl.build.plan import BuildPlan
from chainctl.errors import UsageError


def render_contexts(plan: BuildPlan, directory: Path) -> list[Path]:
    """Write `directory/<chainlet>/` for every image; returns the directories, sorted.

    Raises UsageError when a directory holds something already.
    """
    targets = [directory / image.ref.repository.partition("/")[2] for image in plan.images]
    taken = [target for target in targets if target.exists() and any(target.iterdir())]
    if taken:
        raise UsageError(f"{taken[0]} is not empty", hint="give an empty directory, or remove it first.")
    for image, target in zip(plan.images, targets, strict=True):
        for file in image.context.files:
            _write(target / file.path, file)
    return targets


def _write(path: Path, file: ContextFile) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(file.content, bytes):
        path.write_bytes(file.content)
    else:
        shutil.copyfile(file.content, path)
    path.chmod(file.mode)
