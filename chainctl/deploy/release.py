"""What is shipped: a Release, the frozen set of services that one push of a chain is made of."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace

INTERCEPT_REPLICA = 99
"""The number of what stands in for a chainlet that runs on a developer's machine: more than there are of others."""
_DNS_LABEL_LIMIT = 63
_DIGEST_LENGTH = 8


class Strategy(enum.StrEnum):
    """How a service takes the place of an older one: beside it, or after it has ended."""

    REPLACE = "replace"
    RECREATE = "recreate"


@dataclass(frozen=True, slots=True)
class Gpu:
    """GPUs that a service asks for; `model` is None for any.

    `memory_bytes` is what it needs of each, None for all. It is told apart in the fingerprint: those of
    services that do not name it stay as they were before there was such a thing.
    """

    model: str | None
    count: int
    memory_bytes: int | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Resources:
    """Hard limits of one service."""

    cpus: float
    memory_bytes: int
    pids: int
    gpu: Gpu | None = None


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A secret by name. `fingerprint` is a keyed hash of its value, so that a rotation is seen."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Call:
    """One edge: the chainlet that is called (display name) and the service that answers.

    One that `may_sleep` may have no replica when it is called.
    """

    chainlet: str
    service: str
    may_sleep: bool = False


@dataclass(frozen=True, slots=True)
class DataMount:
    """A file that a service reads, as `directory/filename`; it is known by its digest.

    `source` is a URL or a path on the machine of the command, `secret` names the one that is sent
    to the server as bearer token, "" for none.
    """

    name: str
    source: str
    sha256: str
    directory: str
    filename: str
    secret: str = ""


@dataclass(frozen=True, slots=True)
class CacheVolume:
    """What a service fetches by itself when it starts, and finds again: those of a chain with one name share it.

    It outlives services and releases, and goes with the chain. In a container it is the directory `name` in
    `directory`; `folders` is one of the service's own, in memory, for links into it.
    """

    name: str
    directory: str
    folders: str


@dataclass(frozen=True, slots=True)
class Scaling:
    """Between which numbers the replicas of a service follow its load.

    Wanted are as many as give each `target_concurrency` calls under way or waiting. `down_after_sec` is how
    long fewer must be enough before there are fewer. With a `least` of 0 it may sleep.
    """

    least: int
    most: int
    target_concurrency: int
    down_after_sec: float = 60.0


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Digests of what a service is made of, kept apart so that a change can be explained.

    `generation` counts how often it was asked to restart: the same service anew has another name.
    """

    image: str
    config: str
    calls: str
    generation: int = 0

    def causes(self, older: Fingerprint) -> list[str]:
        """Name the parts that differ from an older fingerprint."""
        changed = []
        if self.image != older.image:
            changed.append("its image changed")
        if self.config != older.config:
            changed.append("its configuration changed")
        if self.calls != older.calls:
            changed.append("a chainlet that it calls changed")
        if self.generation != older.generation:
            changed.append("it is restarted")
        return changed


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One running chainlet, wanted. Its name covers all the rest (see `service_name`).

    `image` is what the target calls the image. `published` names the same one by digest in a
    registry, "" where it was pushed to none: it says where the image is, not what it is, so that the
    service's name does not cover it. `strategy` is how it takes the place of an older one; None lets
    the plan choose. The name does not cover that either, nor `replicas`, how many of it run:
    `declared_replicas` is what the chain file said when that was decided, `scaling` between which numbers
    they follow the load. Of `secrets` it covers the names, not the values: a rotation renews the service under
    its name, and its callers stay. `node_labels` are those of the machines that it may run on.
    """

    name: str
    chain: str
    chainlet: str
    image: str
    resources: Resources
    env: tuple[tuple[str, str], ...]
    secrets: tuple[SecretRef, ...]
    calls: tuple[Call, ...]
    start_timeout_sec: float
    fingerprint: Fingerprint
    published: str = ""
    data: tuple[DataMount, ...] = ()
    cache: CacheVolume | None = None
    strategy: Strategy | None = None
    replicas: int = 1
    declared_replicas: int = 1
    scaling: Scaling | None = None
    node_labels: tuple[tuple[str, str], ...] = ()

    @property
    def sleepers(self) -> tuple[str, ...]:
        """The chainlets that it calls and that may have no replica."""
        return tuple(sorted(call.chainlet for call in self.calls if call.may_sleep))

    @property
    def secrets_digest(self) -> str:
        """Covers the values of the secrets, as their fingerprints; "" where there are none."""
        return digest_of([[s.name, s.fingerprint] for s in self.secrets])[:16] if self.secrets else ""


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """The one stable address of a chain.

    `bind` is the address of its machine on which it listens, "" where a cluster gives it an address of its own.
    `port` None lets the target choose (and keep) a free one. `api_key` and `tls` name secrets of
    the target's vault: the key that callers must send, the PEM that terminates TLS. With `holds` requests
    wait while nothing is there to answer: the entrypoint may sleep.
    """

    bind: str = "127.0.0.1"
    port: int | None = None
    image: str = "haproxy:lts"
    api_key: SecretRef | None = None
    tls: SecretRef | None = None
    token_fingerprint: str = ""
    holds: bool = False

    @property
    def digest(self) -> str:
        """Covers all that a change of needs a new front door."""
        parts = [self.bind, self.port, self.image, str(self.api_key), str(self.tls), self.token_fingerprint]
        return digest_of([*parts, "holds"] if self.holds else parts)


