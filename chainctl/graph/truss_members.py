"""Classes that make Truss directories members of a chain in; what describes them out. Child interpreter only."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from chainctl.errors import ChainDefinitionError, Problem
from chainctl.graph.chain_file import TRUSS_CONFIG
from chainctl.sdk.chainlet import entrypoint_mark
from chainctl.sdk.subject import Subject, shown
from chainctl.truss.kinds import TrussChainlet

if TYPE_CHECKING:
    from chainctl.graph.truss_model import FoundModel

_DIR = "truss_dir"
_WRITTEN = 'write `truss_dir = "./speech"`, relative to this file'


def truss_members(classes: Iterable[type], entrypoint: object) -> dict[type, FoundModel]:
    """Describe those of a chain's classes that are Truss directories."""
    return {cls: _member(cls, entrypoint) for cls in classes if issubclass(cls, TrussChainlet)}


def _member(cls: type, entrypoint: object) -> FoundModel:
    from chainctl.graph.truss_directory import read_directory  # few chains need what reads them
    from chainctl.graph.truss_model import FoundModel, truss_model

    subject = Subject(cls)
    place = _place(subject)
    if isinstance(place, Problem):
        return FoundModel(None, (place,))
    if cls is entrypoint or entrypoint_mark(cls):
        problem = subject.at_class().problem(
            "CH1202",
            f"`{cls.__name__}` is a Truss directory, which others call: it cannot be the entrypoint",
            help=f"mark the chainlet that depends on it, or push the directory: `chainctl push {place}`",
        )
        return FoundModel(None, (problem,))
    try:
        return truss_model(read_directory(place), str(getattr(cls, "display_name", cls.__name__)))
    except ChainDefinitionError as error:
        return FoundModel(None, tuple(error.problems))


def _place(subject: Subject) -> Path | Problem:
    """The directory that a class names, relative to the file that does."""
    written = getattr(subject.cls, _DIR, None)
    if written is None:
        return subject.at_class().problem(
            "CH1202", f"`{subject.name}` names no Truss directory", help=_WRITTEN
        )
    at = subject.at(_DIR)
    if not isinstance(written, (str, Path)):
        return at.problem(
            "CH1202", f"`{subject.name}.truss_dir` is {shown(written)}, not a path", help=_WRITTEN
        )
    here = Path(sys.modules[subject.owner(_DIR).__module__].__file__ or "").resolve().parent
    place = (here / written).resolve()
    if (place / TRUSS_CONFIG).is_file():
        return place
    what = f"has no {TRUSS_CONFIG}" if place.is_dir() else "is no directory"
    return at.problem(
        "CH1202",
        f"`{subject.name}.truss_dir` names {str(written)!r}, which {what}",
        help=f"correct the path, which is relative to this file: {place}",
    )
