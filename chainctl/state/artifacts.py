"""Bytes in; the same bytes under their SHA-256, checked whenever they are read, out.

What others could write is not believed: loading a component runs code.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from chainctl.errors import StateError
from chainctl.state.private import write_private

_DIGEST = re.compile(r"[0-9a-f]{64}")


class ArtifactStore(Protocol):
    """Keeps bytes by their digest."""

    def put(self, data: bytes) -> str:
        """Keep bytes and return their SHA-256. Raises StateError."""
        ...

    def get(self, sha256: str) -> bytes:
        """Return bytes. Raises StateError when they are not there, or are not what their name says."""
        ...

    def delete(self, sha256: str) -> None:
        """Forget bytes, if they are there."""
        ...

    def older_than(self, seconds: float) -> Iterator[str]:
        """Yield the digests of all that was not put just now."""
        ...


@dataclass(frozen=True, slots=True)
class DirectoryArtifacts:
    """Files in a directory that only its owner can read."""

    root: Path

    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._path(sha256)
        try:
            if path.is_file() and path.read_bytes() == data:
                os.utime(path)  # it is in use again: collecting spares what is young
            else:
                write_private(path, data)
        except OSError as error:
            raise StateError(
                f"{len(data)} bytes can not be kept in {self.root}: {error.strerror or error}",
                hint="make room and see that you may write there; nothing was changed.",
            ) from error
        return sha256

    def get(self, sha256: str) -> bytes:
        try:
            data = self._path(sha256).read_bytes()
        except OSError as error:
            raise _missing(sha256, str(self.root)) from error
        return checked(sha256, data, str(self.root))

    def delete(self, sha256: str) -> None:
        self._path(sha256).unlink(missing_ok=True)

    def older_than(self, seconds: float) -> Iterator[str]:
        oldest = time.time() - seconds
        for path in sorted(self.root.glob("??/*")):
            if _DIGEST.fullmatch(path.name) and path.stat().st_mtime <= oldest:
                yield path.name

    def _path(self, sha256: str) -> Path:
        _require_digest(sha256)
        return self.root / sha256[:2] / sha256


@dataclass(frozen=True, slots=True)
class RemoteArtifacts:
    """Objects below a URL that fsspec knows, such as s3://bucket/prefix; one is there whole or not at all."""

    filesystem: Any
    root: str

    @classmethod
    def of(cls, url: str) -> RemoteArtifacts:
        """Raises StateError when fsspec, or what it needs for this URL, is not installed."""
        try:
            from fsspec.core import url_to_fs  # type: ignore[import-untyped]  # it has no stubs

            filesystem, root = url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise StateError(
                f"artifacts can not be kept in {url}: {error}",
                hint="install what it needs: `pip install 'chainctl[remote]'` and the package for its scheme.",
            ) from error
        return cls(filesystem, root)

    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        self.filesystem.makedirs(f"{self.root}/{sha256[:2]}", exist_ok=True)
        self.filesystem.pipe_file(self._path(sha256), data)
        return sha256

    def get(self, sha256: str) -> bytes:
        try:
            data = bytes(self.filesystem.cat_file(self._path(sha256)))
        except FileNotFoundError as error:
            raise _missing(sha256, self.root) from error
        return checked(sha256, data, self.root)

    def delete(self, sha256: str) -> None:
        if self.filesystem.exists(self._path(sha256)):
            self.filesystem.rm_file(self._path(sha256))

    def older_than(self, seconds: float) -> Iterator[str]:
        oldest = time.time() - seconds
        for path, about in sorted(self.filesystem.find(self.root, detail=True).items()):
            name = path.rpartition("/")[2]
            if _DIGEST.fullmatch(name) and _written_at(about) <= oldest:
                yield name

    def _path(self, sha256: str) -> str:
        _require_digest(sha256)
        return f"{self.root}/{sha256[:2]}/{sha256}"


def artifacts_at(place: str) -> ArtifactStore:
    """Return the store at a directory or a URL."""
    return RemoteArtifacts.of(place) if "://" in place else DirectoryArtifacts(Path(place))


def checked(sha256: str, data: bytes, place: str) -> bytes:
    """Return bytes that are what their name says. Raises StateError."""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StateError(
            f"the artifact {sha256[:12]} in {place} is not what was put there: it was changed or damaged",
            hint="nothing of it was loaded; apply the component again from its source.",
        )
    return data


def _missing(sha256: str, place: str) -> StateError:
    return StateError(
        f"the artifact {sha256[:12]} is not in {place}",
        hint="apply the component again from its source.",
    )


def _require_digest(sha256: str) -> None:
    if not _DIGEST.fullmatch(sha256):
        raise StateError(f"{sha256[:80]!r} is no artifact's name", hint="the state may be damaged.")


def _written_at(about: Any) -> float:
    """When an object was written, by whichever name its filesystem has for that; long ago when unknown."""
    found = about.get("mtime") or about.get("LastModified") or about.get("created") or 0.0
    return float(found.timestamp()) if hasattr(found, "timestamp") else float(found)
