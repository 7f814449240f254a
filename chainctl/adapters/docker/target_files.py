"""Small files with their owners in; the same files in a container's file system out, and back."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chainctl.adapters.docker.target_connection import Connection

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class OwnedFile:
    """A file, or a directory when `content` is None. `owner` is user and group id; no repr of secrets."""

    path: str
    mode: int
    owner: int
    content: bytes | None = field(default=None, repr=False)


def archive(files: Iterable[OwnedFile]) -> bytes:
    """Return a tar of the files, in the order given."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for file in files:
            entry = tarfile.TarInfo(file.path)
            entry.mode, entry.uid, entry.gid = file.mode, file.owner, file.owner
            entry.type = tarfile.DIRTYPE if file.content is None else tarfile.REGTYPE
            entry.size = len(file.content or b"")
            tar.addfile(entry, io.BytesIO(file.content or b""))
    return buffer.getvalue()


def put_files(connection: Connection, container: str, directory: str, files: Iterable[OwnedFile]) -> None:
    """Write files below a directory of a container, started or not. Raises DeployError."""
    with connection.changing(f"write files into {container}"):
        connection.client.put_archive(container, directory, archive(files))


def put_large_file(
    connection: Connection, container: str, directory: str, file: OwnedFile, source: Path
) -> None:
    """Write a file of any size as it is read; the content of `file` is not used. Raises DeployError."""
    with connection.changing(f"write {file.path} into {container}"):
        connection.client.put_archive(container, directory, _streamed(file, source))


def _streamed(file: OwnedFile, source: Path) -> Iterator[bytes]:
    """Yield a tar of one file, piece by piece."""
    entry = tarfile.TarInfo(file.path)
    entry.mode, entry.uid, entry.gid, entry.size = file.mode, file.owner, file.owner, source.stat().st_size
    yield entry.tobuf(tarfile.PAX_FORMAT)
    with source.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            yield chunk
    yield b"\0" * (-entry.size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)


def get_files(connection: Connection, container: str, directory: str) -> Mapping[str, bytes]:
    """Return the files of a directory of a container by name, none when it does not exist."""
    from docker.errors import APIError

    with connection.reading(f"read files of {container}"):
        try:
            chunks, _ = connection.client.get_archive(container, directory)
            data = b"".join(chunks)
        except APIError:
            return {}
    return _files_in(data)


def _files_in(data: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for entry in tar:
            content = tar.extractfile(entry)
            if content is not None:
                found[entry.name.partition("/")[2] or entry.name] = content.read()
    return found
