"""What a chainlet wrote before it failed in; the requirement that it lacks, as a problem, out. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from packaging.utils import canonicalize_name

from chainctl.deploy.release import Release
from chainctl.errors import Problem
from chainctl.graph.graph import ChainGraph, ChainletSpec
from chainctl.graph.requirements import distributions_of

_MISSING = re.compile(r"No module named '([\w.]+)'")
_FRAME = re.compile(r'([^"\s]*)/app/code/([^":]+\.py)"?(?:, line |:)(\d+)')


def missing_module(lines: Sequence[str], graph: ChainGraph, release: Release) -> Problem | None:
    """Find the module that an environment lacks, where it is imported, and what to ask for.

    `lines` are the failure and its traceback, whose paths are those of the chainlets' copied files. None
    when the failure is another one.
    """
    text = "\n".join(lines)
    module = next((m[1] for m in reversed(list(_MISSING.finditer(text)))), None)
    frame = next(reversed(list(_FRAME.finditer(text))), None)
    if module is None or frame is None:
        return None
    spec = _chainlet_of(frame[1], graph, release)
    if spec is None or any(file.path.split("/")[0].removesuffix(".py") == module for file in spec.files):
        return None
    root = module.partition(".")[0]
    wanted = min(map(canonicalize_name, distributions_of(root)))
    return Problem(
        "CH0602",
        f"`{spec.name}` imports `{module}`, and its environment has nothing that provides it",
        next((file.source for file in spec.files if file.path == frame[2]), spec.path),
        int(frame[3]),
        note="the environment has exactly what is locked for the chainlet, as its image has",
        help=f'add "{wanted}" to the `pip_requirements` of `{spec.name}`',
    )


def _chainlet_of(image: str, graph: ChainGraph, release: Release) -> ChainletSpec | None:
    """The chainlet whose image is in a directory that ends in `REPOSITORY/TAG`."""
    for service in release.services:
        if image.endswith("/" + service.image.replace(":", "/")):
            return graph.chainlet(service.chainlet)
    return None
