"""A file's URL or path and its digest in; the file in a cache, whole and checked, out.

Files lie under their SHA-256. What was received before a break stays as `<digest>.part` and is
continued by a range request (RFC 9110, section 14), also by the next command.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from chainctl.deploy.release import DataMount
from chainctl.errors import ChainctlError

if TYPE_CHECKING:
    from requests import Response

CHUNK = 1 << 16
"""What is received at a time. Of one that breaks off nothing is kept."""
ATTEMPTS = 5
"""How often a download that breaks off is continued; each byte that arrives starts the count anew."""
FIRST_PAUSE_SEC = 0.5
"""Before a download goes on; doubled each time that nothing arrives."""
TIMEOUT_SEC = 30
_DIGEST = re.compile(r"[0-9a-f]{64}")
Told = Callable[[int, int], None]
"""Hears how many bytes there are, of how many; 0 of how many where the server does not say."""


class DownloadError(ChainctlError):
    """A file can not be had, or is not the one that was meant."""


@dataclass(frozen=True, slots=True)
class DownloadCache:
    """Files below `root`, named by their digest. Any number of commands may use it at the same time."""

    root: Path
    _: KW_ONLY
    timeout_sec: float = TIMEOUT_SEC
    pause: Callable[[float], object] = field(default=lambda seconds: threading.Event().wait(seconds))

    def path_of(self, sha256: str) -> Path:
        return self.root / sha256

    def fetch(
        self, source: str, sha256: str, told: Told = lambda _got, _all: None, *, token: str = ""
    ) -> Path:
        """Return the file of a URL or a path, from the cache where it is there.

        `token` goes to the server as bearer token, and not on to where it may redirect.
        Raises DownloadError when it can not be had, or when its digest is another one: then nothing
        of it is kept.
        """
        if not _DIGEST.fullmatch(sha256):
            raise DownloadError(
                f"{sha256!r} is no SHA-256", hint="give 64 hexadecimal digits: `sha256sum FILE` prints them."
            )
        path, part = self.path_of(sha256), self.root / f"{sha256}.part"
        if path.is_file():
            return path
        with self._writing(source, sha256):
            if path.is_file():
                return path
            if _is_url(source):
                _remote(self, source, part, told, token)
            else:
                _copied(source, part, told)
            found = _digest(part)
            if found != sha256:
                part.unlink()
                raise DownloadError(
                    f"{shown(source)} is not the file that is meant: its SHA-256 is another one",
                    hint="look at where it comes from; if the new one is right, write its digest down.",
                    details=[f"wanted {sha256}", f"found  {found}"],
                )
            part.chmod(0o444)
            part.replace(path)
        return path

    def named(self, sha256: str, filename: str) -> Path:
        """Return a file that is in the cache under a name of its own: readers go by its ending."""
        path = self.root / "named" / sha256 / filename
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileExistsError):
            path.hardlink_to(self.path_of(sha256))
        return path

    def drop(self, sha256: str) -> None:
        """Remove a file from the cache, under all of its names."""
        shutil.rmtree(self.root / "named" / sha256, ignore_errors=True)
        self.path_of(sha256).unlink(missing_ok=True)

    @contextmanager
    def _writing(self, source: str, sha256: str) -> Iterator[None]:
        """Let one command at a time get a file. Raises DownloadError for what the disk refuses."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.root / f"{sha256}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)
        except OSError as error:
            raise DownloadError(
                f"{shown(source)} can not be kept in {self.root}: {error.strerror or error}",
                hint="make room on its disk; what has arrived is kept, and the next push continues.",
            ) from error


@dataclass(frozen=True, slots=True)
class Downloads:
    """The data of services, from a cache; `secret_of` gives the token of a server by its secret's name."""

    cache: DownloadCache
    secret_of: Callable[[str], bytes]

    def get(self, data: DataMount) -> Path:
        token = self.secret_of(data.secret).decode().strip() if data.secret else ""
        self.cache.fetch(data.source, data.sha256, token=token)
        return self.cache.named(data.sha256, data.filename)

    def drop(self, data: DataMount) -> None:
        self.cache.drop(data.sha256)


