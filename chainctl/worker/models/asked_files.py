"""The configuration of a Truss directory in; the files that it wants from elsewhere, and their places, out. Pure.

The same places are known where an image is built, where a service is deployed, and where it runs.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from chainctl.worker.models.cannot_start import CannotStartError

CACHE_NAME = "models"
CACHE_PLACE = "/var/cache/chainctl"
"""Where the volume is in a container; the cache is the directory CACHE_NAME in it."""
FOLDERS_PLACE = "/app/model_cache"
DATA_PLACE = "/app/data"
SECRETS_PLACE = "/run/secrets"
TRUSS_SECRETS = "/secrets"
DEFAULT_TOKEN = "hf_access_token"  # a secret's name
_MAIN = "main"
_KEY_LENGTH = 32
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LONGEST_PART = 255


@dataclass(frozen=True)
class ExternalFile:
    """A file of some server, which the model finds at `path` below its data directory."""

    url: str
    path: str

    @property
    def place(self) -> str:
        """Where it is, below the cache: what is at a URL is taken not to change."""
        name = posixpath.basename(self.path)
        return f"external/{_key([self.url, name])}/{name}"


@dataclass(frozen=True)
class CachedRepo:
    """Some files of one revision of a repository, which are in `folder`, or where the hub's clients look."""

    repo_id: str
    revision: str = _MAIN
    allow: Optional[tuple[str, ...]] = None
    ignore: Optional[tuple[str, ...]] = None
    folder: str = ""
    secret: str = DEFAULT_TOKEN

    @property
    def is_pinned(self) -> bool:
        """Say whether the revision is a commit, which is the same for ever."""
        return _COMMIT.fullmatch(self.revision) is not None

    @property
    def directory(self) -> str:
        """What the hub's clients call its directory."""
        return "models--" + self.repo_id.replace("/", "--")

    @property
    def key(self) -> str:
        return _key([self.repo_id, self.revision, self.allow, self.ignore])


@dataclass(frozen=True)
class AskedFiles:
    """All that a model wants from elsewhere."""

    external: tuple[ExternalFile, ...] = ()
    repos: tuple[CachedRepo, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.external or self.repos)

    @property
    def names(self) -> list[str]:
        """Short names of all of it, for a log."""
        return [*(one.path for one in self.external), *(one.repo_id for one in self.repos)]


def asked_files(truss_config: Optional[Mapping[str, Any]]) -> AskedFiles:
    """Read `external_data` and `model_cache`. Raises CannotStartError for places outside of their directories."""
    config = truss_config or {}
    external = (_external(one) for one in config.get("external_data") or ())
    repos = (_repo(one) for one in config.get("model_cache") or ())
    return AskedFiles(tuple(external), tuple(repos))


def is_safe(path: str) -> bool:
    """Say whether a relative path stays below the directory that it is taken from."""
    parts = path.split("/")
    return "\0" not in path and all(
        part not in ("", ".", "..") and len(part.encode("utf-8", "surrogateescape")) <= _LONGEST_PART
        for part in parts
    )


def data_links(truss_config: Optional[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Links that an image has, each with where it leads: so files of a cache are at their paths in it.

    A server that the image brings reads its secrets where Truss has them.
    """
    cache = f"{CACHE_PLACE}/{CACHE_NAME}"
    secrets = [(TRUSS_SECRETS, SECRETS_PLACE)] if (truss_config or {}).get("docker_server") else []
    files = asked_files(truss_config).external
    return [*secrets, *((f"{DATA_PLACE}/{one.path}", f"{cache}/{one.place}") for one in files)]


def is_commit(text: str) -> bool:
    """Say whether a text is a commit's name."""
    return _COMMIT.fullmatch(text) is not None


@dataclass(frozen=True)
class CachePlaces:
    """Where a service keeps what it fetches (`root`), and where its model finds folders of repositories."""

    root: Path
    folders: Path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> CachePlaces:
        """Read it from the variables that a target sets; without them it is the user's own cache."""
        root = Path(environ.get("CHAINCTL_CACHE") or Path.home() / ".cache" / "chainctl" / CACHE_NAME)
        return cls(root, Path(environ.get("CHAINCTL_MODEL_CACHE") or root / "folders"))

    @property
    def hub(self) -> Path:
        return self.root / "hub"


def _external(item: Mapping[str, Any]) -> ExternalFile:
    path = str(item["local_data_path"])
    normal = posixpath.normpath(path)
    if path.startswith("/") or not is_safe(normal):
        raise CannotStartError(
            f"external_data: the local_data_path {path!r} is not below the data directory",
            hint="write a relative path without `..`, such as weights/model.bin, then push again",
        )
    return ExternalFile(str(item["url"]), normal)


def _repo(item: Mapping[str, Any]) -> CachedRepo:
    repo_id = str(item["repo_id"])
    folder = str(item.get("volume_folder") or "") if item.get("use_volume") else ""
    if not _REPO.fullmatch(repo_id) or ".." in repo_id:
        raise CannotStartError(
            f"model_cache: {repo_id!r} names no repository",
            hint="write it as organisation/name, then push again",
        )
    if folder and not is_safe(folder):
        raise CannotStartError(
            f"model_cache: the volume_folder {folder!r} is not below {FOLDERS_PLACE}",
            hint="write a plain name, then push again",
        )
    return CachedRepo(
        repo_id,
        str(item.get("revision") or _MAIN),
        _patterns(item.get("allow_patterns")),
        _patterns(item.get("ignore_patterns")),
        folder,
        str(item.get("runtime_secret_name") or DEFAULT_TOKEN),
    )


def _patterns(given: Any) -> Optional[tuple[str, ...]]:
    """A directory's name stands for all that is in it, as the hub's own clients take it."""
    if given is None:
        return None
    patterns: Sequence[str] = [given] if isinstance(given, str) else given
    return tuple(f"{one}*" if one.endswith("/") else one for one in patterns)


def _key(parts: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_KEY_LENGTH]
