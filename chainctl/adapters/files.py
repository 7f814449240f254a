"""A ChainGraph in; a SourceSnapshot of the files it needs, with the user's ignore rules applied, out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pathspec

from chainctl.build.requirements import included_names
from chainctl.build.settings import BuildSettings
from chainctl.build.snapshot import SnapshotFile, SourceSnapshot
from chainctl.build.wanted import local_places
from chainctl.errors import UsageError
from chainctl.graph.graph import ChainGraph
from chainctl.sdk.config import DockerImage

_IGNORE_FILES = (".chainctlignore", ".dockerignore", ".truss_ignore")
_ALWAYS_IGNORED = (".git/", "__pycache__/", "*.pyc", ".venv/", ".mypy_cache/", ".pytest_cache/", ".DS_Store")
# The container side of chainctl: copied into every image, and closed under its own imports.
_RUNTIME_FILES = ("__init__.py", "version.py", "errors.py", "pydantic_numpy.py", "streaming.py")
_RUNTIME_ROOMS = ("sdk", "wire", "telemetry", "segments", "truss", "calls", "worker", "server")
_CHUNK = 1 << 20


def take_snapshot(graph: ChainGraph, settings: BuildSettings) -> SourceSnapshot:
    """Read and digest everything that the images of a chain can be made of.

    Raises UsageError when a certificate of the settings does not exist, and when a file cannot be
    read or is gone by now.
    """
    rules = IgnoreRules.of(Path(graph.root))
    images = [spec.remote_config.docker_image for spec in graph.chainlets]
    sources = {file.source for spec in graph.chainlets for file in spec.files}
    kept = [path for path in sorted(sources) if path == graph.path or not rules.excludes(Path(path))]
    certificates = [_certificate(path) for path in settings.certificates]
    directories = {str(path) for image in images for path in _directories(image)}
    asked = take_lock_snapshot(graph)
    return SourceSnapshot(
        files={**{path: _digested(path) for path in [*kept, *certificates]}, **asked.files},
        trees={**{place: _tree(Path(place), rules) for place in sorted(directories)}, **asked.trees},
        texts=asked.texts,
        runtime=_runtime(),
    )


def take_lock_snapshot(graph: ChainGraph) -> SourceSnapshot:
    """Read only what decides which packages are installed: requirements files, packages of this machine."""
    rules = IgnoreRules.of(Path(graph.root))
    texts = _texts(spec.remote_config.docker_image for spec in graph.chainlets)
    local = sorted({place for spec in graph.chainlets for place in local_places(spec, texts)})
    return SourceSnapshot(
        files={place: _digested(place) for place in local if Path(place).is_file()},
        trees={place: _tree(Path(place), rules) for place in local if Path(place).is_dir()},
        texts={**texts, **_projects(local)},
        runtime={},
    )


def _projects(places: Iterable[str]) -> dict[str, str]:
    """The text of the pyproject.toml of packages that are on this machine only."""
    files = [Path(place) / "pyproject.toml" for place in sorted(places)]
    return {str(file): _text(file) for file in files if file.is_file()}


class IgnoreRules:
    """The rules of `.chainctlignore`, else `.dockerignore` or `.truss_ignore`, and what is never shipped."""

    def __init__(self, root: Path, patterns: Iterable[str]) -> None:
        self._root = root
        self._spec = pathspec.GitIgnoreSpec.from_lines(patterns)

    @classmethod
    def of(cls, root: Path) -> IgnoreRules:
        for name in _IGNORE_FILES:
            path = root / name
            if path.is_file():
                return cls(root, [*_text(path).splitlines(), *_ALWAYS_IGNORED])
        return cls(root, _ALWAYS_IGNORED)

    def excludes(self, path: Path, base: Path | None = None) -> bool:
        """Say whether a file is left out; paths outside the root are matched relative to `base`."""
        name = self._name_of(path, base)
        return name is not None and self._spec.match_file(name)

    def excludes_directory(self, path: Path, base: Path) -> bool:
        """Say whether nothing below a directory can be shipped: a rule names the directory itself."""
        name = self._name_of(path, base)
        return name is not None and self._spec.match_file(f"{name}/")

    def _name_of(self, path: Path, base: Path | None) -> str | None:
        plain = Path(os.path.normpath(path))
        for anchor in (self._root, *([base] if base else [])):
            if plain.is_relative_to(os.path.normpath(anchor)):
                return plain.relative_to(os.path.normpath(anchor)).as_posix()
        return None


def _directories(image: DockerImage) -> Iterator[Path]:
    if image.data_dir is not None:
        yield image.data_dir.path
    for directory in image.external_package_dirs or ():
        yield directory.path


def _tree(directory: Path, rules: IgnoreRules) -> dict[str, SnapshotFile]:
    """All files below a directory that are not ignored, by relative path."""
    paths = _walk(directory, rules, directory, frozenset())
    return {path.relative_to(directory).as_posix(): _digested(str(path)) for path in paths}


def _walk(directory: Path, rules: IgnoreRules, base: Path, above: frozenset[Path]) -> Iterator[Path]:
    """Files in order of their names; links are followed, but never in circles."""
    if not directory.is_dir() or (here := directory.resolve()) in above:
        return
    for path in sorted(directory.iterdir()):
        if path.is_dir():
            if not rules.excludes_directory(path, base):
                yield from _walk(path, rules, base, above | {here})
        elif path.is_file() and not rules.excludes(path, base):
            yield path


def _texts(images: Iterable[DockerImage]) -> dict[str, str]:
    """The text of all requirements files, and of the files that they include."""
    texts: dict[str, str] = {}
    given = [path for image in images for path in (image.requirements_file, image.pip_requirements_file)]
    waiting = [str(path) for path in given if path is not None]
    while waiting:
        path = waiting.pop()
        if path not in texts and Path(path).is_file():
            texts[path] = _text(Path(path))
            waiting += included_names(path, texts[path])
    return texts


def _runtime() -> dict[str, SnapshotFile]:
    package = Path(__file__).resolve().parent.parent
    rooms = (path for room in _RUNTIME_ROOMS for path in (package / room).rglob("*.py"))
    paths = [*(package / name for name in _RUNTIME_FILES), *rooms]
    return {path.relative_to(package).as_posix(): _digested(str(path)) for path in sorted(paths)}


def _certificate(path: str) -> str:
    if not Path(path).is_file():
        raise UsageError(
            f"the CA certificate {path} of the settings does not exist",
            hint="correct `ca_certificates` in the settings",
        )
    try:
        found = Path(path).read_bytes()
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    if b"PRIVATE KEY-----" in found:  # the file is copied into the images
        raise UsageError(
            f"the CA certificate {path} of the settings has a private key in it",
            hint="name a file that has the certificate alone in `ca_certificates`",
        )
    if b"-----BEGIN CERTIFICATE-----" not in found:
        raise UsageError(
            f"the CA certificate {path} of the settings is no PEM certificate",
            hint="convert it with `openssl x509 -inform der -in FILE -out FILE.pem`, and name that in"
            " `ca_certificates`",
        )
    return path


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, "it is no UTF-8 text") from error


def _digested(path: str) -> SnapshotFile:
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
            executable = bool(os.fstat(file.fileno()).st_mode & 0o100)
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    return SnapshotFile(path, digest.hexdigest(), executable)


def _unreadable(path: str | Path, why: str) -> UsageError:
    return UsageError(
        f"{path} cannot be read: {why}", hint="make it readable, or restore it; then try again."
    )
