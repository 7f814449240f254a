"""A locked environment in; the files that install it in an image out."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from chainctl.build.context import ContextFile
from chainctl.build.lock import Environment, LockedPackage
from chainctl.build.snapshot import SourceSnapshot
from chainctl.templates import render

LOCKED = "locked.txt"


def locked_files(environment: Environment, snapshot: SourceSnapshot, root: str) -> list[ContextFile]:
    """Return the packages of an environment, those of this machine with their files, and what installs them.

    `root` is the directory of the lock, which paths in it are relative to.
    """
    values = {"indexes": environment.indexes, "find_links": environment.find_links}
    return [
        ContextFile.of_text("install.py", render("install.py.j2", values)),
        ContextFile.of_text(f"requirements/{LOCKED}", environment.requirements_text),
        *(file for package in environment.local_packages for file in _own_files(package, snapshot, root)),
    ]


def _own_files(package: LockedPackage, snapshot: SourceSnapshot, root: str) -> Iterator[ContextFile]:
    """The files of a package, at the place that its requirement names."""
    source = posixpath.normpath(posixpath.join(root, package.path))
    place = f"requirements/{package.requirement.partition('@ ./')[2]}"
    if source in snapshot.files:
        yield snapshot.files[source].placed_at(place)
    for path, file in snapshot.trees.get(source, {}).items():
        yield file.placed_at(f"{place}/{path}")
