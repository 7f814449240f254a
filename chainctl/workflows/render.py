"""A BuildPlan and a directory in; every build context written out, as an engine would get it."""

from __future__ import annotations

import shutil
from pathlib import Path

from chainctl.build.context import ContextFile
from chainctl.build.plan import BuildPlan
from chainctl.errors import UsageError


def render_contexts(plan: BuildPlan, directory: Path) -> list[Path]:
    """Write `directory/<chainlet>/` for every image; returns the directories in the plan's order.

    Raises UsageError when a directory holds something already.
    """
    targets = [directory / name for name in _names(plan)]
    taken = [target for target in targets if not _is_free(target)]
    if taken:
        raise UsageError(f"{taken[0]} is not empty", hint="give an empty directory, or remove it first.")
    for image, target in zip(plan.images, targets, strict=True):
        for file in image.context.files:
            _write(target / file.path, file)
    return targets


def _names(plan: BuildPlan) -> list[str]:
    """One directory name an image; the tag tells apart those whose chainlets are called nearly the same."""
    names = [image.ref.repository.partition("/")[2] for image in plan.images]
    pairs = zip(names, plan.images, strict=True)
    return [name if names.count(name) == 1 else f"{name}-{image.ref.tag}" for name, image in pairs]


def _is_free(target: Path) -> bool:
    return not target.exists() or (target.is_dir() and not any(target.iterdir()))


def _write(path: Path, file: ContextFile) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(file.content, bytes):
        path.write_bytes(file.content)
    else:
        shutil.copyfile(file.content, path)
    path.chmod(file.mode)
