"""What an image holds in; its bill of materials as CycloneDX 1.5, the same for the same image, out. Pure."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from packaging.utils import canonicalize_name

from chainctl.build.base import Base
from chainctl.build.image_contents import Distribution, Files, ImageContents, OperatingSystem, SystemPackage
from chainctl.build.lock import Environment, LockedPackage
from chainctl.version import __version__

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/schema/bom-1.5")
_SHA256 = re.compile(r"sha256:([0-9a-f]{64})")
_PYPI = "https://pypi.org/simple"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """Of which image it is."""

    chain: str
    chainlet: str
    image: str


def sbom_of(
    subject: Subject,
    contents: ImageContents,
    environment: Environment | None = None,
    made_at: float | None = None,
) -> Json:
    """Describe an image. `environment` is what was locked for it: it adds where files came from.

    `made_at`, in seconds since the epoch, is the one thing that would differ from time to time.
    """
    image = _image(subject, contents)
    components = sorted(_components(subject, contents, environment), key=lambda c: str(c["bom-ref"]))
    body: Json = {
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "chainctl", "version": __version__}]},
            "component": image,
        },
        "components": components,
        "dependencies": [{"ref": image["bom-ref"], "dependsOn": [c["bom-ref"] for c in components]}],
    }
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    if made_at is not None:
        stamp = datetime.fromtimestamp(made_at, UTC).isoformat(timespec="seconds")
        body["metadata"]["timestamp"] = stamp.replace("+00:00", "Z")
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, digest)}",
        "version": 1,
        **body,
    }


def _image(subject: Subject, contents: ImageContents) -> Json:
    name, _, tag = subject.image.partition("@")[0].rpartition(":")
    return {
        "type": "container",
        "bom-ref": "image",
        "name": name,
        "version": tag,
        "properties": [
            {"name": "chainctl:chain", "value": subject.chain},
            {"name": "chainctl:chainlet", "value": subject.chainlet},
            {"name": "chainctl:image-id", "value": contents.id},
            {"name": "chainctl:platform", "value": contents.platform},
        ],
    }


def _components(subject: Subject, contents: ImageContents, environment: Environment | None) -> Iterator[Json]:
    if contents.base:
        yield _base(contents.base)
    if contents.system:
        yield _system(contents.system)
    if contents.code:
        yield _files("application", "code", subject.chainlet, "", contents.code)
    if contents.runtime:
        yield _files("framework", "chainctl", "chainctl", contents.runtime_version, contents.runtime)
    locked = {canonicalize_name(p.name): p for p in environment.packages} if environment else {}
    index = environment.indexes[0] if environment and environment.indexes else _PYPI
    seen = {_purl_of(distribution): distribution for distribution in contents.distributions}
    for purl, distribution in seen.items():
        yield _distribution(purl, distribution, locked.get(canonicalize_name(distribution.name)), index)
    for package in contents.system_packages:
        yield _system_package(package, contents.system)


def _base(base: Base) -> Json:
    bare, _, pinned = base.name.partition("@")
    name, _, tag = bare.rpartition(":")
    if not name or "/" in tag:
        name, tag = bare, ""
    hashes = _hashes([pinned or base.digest])
    return {
        "type": "container",
        "bom-ref": "base",
        "name": name,
        **({"version": tag} if tag else {}),
        **({"hashes": hashes} if hashes else {}),
    }


def _system(system: OperatingSystem) -> Json:
    return {
        "type": "operating-system",
        "bom-ref": "system",
        "name": system.id,
        **({"version": system.version} if system.version else {}),
        **({"description": system.name} if system.name else {}),
    }


def _files(kind: str, ref: str, name: str, version: str, files: Files) -> Json:
    return {
        "type": kind,
        "bom-ref": ref,
        "name": name,
        **({"version": version} if version else {}),
        "hashes": [{"alg": "SHA-256", "content": files.sha256}],
        "properties": [{"name": "chainctl:files", "value": str(files.count)}],
    }


def _distribution(purl: str, found: Distribution, locked: LockedPackage | None, index: str) -> Json:
    return {
        "type": "library",
        "bom-ref": purl,
        "name": canonicalize_name(found.name),
        "version": found.version,
        "purl": purl,
        **_licenses(found),
        **_origin(found, locked, index),
    }


def _licenses(found: Distribution) -> Json:
    if not found.license:
        return {}
    if found.has_expression:
        return {"licenses": [{"expression": found.license}]}
    return {"licenses": [{"license": {"name": found.license}}]}


def _origin(found: Distribution, locked: LockedPackage | None, index: str) -> Json:
    """Where the lock lets a package come from; nothing when another version is installed than it says."""
    if locked is None:
        return {}
    _, is_direct, url = locked.requirement.partition(" @ ")
    if is_direct:
        kind = "vcs" if url.startswith(("git+", "hg+", "svn+", "bzr+")) else "distribution"
        return {"externalReferences": [{"type": kind, "url": url}]}
    if locked.requirement.partition("==")[2] != found.version:
        return {}
    hashes = _hashes(sorted(locked.hashes))
    url = f"{index.rstrip('/')}/{canonicalize_name(found.name)}/"
    reference: Json = {"type": "distribution", "url": url, **({"hashes": hashes} if hashes else {})}
    return {"externalReferences": [reference]}


def _hashes(digests: Iterable[str]) -> list[Json]:
    """Digests as CycloneDX takes them; what is none is left out: a label may hold anything."""
    found = (_SHA256.fullmatch(digest) for digest in digests)
    return [{"alg": "SHA-256", "content": match[1]} for match in found if match]


def _system_package(package: SystemPackage, system: OperatingSystem | None) -> Json:
    purl = _purl_of_system(package, system)
    source = [{"name": "chainctl:source", "value": package.source}] if package.source else []
    return {
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "purl": purl,
        **({"properties": source} if source else {}),
    }


def _purl_of(found: Distribution) -> str:
    return f"pkg:pypi/{canonicalize_name(found.name)}@{quote(found.version, safe='')}"


def _purl_of_system(package: SystemPackage, system: OperatingSystem | None) -> str:
    vendor = system.id if system else "debian"
    distro = f"&distro={vendor}-{quote(system.version, safe='')}" if system and system.version else ""
    name, version = quote(package.name, safe=""), quote(package.version, safe="")
    return f"pkg:deb/{vendor}/{name}@{version}?arch={package.architecture}{distro}"
