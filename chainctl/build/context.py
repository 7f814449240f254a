"""The files of one image build in; a BuildContext whose digest names the image out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

TAG_LENGTH = 16


@dataclass(frozen=True, slots=True)
class ContextFile:
    """One file of a build context.

    `path` is relative and posix. `content` is the text itself (rendered files) or the place it is
    read from when the context is sent (the user's files); `sha256` is the hex digest either way.
    """

    path: str
    sha256: str
    content: bytes | Path
    is_executable: bool = False

    @classmethod
    def of_text(cls, path: str, text: str) -> ContextFile:
        return cls(path, digest_of_text(text), text.encode())

    @property
    def mode(self) -> int:
        return 0o755 if self.is_executable else 0o644


def digest_of_text(text: str) -> str:
    """Hex sha256 of a text as UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class BuildContext:
    """Everything that one image is made of, sorted by path."""

    files: tuple[ContextFile, ...]

    @classmethod
    def of(cls, files: list[ContextFile]) -> BuildContext:
        return cls(tuple(sorted(files, key=lambda f: f.path)))

    @property
    def digest(self) -> str:
        """Hex sha256 over path, mode and content digest of every file."""
        digest = hashlib.sha256()
        for file in self.files:
            entry = f"{file.path}\0{file.mode:o}\0{file.sha256}\n"
            digest.update(entry.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def replacing(self, file: ContextFile) -> BuildContext:
        """Return this context with another content of one file."""
        return BuildContext(tuple(file if file.path == f.path else f for f in self.files))

    def text_of(self, path: str) -> str:
        """Return a rendered file's text. Raises KeyError for unknown paths and for user files."""
        for file in self.files:
            if file.path == path and isinstance(file.content, bytes):
                return file.content.decode()
        raise KeyError(path)


def platform_tag(digest: str, platform: str) -> str:
    """Return the tag of an image: the digest, and its platform where that is not the engine's own."""
    return "-".join(filter(None, (digest, platform.removeprefix("linux/").replace("/", "-"))))


@dataclass(frozen=True, slots=True)
class ImageRef:
    """`<chain>/<chainlet>:<digest of its context>`, with `-<platform>` for another than the engine's own.

    Known before anything is built.
    """

    repository: str
    tag: str

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"
