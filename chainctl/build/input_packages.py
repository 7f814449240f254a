"""The text of a pip requirements file in; the packages that it names, with what may be shown of them, out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_CONTINUED = re.compile(r"\\\r?\n")
_COMMENT = re.compile(r"(^|\s)#.*$")
_OPTION = re.compile(r"\s--")
_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\]\s*)?(.*)")
_COMMIT = re.compile(r"@([0-9a-f]{7,64})(?:#|\s|$)")
_SPECIFIER = re.compile(r"[A-Za-z0-9.,<>=!~*+ ]*")
_SEPARATORS = re.compile(r"[-_.]+")


@dataclass(frozen=True, slots=True)
class InstallLine:
    """One package of a requirements file. `version` is "" where it is not said or stands in a URL.

    `text` is the whole line, with hashes and markers: for a digest, not to be shown.
    """

    name: str
    version: str
    text: str


def install_lines(text: str) -> Iterator[InstallLine]:
    """Yield the packages; options, comments, and lines that name no package are left out."""
    for line in _CONTINUED.sub(" ", text).splitlines():
        bare = " ".join(_COMMENT.sub("", line).split())
        found = _LINE.fullmatch(bare)
        if found and found[2][:1] in ("", "=", "<", ">", "!", "~", "@", ";", "(", "-"):
            name = _SEPARATORS.sub("-", found[1]).lower()
            yield InstallLine(name, _version(found[2]), bare)


def _version(rest: str) -> str:
    """A version as people say it. Of a URL only a commit is told: the rest of it may hold a token."""
    if rest.startswith("@"):
        commit = _COMMIT.search(rest)
        return commit[1][:7] if commit else ""
    specifier = _OPTION.split(" " + rest)[0].split(";")[0].strip().strip("()")
    if not _SPECIFIER.fullmatch(specifier):
        return ""
    return specifier if "," in specifier else specifier.removeprefix("==").strip()
