"""A Release and the settings of a cluster in; a tree of manifests that `kubectl apply -k` takes, out. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from chainctl.deploy.door_start import API_KEY_FILE, TLS_FILE, TOKEN_FILE
from chainctl.deploy.kubernetes.manifests import (
    Manifest,
    callers_of,
    door_manifests,
    service_manifests,
)
from chainctl.deploy.kubernetes.names import DATA_KEY, data_name, door_secret_name, secret_name
from chainctl.deploy.kubernetes.settings import ClusterSettings
from chainctl.deploy.release import DataMount, FrontDoor, Release, ServiceSpec
from chainctl.deploy.rendered import Needed, Rendered, file_stems, unpublished
from chainctl.templates import render

_TOKEN_SOURCE = "chainctl-token"  # a file's name
SERVICES, DOOR, KUSTOMIZATION = "services", "door", "kustomization.yaml"


def kubernetes_tree(release: Release, settings: ClusterSettings) -> Rendered:
    """Return a directory of services and one of the door, each of which can be applied by itself.

    The services are first: once they are ready, the door is led to them. Raises UsageError.
    """
    services = dict(_service_files(release, settings))
    door = {
        f"{one.kind.lower()}-{one.name}.yaml": one.text
        for one in door_manifests(release.chain, release.front_door, release.entrypoint, settings)
    }
    files = {
        **{f"{SERVICES}/{name}": text for name, text in services.items()},
        **{f"{DOOR}/{name}": text for name, text in door.items()},
        f"{SERVICES}/{KUSTOMIZATION}": _kustomization(services),
        f"{DOOR}/{KUSTOMIZATION}": _kustomization(door),
        KUSTOMIZATION: _kustomization((SERVICES, DOOR)),
    }
    notices = unpublished(release.services, "The nodes of the cluster")
    return Rendered(tuple(sorted(files.items())), tuple(_needed(release, settings)), notices)


def _service_files(release: Release, settings: ClusterSettings) -> Iterable[tuple[str, str]]:
    """One file for all objects of a service; what several services share has its own."""
    callers, stems = callers_of(release), file_stems(release.services)
    shared: dict[str, Manifest] = {}
    for spec in release.services:
        objects = service_manifests(spec, callers[spec.name], settings)
        own = [one for one in objects if one.kind != "PersistentVolumeClaim"]
        shared |= {one.name: one for one in objects if one.kind == "PersistentVolumeClaim"}
        yield f"{stems[spec.name]}.yaml", _joined(own)
    for name, one in sorted(shared.items()):
        yield f"volume-{name}.yaml", one.text


def _joined(objects: Sequence[Manifest]) -> str:
    return "---\n".join(one.text for one in objects)


def _kustomization(files: Iterable[str]) -> str:
    return render("kubernetes/kustomization.yaml.j2", {"files": sorted(files)})


def _needed(release: Release, settings: ClusterSettings) -> Iterable[Needed]:
    found: dict[str, Needed] = {}
    for spec in release.services:
        for one in (_secret(spec, settings), *(_data(spec, data, settings) for data in spec.data)):
            found[one.what] = one
    door = _door_secret(release.chain, release.front_door, settings)
    yield from (found[what] for what in sorted(found))
    yield door


def _secret(spec: ServiceSpec, settings: ClusterSettings) -> Needed:
    keys = {TOKEN_FILE: _TOKEN_SOURCE, **{secret.name: secret.name for secret in spec.secrets}}
    return _secret_of(secret_name(spec.chain, spec.secrets), keys, settings)


def _door_secret(chain: str, door: FrontDoor, settings: ClusterSettings) -> Needed:
    keys = {TOKEN_FILE: _TOKEN_SOURCE}
    keys |= {API_KEY_FILE: door.api_key.name} if door.api_key else {}
    keys |= {TLS_FILE: door.tls.name} if door.tls else {}
    return _secret_of(door_secret_name(chain, door.digest), keys, settings)


def _secret_of(name: str, keys: dict[str, str], settings: ClusterSettings) -> Needed:
    """Secrets come from files: what a command line has, others can read."""
    files = " ".join(shlex.quote(f"--from-file={key}=secrets/{file}") for key, file in sorted(keys.items()))
    command = f"kubectl -n {settings.namespace} create secret generic {name} {files}"
    return Needed(f"Secret {name} with {', '.join(sorted(keys))}", command)


def _data(spec: ServiceSpec, data: DataMount, settings: ClusterSettings) -> Needed:
    name = data_name(spec.chain, data.sha256)
    place = data.filename if "://" in data.source else data.source
    command = f"kubectl -n {settings.namespace} create configmap {name}"
    return Needed(
        f"ConfigMap {name} with {DATA_KEY}, the file {data.source} (sha256 {data.sha256})",
        f"{command} {shlex.quote(f'--from-file={DATA_KEY}={place}')}",
    )
