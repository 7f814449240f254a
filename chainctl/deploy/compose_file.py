"""A Release in; a directory that `docker compose up` runs, out. Pure."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chainctl.deploy.door_config import PORT, DoorConfig, Entry, door_text
from chainctl.deploy.door_start import (
    API_KEY_FILE,
    CONFIG_DIR,
    CONFIG_FILE,
    DOOR_SECRETS_DIR,
    DOOR_USER,
    KEYS_FILE,
    MADE_DIR,
    TLS_FILE,
    TOKEN,
    TOKEN_FILE,
    start_command,
)
from chainctl.deploy.release import CacheVolume, DataMount, FrontDoor, Release, SecretRef, ServiceSpec
from chainctl.deploy.rendered import Needed, Rendered, unpublished
from chainctl.deploy.service_environment import USER_ID, service_environment
from chainctl.errors import UsageError
from chainctl.templates import render

COMPOSE_FILE = "compose.yaml"
ENTRY = "entry"
DOOR = "door"
PROBE = "/app/chainctl/server/probe.py"
DRAIN_SEC = 30
_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*")
_LINKS_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A secret that is a file: `name` in the compose file, `file` beside it, `target` in the container."""

    name: str
    file: str
    target: str


@dataclass(frozen=True, slots=True)
class ComposeSettings:
    """`pythons` are the interpreters of images, by chainlet. `drain_sec` is how long calls may take to end."""

    pythons: Mapping[str, str]
    drain_sec: float = DRAIN_SEC


def compose_tree(release: Release, settings: ComposeSettings) -> Rendered:
    """Return the compose file and the door's configuration. Raises UsageError for a name that Compose can not have."""
    if not _PROJECT.fullmatch(release.chain):
        raise UsageError(
            f"{release.chain!r} can not name a project of Compose",
            hint="give it another name with `--name`: lower-case letters, digits and dashes.",
        )
    door = release.front_door
    files = {COMPOSE_FILE: _compose_text(release, settings), CONFIG_FILE: _door_config(door)}
    return Rendered(tuple(sorted(files.items())), tuple(_needed(release)), tuple(_notices(release)))


def _compose_text(release: Release, settings: ComposeSettings) -> str:
    door = release.front_door
    caches = {spec.cache.name: spec for spec in release.services if spec.cache}
    values = {
        "project": release.chain,
        "services": [_service(spec, release, settings) for spec in release.services],
        "owners": [_owner(name, spec, settings) for name, spec in sorted(caches.items())],
        "caches": sorted(caches),
        "secrets": sorted(_secrets(release), key=lambda one: one.name),
        "config_file": CONFIG_FILE,
        "config_path": str(CONFIG_DIR / CONFIG_FILE),
        "door": {
            "name": DOOR,
            "image": door.image,
            "pull": "missing",
            "user": DOOR_USER,
            "entry": release.entrypoint,
            "command": [as_said(word) for word in start_command(has_key=door.api_key is not None)],
            "made": f"{MADE_DIR}:mode=0700,uid={DOOR_USER},gid={DOOR_USER},size=65536",
            "secrets": _door_secrets(door),
            "bind": door.bind,
            "port": str(door.port or PORT),
            "container_port": PORT,
            "grace_sec": f"{math.ceil(settings.drain_sec)}s",
        },
        "entry": ENTRY,
        "user": f"{USER_ID}:{USER_ID}",
    }
    return render("compose.yaml.j2", values)


def as_said(text: str) -> str:
    """Write a text so that Compose puts no variable into it."""
    return text.replace("$", "$$")


def _service(spec: ServiceSpec, release: Release, settings: ComposeSettings) -> dict[str, object]:
    wanted = spec.resources
    python = settings.pythons[spec.chainlet]
    return {
        "name": spec.name,
        "image": as_said(spec.published or spec.image),
        "pull": "missing" if spec.published else "never",
        "labels": {"chainctl.chain": spec.chain, "chainctl.chainlet": as_said(spec.chainlet)},
        "environment": {name: as_said(value) for name, value in service_environment(spec, {}, {}).items()},
        "secrets": [_token(), *(_own(secret) for secret in spec.secrets)],
        "tmpfs": list(_tmpfs(spec)),
        "volumes": [_data_volume(data) for data in spec.data],
        "cache": spec.cache,
        "test": ["CMD", as_said(python), "-I", PROBE, "/readyz"],
        "start_sec": f"{math.ceil(spec.start_timeout_sec)}s",
        "calls": sorted({call.service for call in spec.calls}),
        "replicas": spec.replicas,
        "cpus": f"{wanted.cpus:g}",
        "memory": str(wanted.memory_bytes),
        "pids": wanted.pids,
        "gpus": wanted.gpu.count if wanted.gpu else 0,
        "grace_sec": f"{math.ceil(settings.drain_sec)}s",
        "is_entry": spec.name == release.entrypoint,
    }


