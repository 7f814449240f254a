"""The configuration of a Truss directory in; all files that it wants from elsewhere, at their places, out.

It runs before the model is created, in each replica: who comes first fetches, the others wait, and who
comes later finds the files in the cache.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Optional

from chainctl.worker.boot import ChainletManifest
from chainctl.worker.models.asked_files import CachePlaces, ExternalFile, asked_files
from chainctl.worker.models.cache_files import linked, locked
from chainctl.worker.models.cannot_start import CannotStartError
from chainctl.worker.models.download import Identity, download, on_disk
from chainctl.worker.models.hub import DEFAULT_ENDPOINT, Hub, Snapshot
from chainctl.worker.models.progress import Progress
from chainctl.worker.models.web import Refused, Source, Web

_MERGED = ".data"


def with_files(
    truss_config: Mapping[str, Any], manifest: ChainletManifest, environ: Mapping[str, str] = os.environ
) -> ChainletManifest:
    """Fetch what a model wants, and return a manifest with the data directory that has it. Raises CannotStartError."""
    token_of = partial(_token_in, manifest.secrets_dir)
    data_dir = fetch_all(
        truss_config, token_of, CachePlaces.of(environ), manifest.data_dir, endpoint=_endpoint(environ)
    )
    return replace(manifest, data_dir=data_dir)


def fetched_here(
    truss_config: Mapping[str, Any],
    secrets: Mapping[str, str],
    data_dir: Path,
    environ: Mapping[str, str] = os.environ,
) -> Optional[Path]:
    """Do the same for a model that runs from its own directory; None where that is where its data is."""
    if asked_files(truss_config).is_empty:
        return None
    there = data_dir if data_dir.is_dir() else None
    places = CachePlaces.of(environ)
    return fetch_all(
        truss_config, lambda name: secrets.get(name, "").strip(), places, there, endpoint=_endpoint(environ)
    )


def fetch_all(
    truss_config: Mapping[str, Any],
    token_of: Callable[[str], str],
    places: CachePlaces,
    data_dir: Optional[Path],
    *,
    endpoint: str = DEFAULT_ENDPOINT,
    web: Optional[Web] = None,
) -> Optional[Path]:
    """Fetch external_data and model_cache; return the directory that has the model's data.

    That is `data_dir` where its files are there already, as an image has links to them, and else a
    directory of the cache with links to both. `token_of` returns the value of a secret, "" where there is none.
    Raises CannotStartError.
    """
    asked = asked_files(truss_config)
    web = web or Web()
    for file in asked.external:
        _fetch_external(web, file, places.root)
    hub = Hub(web, places.hub, endpoint.rstrip("/"))
    for repo in asked.repos:
        snapshot = hub.snapshot(repo, token_of(repo.secret))
        if repo.folder:
            _show_folder(places.folders / repo.folder, snapshot)
    if all(_is_seen(data_dir, file, places.root) for file in asked.external):
        return data_dir
    return _merged(places, data_dir, asked.external)


def _endpoint(environ: Mapping[str, str]) -> str:
    return environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT


def _fetch_external(web: Web, file: ExternalFile, root: Path) -> None:
    place = root / file.place
    if place.is_file():
        return
    with locked(root / "external" / f"{place.parent.name}.lock", file.path):
        if place.is_file():
            return
        part = place.parent.with_suffix(".part")
        with on_disk(place):
            place.parent.mkdir(parents=True, exist_ok=True)
        progress = Progress(file.path)
        try:
            download(web, Source(file.url), part, progress, Identity())
        except Refused as error:
            raise CannotStartError(
                f"{file.path} of external_data cannot be fetched from {Source(file.url)}: {error}",
                hint="check its url in config.yaml, then push again",
            ) from error
        with on_disk(place):
            part.replace(place)
        progress.end()


def _token_in(secrets_dir: Path, name: str) -> str:
    """Return a secret's value, "" where the service has none: most repositories want no token."""
    path = secrets_dir / PurePosixPath(name).name
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise CannotStartError(
            f"the secret {name} cannot be read: {error.strerror}",
            hint=f"set it again: `chainctl secret set {name}`",
        ) from error


def _show_folder(folder: Path, snapshot: Snapshot) -> None:
    """Give a model the files that it asked for, and no others of the repository, in a folder of links."""
    wanted = {path: str(snapshot.directory / path) for path in snapshot.files}
    with locked(folder.parent / f".{folder.name}.lock", folder.name):
        _make_links(folder, wanted)


def _is_seen(data_dir: Optional[Path], file: ExternalFile, root: Path) -> bool:
    place = root / file.place
    return data_dir is not None and (data_dir / file.path).exists() and (data_dir / file.path).samefile(place)


def _merged(places: CachePlaces, data_dir: Optional[Path], files: Iterable[ExternalFile]) -> Path:
    """Make a directory with links to what is in the data directory, and to the files of the cache."""
    merged = places.folders / _MERGED
    external = {file.path: str(places.root / file.place) for file in files}
    wanted = {**_links_into(data_dir, "", external), **external} if data_dir is not None else external
    with locked(merged.parent / f".{merged.name}.lock", "data"):
        _make_links(merged, wanted)
    return merged


def _links_into(data_dir: Path, below: str, external: Mapping[str, str]) -> dict[str, str]:
    """Links to all that a directory holds; one that gets files of the cache is entered, and not linked itself."""
    found: dict[str, str] = {}
    for entry in sorted((data_dir / below).resolve().iterdir()):
        path = f"{below}{entry.name}"
        if path in external:
            continue
        if entry.is_dir() and any(one.startswith(f"{path}/") for one in external):
            found |= _links_into(data_dir, f"{path}/", external)
        else:
            found[path] = str(entry)
    return found


def _make_links(directory: Path, wanted: Mapping[str, str]) -> None:
    """Make a directory hold these links and no others; what is right already stays as it is."""
    for path, to in sorted(wanted.items()):
        place = directory / path
        for above in reversed(place.relative_to(directory).parents[:-1]):
            _unlink_if_link(directory / above)
        if place.is_dir() and not place.is_symlink():
            _clear(place, frozenset())
            with on_disk(place):
                place.rmdir()
        linked(place, to)
    keep = frozenset(
        str(parent) for path in wanted for parent in [PurePosixPath(path), *PurePosixPath(path).parents]
    )
    if directory.is_dir():
        _clear(directory, keep)


def _clear(directory: Path, keep: frozenset[str], below: str = "") -> None:
    """Remove what is not kept, as paths below the first directory; links are never followed."""
    with on_disk(directory):
        for entry in list(directory.iterdir()):
            path = f"{below}{entry.name}"
            is_directory = entry.is_dir() and not entry.is_symlink()
            if is_directory:
                _clear(entry, keep, f"{path}/")
            if path not in keep and is_directory:
                entry.rmdir()
            elif path not in keep:
                entry.unlink()


def _unlink_if_link(path: Path) -> None:
    if path.is_symlink():
        with on_disk(path):
            path.unlink()