@dataclass(frozen=True, slots=True)
class Release:
    """All services of a chain, callees before callers, and the entrypoint's service."""

    chain: str
    entrypoint: str
    services: tuple[ServiceSpec, ...]
    front_door: FrontDoor

    def service_of(self, chainlet: str) -> ServiceSpec:
        """Return the service of a chainlet by display name. Raises KeyError."""
        for service in self.services:
            if service.chainlet == chainlet:
                return service
        raise KeyError(chainlet)

    def published_as(self, images: Mapping[str, str]) -> Release:
        """Return the release with images by digest; `images` maps chainlets to them."""
        services = tuple(replace(s, published=images.get(s.chainlet, "")) for s in self.services)
        return replace(self, services=services)

    def with_secrets(self, known: Mapping[str, str]) -> Release:
        """Return the release with other fingerprints of those secrets that are `known`, by name."""

        def now(secret: SecretRef | None) -> SecretRef | None:
            return secret and replace(secret, fingerprint=known.get(secret.name, secret.fingerprint))

        services = tuple(replace(s, secrets=tuple(filter(None, map(now, s.secrets)))) for s in self.services)
        door = replace(self.front_door, api_key=now(self.front_door.api_key), tls=now(self.front_door.tls))
        return replace(self, services=services, front_door=door)

    @property
    def makeup(self) -> str:
        """Covers what the services are: not how many of them run, nor the values of their secrets."""
        names = sorted([s.name, s.published] for s in self.services)
        door = self.front_door
        secrets = [secret and secret.name for secret in (door.api_key, door.tls)]
        return digest_of([self.chain, self.entrypoint, names, door.bind, door.port, door.image, secrets])

    @property
    def digest(self) -> str:
        """Covers all that makes it another release than the one before."""
        names = sorted(s.name for s in self.services)
        published = sorted(s.published for s in self.services if s.published)
        parts = [self.chain, self.entrypoint, names, self.front_door.digest]
        counts = sorted([s.name, s.replicas, s.declared_replicas] for s in self.services if _is_scaled(s))
        scale: list[object] = [{"replicas": counts}] if counts else []
        bounds = sorted([s.name, asdict(s.scaling)] for s in self.services if s.scaling)
        scale += [{"scaling": bounds}] if bounds else []
        values = sorted([s.name, s.secrets_digest] for s in self.services if s.secrets)
        more = [*scale, *([{"secrets": values}] if values else [])]
        return digest_of([*parts, published, *more] if published else [*parts, *more])


def service_name(chain: str, chainlet: str, fingerprint: Fingerprint) -> str:
    """Name a service by what it is: `<chain>-<chainlet>-<digest8>`, a DNS label of at most 63 characters.

    The digest covers chain, chainlet, image, configuration and the names of the services it
    calls, which makes the names a Merkle tree over the graph.
    """
    parts = [chain, chainlet, fingerprint.image, fingerprint.config, fingerprint.calls]
    generation = [fingerprint.generation] if fingerprint.generation else []
    digest = digest_of([*parts, *generation])[:_DIGEST_LENGTH]
    room = _DNS_LABEL_LIMIT - _DIGEST_LENGTH - 1
    stem = f"{dns_label(chain)}-{dns_label(chainlet)}"[:room].strip("-")
    return f"{stem}-{digest}" if stem else digest


def calls_digest(calls: Iterable[Call]) -> str:
    """Cover which services are called. That one may sleep is told only where it may: others keep their names."""
    return digest_of([[c.chainlet, c.service, *(["may sleep"] if c.may_sleep else [])] for c in calls])[:16]


def replica_name(service: str, replica: int) -> str:
    """Name one replica of a service; no service has a dot in its name. The first is called as the service."""
    return service if replica == 1 else f"{service}.{replica}"


def replica_of(name: str) -> tuple[str, int]:
    """Take the name of a replica apart."""
    service, _, number = name.rpartition(".")
    return (service, int(number)) if service and number.isdecimal() else (name, 1)


def _is_scaled(service: ServiceSpec) -> bool:
    return (service.replicas, service.declared_replicas) != (1, 1)


def dns_label(name: str) -> str:
    """Lower-case a name and turn what DNS does not allow into dashes."""
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower()).strip("-")


def digest_of(value: object) -> str:
    """Hex sha256 of a JSON value in canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def in_dependency_order(services: Iterable[ServiceSpec]) -> tuple[ServiceSpec, ...]:
    """Order services so that a callee comes before its callers; ties by name."""
    remaining = {s.name: s for s in services}
    ordered: dict[str, ServiceSpec] = {}

    def place(service: ServiceSpec) -> None:
        if service.name in ordered:
            return
        for call in sorted(service.calls, key=lambda c: c.service):
            if call.service in remaining:
                place(remaining[call.service])
        ordered[service.name] = service

    for name in sorted(remaining):
        place(remaining[name])
    return tuple(ordered.values())