def shown(source: str) -> str:
    """A URL without what may be secret in it: user, password, query."""
    if not _is_url(source):
        return source
    parts = urlsplit(source)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def _copied(source: str, part: Path, told: Told) -> None:
    """Copy a local file. Raises DownloadError."""
    part.unlink(missing_ok=True)
    try:
        file = Path(source).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise DownloadError(
            f"{source} can not be read: {error.strerror}",
            hint="a path is taken from the chain file's directory.",
        ) from error
    with file, part.open("wb") as copy:
        size, got = os.fstat(file.fileno()).st_size, 0
        while chunk := file.read(CHUNK):
            copy.write(chunk)
            got += len(chunk)
            told(got, size)
        _synced(copy)


def _remote(cache: DownloadCache, source: str, part: Path, told: Told, token: str) -> None:
    """Continue a download until it is whole. Raises DownloadError."""
    from requests import RequestException

    left, before = ATTEMPTS, -1
    while True:
        try:
            _continued(cache, source, part, told, token)
            return
        except (RequestException, _BrokenOffError) as error:
            got = part.stat().st_size if part.exists() else 0
            left = ATTEMPTS - 1 if got > before else left - 1
            before = max(before, got)
            if left <= 0 or _is_hopeless(error):
                raise DownloadError(
                    f"{shown(source)} can not be downloaded: {_reason(error)}",
                    hint="what has arrived is kept: the next push continues."
                    if got
                    else "check the address, and that this machine reaches it.",
                ) from error
            cache.pause(FIRST_PAUSE_SEC * 2 ** (ATTEMPTS - 1 - left))


class _BrokenOffError(Exception):
    """Less has arrived than was announced."""


def _continued(cache: DownloadCache, source: str, part: Path, told: Told, token: str) -> None:
    """Ask for what is missing, once. A server that knows no ranges sends all of it again."""
    import requests

    got = part.stat().st_size if part.exists() else 0
    # Bodies are taken as they are stored: an encoding would make ranges mean something else.
    headers = {
        "Accept-Encoding": "identity",
        **({"Range": f"bytes={got}-"} if got else {}),
        **({"Authorization": f"Bearer {token}"} if token else {}),
    }
    with requests.get(source, headers=headers, stream=True, timeout=cache.timeout_sec) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable and got:
            if _whole_size(response) == got:
                return
            part.unlink()
            raise _BrokenOffError("the file on the server is another one than before")
        response.raise_for_status()
        is_continued = response.status_code == requests.codes.partial_content and _starts_at(response, got)
        start = got if is_continued else 0
        size = start + int(response.headers.get("Content-Length") or 0)
        with part.open("ab" if is_continued else "wb") as file:
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                start += len(chunk)
                told(start, size)
            _synced(file)
        if start < size:
            raise _BrokenOffError(f"the connection ended after {start} of {size} bytes")


def _starts_at(response: Response, position: int) -> bool:
    """Say whether a partial answer begins where it should."""
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return found is not None and int(found[1]) == position


def _whole_size(response: Response) -> int | None:
    found = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _is_hopeless(error: Exception) -> bool:
    """Say whether asking again can not help: the server refuses for a reason of ours, or there is none."""
    from requests import ConnectionError as Unconnected
    from requests import HTTPError
    from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema

    if isinstance(error, HTTPError):
        status = error.response.status_code
        return 400 <= status < 500 and status not in (408, 425, 429)
    if isinstance(error, Unconnected):
        return "Connection broken" not in str(error)
    return isinstance(error, InvalidSchema | InvalidURL | MissingSchema)


def _reason(error: Exception) -> str:
    """Say why in words, without the URL that requests puts into its messages."""
    from requests import ConnectionError as Unconnected
    from requests import HTTPError, Timeout

    if isinstance(error, HTTPError):
        return f"the server answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, Timeout):
        return "the server does not answer in time"
    if isinstance(error, Unconnected):
        return "the server can not be reached, or ended the connection"
    return str(error) if isinstance(error, _BrokenOffError) else type(error).__name__


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _synced(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