def _owner(name: str, spec: ServiceSpec, settings: ComposeSettings) -> dict[str, object]:
    """A volume is root's at first: something gives the directory in it to the user of services, and ends."""
    assert spec.cache is not None
    place = f"{spec.cache.directory}/{name}"
    code = f"import os; os.makedirs({place!r}, exist_ok=True); os.chown({place!r}, {USER_ID}, {USER_ID})"
    return {
        "name": owner_name(spec.cache),
        "image": as_said(spec.published or spec.image),
        "pull": "missing" if spec.published else "never",
        "command": [as_said(word) for word in (settings.pythons[spec.chainlet], "-I", "-c", code)],
        "cache": name,
        "directory": spec.cache.directory,
    }


def owner_name(cache: CacheVolume) -> str:
    return f"cache-owner-{cache.name}"


def _tmpfs(spec: ServiceSpec) -> Iterable[str]:
    """Code may run from /tmp: just-in-time compilers put their libraries there."""
    yield f"/tmp:rw,exec,nosuid,nodev,mode=1777,size={spec.resources.memory_bytes // 2}"
    if spec.cache:
        options = f"rw,nosuid,nodev,noexec,mode=0755,uid={USER_ID},gid={USER_ID},size={_LINKS_BYTES}"
        yield f"{spec.cache.folders}:{options}"


def _data_volume(data: DataMount) -> dict[str, str]:
    return {"source": f"./{_data_file(data)}", "target": as_said(f"{data.directory}/{data.filename}")}


def _data_file(data: DataMount) -> str:
    """Return where the file is expected, beside the compose file: a digest names it, whatever it is called."""
    return f"data/{data.sha256}"


def _token() -> SecretFile:
    return SecretFile("chainctl-token", "./secrets/chainctl-token", TOKEN_FILE)


def _own(secret: SecretRef) -> SecretFile:
    return SecretFile(f"secret-{secret.name}", f"./secrets/{secret.name}", secret.name)


def _door_secrets(door: FrontDoor) -> list[SecretFile]:
    own = [(door.api_key, API_KEY_FILE), (door.tls, TLS_FILE)]
    return [_token(), *(SecretFile(_own(s).name, _own(s).file, target) for s, target in own if s)]


def _secrets(release: Release) -> set[SecretFile]:
    """Return each secret once; where it is in a container does not matter here."""
    services = (_own(secret) for spec in release.services for secret in spec.secrets)
    return {SecretFile(s.name, s.file, "") for s in (*services, *_door_secrets(release.front_door))}


def _door_config(door: FrontDoor) -> str:
    return door_text(
        DoorConfig(
            door.digest,
            TOKEN,
            keys_file=str(KEYS_FILE) if door.api_key else None,
            tls_file=str(DOOR_SECRETS_DIR / TLS_FILE) if door.tls else None,
            entry=Entry(ENTRY),
        )
    )


def _needed(release: Release) -> Iterable[Needed]:
    """Compose hands a file on as it is, so its user in the container has to be able to read it."""
    for secret in sorted(_secrets(release), key=lambda one: one.name):
        path = secret.file.removeprefix("./")
        yield Needed(f"{path}, a file that user {USER_ID} can read", f"chmod 644 {shlex.quote(path)}")
    data = {one.sha256: one for spec in release.services for one in spec.data}
    for one in sorted(data.values(), key=lambda mount: mount.sha256):
        fetch = "curl -fLo" if "://" in one.source else "cp"
        words = (_data_file(one), one.source) if "://" in one.source else (one.source, _data_file(one))
        yield Needed(f"{_data_file(one)}, the file {one.source}", " ".join([fetch, *map(shlex.quote, words)]))


def _notices(release: Release) -> Iterable[str]:
    yield from unpublished(release.services, "The engine")
    following = sorted(spec.chainlet for spec in release.services if spec.scaling)
    if following:
        yield f"Compose lets no replicas follow the load: {', '.join(following)} keep the number that they start with"
    labelled = sorted(spec.chainlet for spec in release.services if spec.node_labels)
    if labelled:
        yield f"Compose knows one machine: the node labels of {', '.join(labelled)} mean nothing to it"
