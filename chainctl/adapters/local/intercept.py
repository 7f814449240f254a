"""A service of local processes in; a process of the supervisor that stands in for it, with a link to it, out."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from chainctl.adapters.intercept.program import stand_in_program
from chainctl.adapters.local.client import SupervisorClient
from chainctl.adapters.local.paths import LocalPaths, RunPaths
from chainctl.adapters.local.process_env import inherited_env, sharing
from chainctl.adapters.local.protocol import AskReady, Readiness, StandIn, Stop
from chainctl.deploy.intercept import Standing, held, stand_in_name
from chainctl.deploy.release import ServiceSpec
from chainctl.errors import DeployError

_LINK_SEC = 15.0
_END_SEC = 45.0
_GONE_SEC = 10.0
_POLL_SEC = 0.05
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class LocalStandIns:
    """Starts stand-ins beside the services of local processes; `python` runs them."""

    paths: LocalPaths
    python: str
    inherited: Mapping[str, str]

    def start(self, service: ServiceSpec, who: str, *, is_entrypoint: bool) -> Standing:
        run = self.paths.run(service.chain)
        client = SupervisorClient(run)
        _make_room(client, service)
        client.ask(_order(service, run, who, self.python, inherited_env(self.inherited)))
        link = _first(lambda: _connected(link_of(run, service.name)), _LINK_SEC)
        if link is None:
            raise DeployError(
                f"What stands in for {service.chainlet} did not start",
                hint=f"see {run.log_of(stand_in_name(service.name))}",
            )
        callees = {call.chainlet: f"unix:{run.socket_of(call.service)}" for call in service.calls}
        return LocalStanding(link, callees, client, service, sharing(service, run))


@dataclass(frozen=True, slots=True)
class LocalStanding:
    """One stand-in. The supervisor's front door finds it by itself."""

    link: socket.socket
    callees: Mapping[str, str]
    client: SupervisorClient
    service: ServiceSpec
    variables: Mapping[str, str]
    is_direct: bool = True

    def lead(self) -> None:
        """The supervisor leads its door there as soon as it is ready."""

    def clear(self) -> None:
        _first(lambda: True if _remembered(self.client, self.service) is None else None, _END_SEC)


def link_of(run: RunPaths, service: str) -> Path:
    """Return where the stand-in of a service waits for its link: not beside the sockets that are called."""
    return run.runtime / f"{run.socket_of(service).name}.link"


def _order(service: ServiceSpec, run: RunPaths, who: str, python: str, environ: Mapping[str, str]) -> StandIn:
    name = stand_in_name(service.name)
    link = link_of(run, service.name)
    link.unlink(missing_ok=True)
    place = {
        "listen": f"unix:{run.socket_of(name)}",
        "service": service.name,
        "link": str(link),
        "hides_memory": False,
    }
    return StandIn(
        name=name,
        chainlet=service.chainlet,
        image=service.image,
        fingerprint=service.fingerprint,
        argv=(python, "-I", "-c", stand_in_program(), json.dumps(place)),
        cwd=str(run.runtime),
        env={**environ, "CHAINCTL_LISTEN": f"unix:{run.socket_of(name)}"},
        secrets={},
        token="",
        intercepted_by=who,
    )


def _make_room(client: SupervisorClient, service: ServiceSpec) -> None:
    """Refuse where somebody intercepts; wait for one that ends, and end what only seems to be there."""
    found = _remembered(client, service)
    if found is None:
        return
    if _is_led(client, service):
        raise held(service, found)
    gone = _first(lambda: True if _remembered(client, service) is None else None, _GONE_SEC)
    if gone is None and _is_led(client, service):
        raise held(service, found)
    if gone is None:
        client.ask(Stop(name=stand_in_name(service.name), drain_sec=0))


def _is_led(client: SupervisorClient, service: ServiceSpec) -> bool:
    try:
        answer = client.ask(AskReady(name=stand_in_name(service.name)))
    except DeployError:
        return False
    return isinstance(answer, Readiness) and answer.is_ready


def _remembered(client: SupervisorClient, service: ServiceSpec) -> str | None:
    """Return who intercepts a service as far as the supervisor knows, None for nobody."""
    name = stand_in_name(service.name)
    found = next((one for one in client.memory().services if one.name == name), None)
    return None if found is None else found.intercepted_by


def _connected(path: Path) -> socket.socket | None:
    link = socket.socket(socket.AF_UNIX)
    try:
        link.connect(str(path))
    except OSError:
        link.close()
        return None
    return link


def _first(ask: Callable[[], Found | None], within_sec: float) -> Found | None:
    deadline = time.monotonic() + within_sec
    while (found := ask()) is None and time.monotonic() < deadline:
        threading.Event().wait(_POLL_SEC)
    return found
