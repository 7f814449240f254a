"""What `uv pip compile` wrote in; an Environment out. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from chainctl.build.lock import Environment, LockedPackage
from chainctl.build.requirement_lines import RUNTIME, Asked
from chainctl.build.wanted import LocalPackage, Wanted

PUBLIC_INDEX = "https://pypi.org/simple"
_HASH = re.compile(r"--hash=(\S+)")
_TORCH = re.compile(r"^(torch|torchvision|torchaudio|torchtext|torchao|triton)$|\+cpu$")


def environment_of(wanted: Wanted, text: str, origins: Mapping[str, str], root: str) -> Environment:
    """Read the packages; files are named relative to `root`, where the lock is."""
    entries = list(_entries(text))
    packages = sorted(
        (_package(entry, wanted.local, origins, root) for entry in entries), key=lambda p: p.name
    )
    has_torch = any(_TORCH.search(package.requirement.partition("==")[0]) for package in packages)
    has_torch |= any(_TORCH.search(package.requirement) for package in packages)
    return Environment(
        wanted.digest, wanted.python, wanted.platform, tuple(packages),
        _indexes(wanted, _seen_indexes(text)), wanted.find_links,
        wanted.torch_backend if has_torch else "",
    )  # fmt: skip


def with_allowed_hashes(wanted: Wanted, environment: Environment) -> tuple[Environment, list[Asked]]:
    """Keep of each package the hashes that the user's own lines allow; also the lines that allow none."""
    allowed: dict[str, list[Asked]] = {}
    for asked in wanted.asked:
        if asked.hashes:
            allowed.setdefault(asked.name, []).append(asked)
    packages: list[LockedPackage] = []
    refused: list[Asked] = []
    for package in environment.packages:
        lines = allowed.get(package.name, [])
        kept = tuple(digest for digest in package.hashes if all(digest in line.hashes for line in lines))
        if lines and not kept:
            refused += lines
        packages.append(replace(package, hashes=kept))
    return replace(environment, packages=tuple(packages)), refused


def _entries(text: str) -> Iterator[list[str]]:
    """Split at lines that begin a package; the others belong to the one before."""
    entry: list[str] = []
    for line in text.splitlines():
        if line and not line[0].isspace() and not line.startswith("#"):
            if entry:
                yield entry
            entry = [line]
        elif entry:
            entry.append(line)
    if entry:
        yield entry


def _package(
    entry: list[str], local: Iterable[LocalPackage], origins: Mapping[str, str], root: str
) -> LockedPackage:
    requirement, _, marker = entry[0].rstrip("\\").strip().partition(" ; ")
    name = _canonical(re.split(r"[\s\[=@]", requirement)[0])
    hashes = tuple(found[1] for line in entry if (found := _HASH.search(line)))
    via = tuple(sorted(_via(entry, origins, root)))
    for package in local:
        if package.name == name and "file://" in requirement:
            suffix = posixpath.basename(package.place) if package.is_archive else name
            digest = (f"sha256:{package.digest}",) if package.is_archive else ()
            place = posixpath.relpath(package.place, root)
            return LockedPackage(name, f"{name} @ ./local/{suffix}", digest, marker.strip(), via, place)
    return LockedPackage(name, requirement.strip(), hashes, marker.strip(), via)


def _via(entry: list[str], origins: Mapping[str, str], root: str) -> Iterator[str]:
    """Who asked: a package, or the file that stands behind one of those that uv was given."""
    for line in entry[1:]:
        comment = line.strip()
        if not comment.startswith("#"):
            continue
        words = comment.lstrip("# ").removeprefix("via").strip()
        if not words or words.startswith("from "):
            continue
        option, _, name = words.rpartition(" ")
        origin = origins.get(name)
        if origin is None:
            yield words
        elif origin == RUNTIME:
            yield RUNTIME
        else:
            yield posixpath.relpath(origin, root) + (" (constraint)" if option == "-c" else "")


def _indexes(wanted: Wanted, seen: list[str]) -> tuple[str, ...]:
    """Extra indexes, what uv chose by itself, and the default one last; none where only that is public."""
    default = [wanted.index_url or PUBLIC_INDEX] if wanted.has_index else []
    known = [*wanted.indexes, *default]
    chosen = [url for url in seen if url.rstrip("/") not in {one.rstrip("/") for one in known}]
    found = (*wanted.indexes, *chosen, *default)
    return () if found == (PUBLIC_INDEX,) else found


def _seen_indexes(text: str) -> list[str]:
    urls = re.findall(r"^\s+# from (https?://\S+)$", text, flags=re.MULTILINE)
    return sorted({_bare(url) for url in urls})


def _bare(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
