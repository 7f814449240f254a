"""A URL and what is known of its file in; the file, whole and checked, out: what broke off is continued.

What was received stays as `<name>.part` and is continued by a range request (RFC 9110, section 14),
also by another process after this one was killed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Optional

from chainctl.worker.models.cannot_start import CannotStartError
from chainctl.worker.models.progress import Progress
from chainctl.worker.models.web import ATTEMPTS, BrokenOff, Opened, Source, Web

CHUNK = 1 << 20
_PARTIAL = 206
_NOT_SATISFIABLE = 416
_SHA256 = re.compile(r"[0-9a-f]{64}")
_GIT_BLOB = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Identity:
    """What a file should be: its size, and a SHA-256 or the name of a git blob; None and "" where it is not known."""

    size: Optional[int] = None
    etag: str = ""

    @property
    def has_digest(self) -> bool:
        return bool(
            _SHA256.fullmatch(self.etag) or (_GIT_BLOB.fullmatch(self.etag) and self.size is not None)
        )

    def joined(self, other: Identity) -> Identity:
        """Return what is known here, and of the rest what is known there."""
        return Identity(other.size if self.size is None else self.size, self.etag or other.etag)

    def hash(self) -> Any:
        """Return what digests such a file."""
        if self.has_digest and _GIT_BLOB.fullmatch(self.etag):
            return hashlib.sha1(b"blob %d\0" % (self.size or 0), usedforsecurity=False)
        return hashlib.sha256()


def download(web: Web, source: Source, part: Path, progress: Progress, known: Identity) -> Identity:
    """Make `part` whole; return what it is. Its etag is its SHA-256 where no server said better.

    Raises Refused, and CannotStartError when it cannot be had, is another file than it should be, or does
    not fit on the disk: what was received is kept then, unless it is wrong.
    """
    left, best = ATTEMPTS, _size(part)
    progress.add(best)
    while True:
        try:
            return _continued(web, source, part, progress, known)
        except BrokenOff as broken:
            got = _size(part)
            left = ATTEMPTS - 1 if got > best else left - 1
            best = max(best, got)
            if left <= 0:
                raise CannotStartError(
                    f"{source} cannot be fetched: {broken}",
                    hint="check that the service reaches it, then push again: what has arrived is kept.",
                ) from broken
            web.pause_before(ATTEMPTS - left, broken)


@contextmanager
def on_disk(place: Path) -> Iterator[None]:
    """Explain what the disk refuses. Raises CannotStartError."""
    try:
        yield
    except OSError as error:
        raise CannotStartError(
            f"{place} cannot be written: {error.strerror or error}",
            hint="make room on the disk of the engine (`chainctl gc` removes old images), then push again: "
            "what has arrived is kept.",
        ) from error


def _continued(web: Web, source: Source, part: Path, progress: Progress, known: Identity) -> Identity:
    """Ask once for what is missing. A server that knows no ranges sends all of it again."""
    got = had = _size(part)
    note = part.with_name(part.name + ".json")
    validator = "" if known.has_digest or not got else _validator(note)
    if got and not (known.has_digest or validator):
        got = 0  # it cannot be known whether the rest would be of the same file
    asked = {"Range": f"bytes={got}-", **({"If-Range": validator} if validator else {})} if got else {}
    with web.opened(source, asked) as answer:
        if answer.status == _NOT_SATISFIABLE:
            return _all_there(answer, part, note, progress, known)
        is_continued = answer.status == _PARTIAL and _starts_at(answer) == got
        if answer.status == _PARTIAL and not is_continued:
            _forget(part, note, progress)
            raise BrokenOff("the server sends another part of the file than it was asked for")
        wanted = known.joined(_said(answer, got if is_continued else 0))
        if not is_continued:
            progress.add(-had)
            with on_disk(note):
                note.write_text(json.dumps({"validator": _strong_validator(answer.headers)}))
        return _received(answer, part, note, progress, wanted, known, got if is_continued else 0)


def _received(
    answer: Opened, part: Path, note: Path, progress: Progress, wanted: Identity, known: Identity, start: int
) -> Identity:
    digest, size = wanted.hash(), start
    with on_disk(part):
        file: BinaryIO = part.open("ab" if start else "wb")
    with file:
        _digest_prefix(digest, part, start)
        while chunk := answer.body.read1(CHUNK):
            with on_disk(part):
                file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
            progress.add(len(chunk))
        with on_disk(part):
            file.flush()
            os.fsync(file.fileno())
    if wanted.size is not None and size < wanted.size:
        raise BrokenOff(f"the connection ended after {size} of {wanted.size} bytes")
    return _checked(part, note, progress, wanted, Identity(size, digest.hexdigest()), known)


def _checked(
    part: Path, note: Path, progress: Progress, wanted: Identity, found: Identity, known: Identity
) -> Identity:
    """Return what a file is if it is what it should be; else forget it, so that it comes again."""
    is_right = wanted.size in (None, found.size) and (not wanted.has_digest or wanted.etag == found.etag)
    if is_right:
        note.unlink(missing_ok=True)
        return Identity(found.size, wanted.etag or found.etag)
    _forget(part, note, progress)
    raise BrokenOff("what has arrived is not the file that was meant: its size or its digest is another one")


def _all_there(answer: Opened, part: Path, note: Path, progress: Progress, known: Identity) -> Identity:
    """Take a part for the file when the server has no more of it, and it is the right one."""
    found = re.fullmatch(r"bytes \*/(\d+)", answer.headers.get("content-range", ""))
    size = _size(part)
    digest = known.hash()
    _digest_prefix(digest, part, size)
    is_whole = found is not None and int(found[1]) == size and known.size in (None, size)
    if is_whole and (not known.has_digest or digest.hexdigest() == known.etag):
        note.unlink(missing_ok=True)
        return Identity(size, known.etag or digest.hexdigest())
    _forget(part, note, progress)
    raise BrokenOff("the file on the server is another one than before")


def _said(answer: Opened, start: int) -> Identity:
    """What the server that was asked says of the file; sizes also of the one that it sent us to."""
    first = answer.first_headers
    linked = first.get("x-linked-etag")
    etag = (linked or (first.get("x-repo-commit") and first.get("etag")) or "").removeprefix("W/").strip('"')
    length = first.get("x-linked-size") or ""
    if not length.isdigit():
        sent = answer.headers.get("content-length", "")
        length = str(start + int(sent)) if sent.isdigit() else ""
    return Identity(int(length) if length.isdigit() else None, etag)


def _starts_at(answer: Opened) -> int:
    found = re.match(r"bytes (\d+)-", answer.headers.get("content-range", ""))
    return int(found[1]) if found else -1


def _strong_validator(headers: Mapping[str, str]) -> str:
    etag = headers.get("etag", "")
    return etag if etag and not etag.startswith("W/") else headers.get("last-modified", "")


def _validator(note: Path) -> str:
    try:
        return str(json.loads(note.read_text())["validator"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _digest_prefix(digest: Any, part: Path, size: int) -> None:
    with on_disk(part), part.open("rb") as file:
        while size > 0 and (chunk := file.read(min(CHUNK, size))):
            digest.update(chunk)
            size -= len(chunk)


def _forget(part: Path, note: Path, progress: Progress) -> None:
    progress.add(-_size(part))
    part.unlink(missing_ok=True)
    note.unlink(missing_ok=True)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
