"""A settled lock in; what people and programs read of it out. Pure."""

from __future__ import annotations

from typing import Any

from chainctl.build.lock_text import FILE_NAME
from chainctl.workflows.lock import Settled
from chainctl.workflows.lock_changes import lock_changes


def lock_summary(done: Settled) -> str:
    """Say what changed, then what is locked, in one line."""
    used = sorted(set(done.lock.chainlets.values()))
    packages = sum(len(done.lock.environments[name].packages) for name in used)
    bases = [image for image in done.lock.own_base_images if image in done.lock.base_images]
    counts = [
        _counted(len(done.lock.chainlets), "chainlet"),
        _counted(len(used), "environment"),
        _counted(packages, "package"),
        _counted(len(bases), "base image"),
    ]
    changed = "" if done.has_changed else " (unchanged)"
    return "\n".join([*lock_changes(done.before, done.lock), f"{FILE_NAME}: {', '.join(counts)}{changed}"])


def lock_json(done: Settled) -> dict[str, Any]:
    """Describe a lock, without hashes; those are in the file."""
    return {
        "lock": FILE_NAME,
        "changed": done.has_changed,
        "changes": lock_changes(done.before, done.lock),
        "resolved": list(done.resolved),
        "chainlets": dict(done.lock.chainlets),
        "environments": {
            name: {
                "python": environment.python,
                "platform": environment.platform,
                "packages": {package.name: package.requirement for package in environment.packages},
            }
            for name, environment in sorted(done.lock.environments.items())
            if name in set(done.lock.chainlets.values())
        },
        "base_images": dict(done.lock.base_images),
    }


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
