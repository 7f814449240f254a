"""A repository of a model hub in; its files in a cache, as the hub's own clients lay them out, out.

`models--org--name/blobs/<etag>` are the files, `snapshots/<commit>/<path>` links to them, and
`refs/<revision>` says which commit a branch or tag was, so that `from_pretrained("org/name")` finds
them without a network.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional
from urllib.parse import quote

from chainctl.worker.models.asked_files import CachedRepo, is_commit, is_safe
from chainctl.worker.models.cache_files import linked, locked, written
from chainctl.worker.models.cannot_start import CannotStartError
from chainctl.worker.models.download import Identity, download, on_disk
from chainctl.worker.models.progress import Progress, size_text
from chainctl.worker.models.web import ATTEMPTS, BrokenOff, Refused, Source, Web

DEFAULT_ENDPOINT = "https://huggingface.co"
_AT_ONCE = 4
_MOST_INFO_BYTES = 64 << 20
_SPARE_BYTES = 64 << 20
_NO_ACCESS = (401, 403)
_NOT_FOUND = 404
_LOG = logging.getLogger("chainctl.models")


@dataclass(frozen=True)
class Snapshot:
    """Files of one commit; `directory` has them at their paths."""

    commit: str
    directory: Path
    files: tuple[str, ...]


@dataclass(frozen=True)
class Hub:
    """A hub at `endpoint`, and the cache of its repositories."""

    web: Web
    cache: Path
    endpoint: str = DEFAULT_ENDPOINT

    def snapshot(self, repo: CachedRepo, token: str) -> Snapshot:
        """Return the files of a repository; they are fetched where they are not there.

        Of a commit that is there whole nothing is asked. Of a branch that is there, the hub is asked for its
        newest commit, and where that fails the one that is there is taken. Raises CannotStartError.
        """
        place = self.cache / repo.directory
        with locked(self.cache / ".locks" / f"{repo.directory}.lock", repo.repo_id):
            there = _remembered(place, repo)
            if there is not None and repo.is_pinned:
                return there
            try:
                snapshot = self._fetched(repo, token, place)
            except CannotStartError as error:
                if there is None:
                    raise
                _LOG.warning("%s stays at commit %s: %s", repo.repo_id, there.commit, error.message)
                return there
            _remember(place, repo, snapshot)
            return snapshot

    def _fetched(self, repo: CachedRepo, token: str, place: Path) -> Snapshot:
        commit, every = self._listed(repo, token)
        wanted = {path: identity for path, identity in every.items() if _is_wanted(path, repo)}
        if not wanted:
            raise CannotStartError(
                f"{repo.repo_id} at {repo.revision} has no file that the patterns of model_cache choose",
                hint="mend allow_patterns and ignore_patterns in config.yaml, then push again",
            )
        directory = place / "snapshots" / commit
        missing = {path: one for path, one in wanted.items() if not (directory / path).exists()}
        if missing:
            self._fetch(repo, token, place, commit, missing)
        return Snapshot(commit, directory, tuple(sorted(wanted)))

    def _fetch(
        self, repo: CachedRepo, token: str, place: Path, commit: str, missing: Mapping[str, Identity]
    ) -> None:
        sizes = [one.size for one in missing.values()]
        total = sum(size or 0 for size in sizes) if None not in sizes else None
        with on_disk(place):
            (place / "blobs").mkdir(parents=True, exist_ok=True)
        parts = {path: place / "blobs" / f"{_part_name(commit, path)}.part" for path in missing}
        _require_room(place, repo, (total or 0) - sum(_size(part) for part in parts.values()))
        progress = Progress(repo.repo_id, total)

        def fetch(path: str) -> None:
            url = f"{self.endpoint}/{repo.repo_id}/resolve/{commit}/{quote(path)}"
            self._fetch_one(
                repo, Source(url, token), place, parts[path], progress, missing[path], path, commit
            )

        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="chainctl-fetch") as pool:
            futures = [pool.submit(fetch, path) for path in sorted(missing)]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        progress.end()

    def _fetch_one(
        self, repo: CachedRepo, source: Source, place: Path, part: Path, progress: Progress, known: Identity,
        path: str, commit: str,
    ) -> None:  # fmt: skip
        blob = place / "blobs" / known.etag if known.has_digest else None
        if blob is None or not blob.is_file():
            try:
                found = download(self.web, source, part, progress, known)
            except Refused as error:
                raise _explained(error, repo, self.endpoint, has_token=bool(source.token)) from error
            blob = place / "blobs" / (found.etag if found.has_digest else _part_name(commit, path))
            with on_disk(blob):
                part.replace(blob)
        link = place / "snapshots" / commit / path
        linked(link, os.path.relpath(blob, link.parent))

    def _listed(self, repo: CachedRepo, token: str) -> tuple[str, dict[str, Identity]]:
        """Ask for the commit of a revision and its files, by path. Raises CannotStartError."""
        revision = quote(repo.revision, safe="")
        source = Source(f"{self.endpoint}/api/models/{repo.repo_id}/revision/{revision}?blobs=true", token)
        try:
            info = self._json(source)
        except Refused as error:
            raise _explained(error, repo, self.endpoint, has_token=bool(token)) from error
        try:
            commit, siblings = str(info["sha"]), info["siblings"]
            files = {str(one["rfilename"]): _identity(one) for one in siblings}
        except (KeyError, TypeError, AttributeError) as error:
            raise _no_hub(source) from error
        if not is_commit(commit):
            raise _no_hub(source)
        for path in files:
            if not is_safe(path):
                raise CannotStartError(
                    f"{repo.repo_id} has a file at {path!r}, which would be outside of its directory",
                    hint="do not use this repository, or leave the file out with ignore_patterns: it is not "
                    "what it says it is",
                )
        return commit, files

    def _json(self, source: Source) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self.web.opened(source, {"Accept": "application/json"}) as answer:
                    return json.loads(answer.body.read(_MOST_INFO_BYTES))
            except BrokenOff as broken:
                if attempt == ATTEMPTS:
                    raise CannotStartError(
                        f"the hub cannot be asked for {source}: {broken}",
                        hint="check that the service reaches it (HF_ENDPOINT names another hub), then push again",
                    ) from broken
                self.web.pause_before(attempt, broken)
            except ValueError as error:
                raise _no_hub(source) from error
        raise AssertionError("the last attempt raises")


def _is_wanted(path: str, repo: CachedRepo) -> bool:
    def is_any(patterns: Sequence[str]) -> bool:
        return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)

    if repo.allow is not None and not is_any(repo.allow):
        return False
    return not (repo.ignore and is_any(repo.ignore))


def _identity(sibling: Mapping[str, Any]) -> Identity:
    """What a list says of a file: the SHA-256 of a large one, the git blob of a small one."""
    large = sibling.get("lfs") or {}
    size = large.get("size", sibling.get("size"))
    etag = str(large.get("sha256") or large.get("oid") or sibling.get("blobId") or "")
    return Identity(size, etag.removeprefix("sha256:")) if isinstance(size, int) else Identity()


def _explained(error: Refused, repo: CachedRepo, endpoint: str, *, has_token: bool) -> CannotStartError:
    secret = f"`chainctl secret set {repo.secret}`"
    what = f"{repo.repo_id} at {repo.revision} cannot be fetched from {endpoint}: {error}"
    if error.status in _NO_ACCESS and has_token:
        hint = (
            f"give the secret {repo.secret} a token that may read it ({secret}), accept its terms on its page"
        )
    elif error.status in _NO_ACCESS:
        hint = f"name {repo.secret} under `secrets` in config.yaml, and give it a token: {secret}"
    elif error.status == _NOT_FOUND:
        hint = f"check repo_id and revision in config.yaml; if it is private, give a token: {secret}"
    else:
        hint = "check repo_id and revision in config.yaml"
    return CannotStartError(what, hint=f"{hint}, then push again")


def _no_hub(source: Source) -> CannotStartError:
    return CannotStartError(
        f"what answers at {source} is no model hub",
        hint="check HF_ENDPOINT, then push again",
    )


def _require_room(place: Path, repo: CachedRepo, missing: int) -> None:
    with on_disk(place):
        free = shutil.disk_usage(place).free
    if missing + _SPARE_BYTES > free:
        raise CannotStartError(
            f"{repo.repo_id} does not fit: {size_text(missing)} are missing, and the disk of its cache has "
            f"{size_text(free)} free",
            hint="make room on the disk of the engine (`chainctl gc` removes old images), or fetch fewer files "
            "(allow_patterns), then push again",
        )


def _remember(place: Path, repo: CachedRepo, snapshot: Snapshot) -> None:
    """Note what is there whole, and which commit the revision is."""
    written(
        place / ".chainctl" / f"{repo.key}.json",
        json.dumps({"commit": snapshot.commit, "files": list(snapshot.files)}),
    )
    if not repo.is_pinned and is_safe(repo.revision):
        written(place / "refs" / repo.revision, snapshot.commit)
    if repo.is_pinned and not (place / "refs" / "main").exists():
        written(place / "refs" / "main", snapshot.commit)


def _remembered(place: Path, repo: CachedRepo) -> Optional[Snapshot]:
    """Return what was noted, where all of it is still there."""
    try:
        noted = json.loads((place / ".chainctl" / f"{repo.key}.json").read_text())
        commit, files = str(noted["commit"]), tuple(str(path) for path in noted["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    directory = place / "snapshots" / commit
    is_whole = is_commit(commit) and all(is_safe(path) and (directory / path).exists() for path in files)
    return Snapshot(commit, directory, files) if is_whole else None


def _part_name(commit: str, path: str) -> str:
    return hashlib.sha256(f"{commit}/{path}".encode("utf-8", "surrogateescape")).hexdigest()[:40]


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
