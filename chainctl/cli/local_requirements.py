"""A ChainGraph in; nothing out when this interpreter has what its chainlets require, an error else."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator

from packaging.requirements import InvalidRequirement, Requirement

from chainctl.errors import UsageError
from chainctl.graph.graph import ChainGraph
from chainctl.graph.requirements import requirement_texts


def require_installed(
    graph: ChainGraph, *, otherwise: str = ", or use containers: `--target docker`"
) -> None:
    """Check that local processes will find their requirements. Raises UsageError naming all that lack.

    `otherwise` is what can be done instead of installing them.
    """
    lacking: dict[str, list[str]] = {}
    for spec in graph.chainlets:
        for text in _missing(requirement_texts(spec.remote_config.docker_image)):
            lacking.setdefault(text, []).append(spec.name)
    if lacking:
        lines = [f"{text}: required by {', '.join(names)}" for text, names in sorted(lacking.items())]
        wanted = " ".join(f"'{text}'" for text in sorted(lacking))
        raise UsageError(
            "local processes run in this Python environment, which lacks requirements of the chain",
            hint=f"install them: `pip install {wanted}`{otherwise}.",
            details=lines,
        )


def _missing(texts: Iterator[str]) -> Iterator[str]:
    for text in texts:
        try:
            wanted = Requirement(text.split(" #")[0].strip())
        except InvalidRequirement:
            continue
        if not _is_installed(wanted):
            yield text


def _is_installed(wanted: Requirement) -> bool:
    if wanted.marker is not None and not wanted.marker.evaluate():
        return True
    try:
        version = importlib.metadata.version(wanted.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return wanted.url is not None or wanted.specifier.contains(version, prereleases=True)
