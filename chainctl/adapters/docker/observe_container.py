"""The engine's JSON on one container in; what chainctl wants to know about it out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chainctl.adapters.docker.labels import (
    CHAIN,
    CHAINLET,
    INTERCEPT,
    ROLE,
    SECRETS_PART,
    SERVICE,
    fingerprint_in,
    replica_in,
)
from chainctl.deploy.state import ObservedService, ServiceStatus

KEEPS_RUNNING = "always"
"""An engine that was killed takes what it ran for stopped by hand: `unless-stopped` would leave it so."""
_KEPT_BEFORE = "unless-stopped"
_BY_REQUEST = frozenset({0, 143})
_SECONDS = len("2026-01-01T00:00:00")


@dataclass(frozen=True, slots=True)
class Container:
    """One container as it was when it was asked for.

    `command` is the first word of what it runs. `addresses` maps networks to its IPs in them.
    `published` is where its first published port is bound. `started` is seconds since the epoch,
    its creation when it never started.
    """

    id: str
    name: str
    image: str
    labels: Mapping[str, str]
    command: str
    state: str
    exit_code: int
    is_oom_killed: bool
    error: str
    started: float
    restarts: int
    restart_policy: str
    addresses: Mapping[str, str]
    published: tuple[str, int] | None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Container:
        config, host, state = said["Config"], said["HostConfig"], said["State"]
        networks = said.get("NetworkSettings", {}).get("Networks") or {}
        return cls(
            id=said["Id"],
            name=said["Name"].lstrip("/"),
            image=config["Image"],
            labels=config.get("Labels") or {},
            command=said.get("Path", ""),
            state=state["Status"],
            exit_code=state.get("ExitCode", 0),
            is_oom_killed=state.get("OOMKilled", False),
            error=state.get("Error", ""),
            started=max(epoch(state.get("StartedAt", "")), epoch(said.get("Created", ""))),
            restarts=said.get("RestartCount", 0),
            restart_policy=(host.get("RestartPolicy") or {}).get("Name") or "no",
            addresses={name: end.get("IPAddress") or "" for name, end in networks.items()},
            published=_published(host.get("PortBindings") or {}),
        )

    @property
    def is_running(self) -> bool:
        return self.state == "running"

    @property
    def chain(self) -> str:
        return self.labels.get(CHAIN, "")

    @property
    def role(self) -> str:
        return self.labels.get(ROLE, "")

    @property
    def has_been_ready(self) -> bool:
        """Say whether a readiness check was passed: only then is a service set to keep running."""
        return self.restart_policy in (KEEPS_RUNNING, _KEPT_BEFORE)

    @property
    def status(self) -> ServiceStatus:
        """Return RUNNING for what runs, FAILED for what ended otherwise than by request."""
        if self.is_running:
            return ServiceStatus.RUNNING
        if self.state in ("created", "paused") and not self.error:
            return ServiceStatus.STOPPED
        if self.state == "exited" and self.exit_code in _BY_REQUEST and not self.is_oom_killed:
            return ServiceStatus.STOPPED
        return ServiceStatus.FAILED


def observed_service(container: Container) -> ObservedService:
    """Return a service; one that runs but was never ready is as good as stopped."""
    interceptor = container.labels.get(INTERCEPT, "")
    is_unfinished = container.is_running and not container.has_been_ready and not interceptor
    return ObservedService(
        name=container.labels.get(SERVICE, container.name),
        chainlet=container.labels.get(CHAINLET, ""),
        status=ServiceStatus.STOPPED if is_unfinished else container.status,
        fingerprint=fingerprint_in(container.labels),
        image=container.image,
        since=container.started,
        restarts=container.restarts,
        replica=replica_in(container.labels),
        secrets=container.labels.get(SECRETS_PART, ""),
        intercepted_by=interceptor,
    )


def observed_remains(labels: Mapping[str, str]) -> ObservedService | None:
    """Return the replica that a volume of secrets was of, as one that has stopped; None for other volumes."""
    if SERVICE not in labels:
        return None
    return ObservedService(
        name=labels[SERVICE],
        chainlet=labels.get(CHAINLET, ""),
        status=ServiceStatus.STOPPED,
        fingerprint=fingerprint_in(labels),
        image="",
        replica=replica_in(labels),
    )


def epoch(stamp: str) -> float:
    """Turn the engine's time, in UTC with nanoseconds, into seconds since the epoch; 0 for none."""
    whole, fraction = stamp[:_SECONDS], stamp[_SECONDS:].rstrip("Z").lstrip(".")
    try:
        seconds = datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
    return max(0.0, seconds + (float(f"0.{fraction}") if fraction.isdecimal() else 0.0))


def _published(bindings: Mapping[str, Any]) -> tuple[str, int] | None:
    for binding in (b for bound in bindings.values() for b in bound or ()):
        if str(binding.get("HostPort", "")).isdecimal():
            return str(binding.get("HostIp", "")), int(binding["HostPort"])
    return None
