"""A BuildContext in; the context as one builder understands it out. Pure.

Names of images are made of the Dockerfile as it was planned, so they do not depend on the builder.
"""

from __future__ import annotations

import re

from chainctl.build.context import BuildContext, ContextFile

DOCKERFILE = "Dockerfile"
_RUN = re.compile(r"(?P<run>RUN +)(?P<options>(?:--\S+ +)+)(?P<command>.*)", re.IGNORECASE)
_CACHE = re.compile(r"--mount=type=cache,\S+ +")
_TARGET = re.compile(r",(?:target|dst|destination)=([^,\s]+)")


def sent_context(context: BuildContext, *, is_buildkit: bool) -> BuildContext:
    """Return the context to send: the classic builder knows no mounts."""
    if is_buildkit:
        return context
    text = without_cache_mounts(context.text_of(DOCKERFILE))
    return context.replacing(ContextFile.of_text(DOCKERFILE, text))


def without_cache_mounts(dockerfile: str) -> str:
    """Take cache mounts out of a Dockerfile: what would be in one is removed when its step ends."""
    return "".join(_without_caches(line) for line in dockerfile.splitlines(keepends=True))


def _without_caches(line: str) -> str:
    run = _RUN.match(line)
    if run is None or not (caches := _CACHE.findall(run["options"])):
        return line
    emptied = "".join(f" && rm -rf {target}/*" for target in _TARGET.findall("".join(caches)))
    rest = _CACHE.sub("", run["options"]) + run["command"]
    ending = "\n" if line.endswith("\n") else ""
    return f"{run['run']}{rest}{'' if _cannot_go_on(rest) else emptied}{ending}"


def _cannot_go_on(command: str) -> bool:
    """Say whether nothing can be added to a command: the exec form, and lines that go on below."""
    return command.startswith("[") or command.endswith("\\")
