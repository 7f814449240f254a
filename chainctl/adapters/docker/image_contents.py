"""An image of one engine in; what is in it, read without running it, out."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.labels import CHAIN, ROLE, Role
from chainctl.adapters.docker.target_connection import Connection
from chainctl.build.base import Base
from chainctl.build.image_contents import Distribution, Files, ImageContents
from chainctl.build.image_labels import BASE_DIGEST, BASE_NAME
from chainctl.build.installed import distribution_of, operating_system, system_packages
from chainctl.errors import UsageError

_PYTHONS = range(8, 16)
_METADATA = re.compile(r"[^/]+/[^/]+(\.dist-info/METADATA|\.egg-info/PKG-INFO)")
_VERSION = re.compile(r'__version__ = "([^"]+)"')
_CODE = ("/app/code", "/app/packages", "/app/data", "/app/shim.py")
_RUNTIME = "/app/chainctl"


@dataclass(frozen=True, slots=True)
class DockerImageReader:
    """Reads files through a container that is made and never started."""

    engine: Engine

    def contents(self, image: str) -> ImageContents:
        with Connection.opened(self.engine) as connection:
            said = _inspected(connection, image)
            if said is None:
                raise UsageError(f"The image {image} is not on the engine", hint="push or build it first.")
            with _container(connection, said) as container:
                return _contents(connection, container, said)


def _inspected(connection: Connection, image: str) -> dict[str, Any] | None:
    from docker.errors import NotFound

    with connection.reading(f"inspect the image {image}"):
        try:
            return dict(connection.client.inspect_image(image))  # type: ignore[no-untyped-call]  # so in types-docker
        except NotFound:
            return None


@contextmanager
def _container(connection: Connection, image: Mapping[str, Any]) -> Iterator[str]:
    """Make a container of an image; when removing it fails, `chainctl gc` knows it by its role."""
    chain = (image["Config"].get("Labels") or {}).get(CHAIN)
    body = {
        "Image": image["Id"],
        "Entrypoint": ["-"],
        "Labels": {CHAIN: chain, ROLE: Role.FILLER} if chain else {},
        "HostConfig": {"NetworkMode": "none"},
    }
    with connection.reading("make a container to read files from"):
        made = connection.client.create_container_from_config(body)  # type: ignore[no-untyped-call]  # so in types-docker
    try:
        yield str(made["Id"])
    finally:
        with connection.reading("remove the container that files were read from"):
            connection.client.remove_container(made["Id"], force=True, v=True)


def _contents(connection: Connection, container: str, image: Mapping[str, Any]) -> ImageContents:
    release = _text(connection, container, "/usr/lib/os-release", "/etc/os-release")
    runtime = dict(_read(connection, container, _RUNTIME))
    version = _VERSION.search(runtime.get("chainctl/version.py", b"").decode(errors="replace"))
    return ImageContents(
        id=image["Id"],
        platform=f"{image.get('Os') or 'linux'}/{image.get('Architecture') or ''}".rstrip("/"),
        base=_base(image["Config"].get("Labels") or {}),
        distributions=tuple(_distributions(connection, container, image)),
        system_packages=system_packages(_text(connection, container, "/var/lib/dpkg/status")),
        system=operating_system(release),
        code=_files(_digests(connection, container)),
        runtime=_files((path, hashlib.sha256(data).hexdigest()) for path, data in runtime.items()),
        runtime_version=version[1] if version else "",
    )


def _base(labels: Mapping[str, str]) -> Base | None:
    name = labels.get(BASE_NAME)
    return Base(name, labels.get(BASE_DIGEST, "")) if name else None


def _distributions(connection: Connection, container: str, image: Mapping[str, Any]) -> list[Distribution]:
    found = set[Distribution]()
    for directory in _package_directories(image["Config"].get("Env") or ()):
        for _, data in _read(connection, container, directory, _METADATA):
            distribution = distribution_of(data.decode(errors="replace"))
            if distribution is not None:
                found.add(distribution)
    return sorted(found, key=lambda one: (one.name.lower(), one.version))


def _package_directories(env: Iterable[str]) -> Iterator[str]:
    """Yield where Python packages may be: beside each directory of programs on PATH."""
    path = next((v.removeprefix("PATH=") for v in env if v.startswith("PATH=")), "")
    on_path = [place.rpartition("/")[0] for place in path.split(":") if place.endswith("/bin")]
    for prefix in sorted({*filter(None, on_path), "/usr", "/usr/local"}):
        yield f"{prefix}/lib/python3/dist-packages"
        for minor in _PYTHONS:
            for kind in ("dist-packages", "site-packages"):
                yield f"{prefix}/lib/python3.{minor}/{kind}"


def _text(connection: Connection, container: str, *paths: str) -> str:
    """Return the first of some files that is there, "" when none is."""
    for path in paths:
        for _, data in list(_read(connection, container, path)):
            return data.decode(errors="replace")
    return ""


def _digests(connection: Connection, container: str) -> Iterator[tuple[str, str]]:
    for place in _CODE:
        for path, file in _members(connection, container, place):
            yield path, hashlib.file_digest(file, "sha256").hexdigest()


def _files(digests: Iterable[tuple[str, str]]) -> Files | None:
    """Digest what was written by people; what Python compiled from it follows from that."""
    lines = sorted(f"{path}\0{digest}\n" for path, digest in digests if "__pycache__" not in path)
    if not lines:
        return None
    return Files(len(lines), hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest())


def _read(
    connection: Connection, container: str, place: str, wanted: re.Pattern[str] | None = None
) -> Iterator[tuple[str, bytes]]:
    for path, file in _members(connection, container, place):
        if wanted is None or wanted.fullmatch(path):
            yield path, file.read()


def _members(connection: Connection, container: str, place: str) -> Iterator[tuple[str, Any]]:
    """Yield the files below a place, by path from its last part on, while they come in; none if it is not there."""
    from docker.errors import NotFound

    with connection.reading(f"read {place} of an image"):
        try:
            chunks, _ = connection.client.get_archive(container, place)
        except NotFound:
            return
        with tarfile.open(fileobj=io.BufferedReader(_Chunks(chunks)), mode="r|") as tar:
            for entry in tar:
                file = tar.extractfile(entry) if entry.isfile() else None
                if file is not None:
                    yield entry.name, file


class _Chunks(io.RawIOBase):
    """A stream over pieces of bytes as they come."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
