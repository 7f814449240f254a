"""A BuildContext in; the chunks of its tar stream out, equal bytes for equal contexts."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from chainctl.build.context import BuildContext, ContextFile
from chainctl.errors import BuildError

CHUNK = 1 << 18
MODIFIED = 315_532_800
"""Every entry's time, 1980-01-01: the oldest that zip files, and so wheels, can carry."""


def tar_chunks(context: BuildContext, chainlet: str) -> Iterator[bytes]:
    """Yield the tar stream of a context; user's files are read as it goes.

    Raises BuildError when a file is not what it was when the context was made.
    """
    for directory in _directories(context):
        yield _header(directory, 0, 0o755, is_directory=True)
    for file in context.files:
        match file.content:
            case bytes() as data:
                yield _header(file.path, len(data), file.mode) + data + _padding(len(data))
            case Path() as source:
                yield from _user_file(file, source, chainlet)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _directories(context: BuildContext) -> list[str]:
    parents = {parent for file in context.files for parent in PurePosixPath(file.path).parents}
    return sorted(str(parent) for parent in parents if parent.name)


def _user_file(file: ContextFile, source: Path, chainlet: str) -> Iterator[bytes]:
    digest, size = hashlib.sha256(), 0
    try:
        with source.open("rb") as stream:
            size = source.stat().st_size
            yield _header(file.path, size, file.mode)
            left = size
            while data := stream.read(min(CHUNK, left)):
                digest.update(data)
                left -= len(data)
                yield data
    except OSError as error:
        raise _changed(file, chainlet, f"can not be read: {error.strerror}") from error
    if digest.hexdigest() != file.sha256:
        raise _changed(file, chainlet, "changed while it was being read")
    yield _padding(size)


def _header(path: str, size: int, mode: int, *, is_directory: bool = False) -> bytes:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode, entry.mtime = size, mode, MODIFIED
    entry.type = tarfile.DIRTYPE if is_directory else tarfile.REGTYPE
    return entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


def _changed(file: ContextFile, chainlet: str, what: str) -> BuildError:
    return BuildError(chainlet, "", (), reason=f"{file.path} {what}", hint="push again")
