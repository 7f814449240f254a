"""Two locks in; what changed from one to the other, one line each, out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chainctl.build.lock import Environment, Lock


def lock_changes(before: Lock, after: Lock) -> list[str]:
    """Describe changes of packages and base images: `+` new, `~` another version, `-` gone."""
    found: list[str] = []
    for name in sorted(after.environments):
        found += _of_environment(name, before.environments.get(name), after.environments[name])
    return [*found, *_of_pairs("base image", before.base_images, after.base_images)]


def _of_environment(name: str, before: Environment | None, after: Environment) -> Iterator[str]:
    was = {package.name: _version(package.requirement) for package in before.packages} if before else {}
    now = {package.name: _version(package.requirement) for package in after.packages}
    yield from _of_pairs(name, was, now)


def _of_pairs(name: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for key in sorted({*before, *after}):
        if key not in before:
            yield f"+ {name}: {key} {after[key]}"
        elif key not in after:
            yield f"- {name}: {key} {before[key]}"
        elif before[key] != after[key]:
            yield f"~ {name}: {key} {before[key]} -> {after[key]}"


def _version(requirement: str) -> str:
    return requirement.partition("==")[2] or requirement.partition(" @ ")[2]
