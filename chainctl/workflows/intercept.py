"""A chain, one of its chainlets and a chain file in; what has to run to take its service's place out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from chainctl.deploy.compose_interfaces import compose_interfaces
from chainctl.deploy.compose_release import data_of
from chainctl.deploy.interfaces import FRONT_DOOR, Interfaces, interface_changes
from chainctl.deploy.release import Call, SecretRef, ServiceSpec
from chainctl.deploy.state import ServiceStatus
from chainctl.deploy.target import DeployTarget
from chainctl.errors import DeployError, UsageError
from chainctl.graph.graph import ChainGraph, ChainletSpec
from chainctl.state.ledger import Ledger, Record
from chainctl.workflows.redeploy import latest_of


@dataclass(frozen=True, slots=True)
class Interception:
    """A running service, and the chainlet of a file that is to answer in its place.

    `service` calls what the file says, and has the secrets and data that the file asks for; all else is
    as it was released.
    """

    service: ServiceSpec
    spec: ChainletSpec
    graph: ChainGraph
    is_entrypoint: bool
    release: int


def plan_intercept(
    chain: str,
    chainlet: str,
    file: str | None,
    target: DeployTarget,
    ledger: Ledger,
    load: Callable[[str], ChainGraph],
) -> Interception:
    """Decide what runs in place of a service; nothing is touched. `file` is by default what was released.

    Raises UsageError where the release has no such chainlet, and where that of the file does not fit in its
    place; DeployError where its service does not run; ChainDefinitionError.
    """
    record = latest_of(ledger, chain)
    service = _released(record, chainlet)
    _require_running(service, target)
    graph = load(file or _source_of(record))
    spec = _in_file(graph, chainlet)
    _require_same_interface(record, graph, chainlet)
    config = spec.remote_config
    taken = replace(
        service,
        calls=_calls(record, graph, chainlet),
        secrets=tuple(SecretRef(key, "") for key in sorted(set(config.assets.secret_keys))),
        data=data_of(config, Path(graph.path).parent),
    )
    return Interception(taken, spec, graph, record.release.entrypoint == service.name, record.number)


def _released(record: Record, chainlet: str) -> ServiceSpec:
    try:
        return record.release.service_of(chainlet)
    except KeyError:
        names = ", ".join(sorted(service.chainlet for service in record.release.services))
        raise UsageError(
            f"{record.release.chain} has no chainlet called {chainlet}", hint=f"it has {names}."
        ) from None


def _require_running(service: ServiceSpec, target: DeployTarget) -> None:
    there = target.observe(service.chain).services
    if not any(s.name == service.name and s.status is ServiceStatus.RUNNING for s in there):
        raise DeployError(
            f"{service.chain}/{service.chainlet} does not run as it was released",
            hint="push the chain again: an intercept takes the place of a service that runs.",
        )


def _source_of(record: Record) -> str:
    path = Path(record.source)
    if record.source and path.is_file():
        return record.source
    raise UsageError(
        f"the chain file of release {record.number} is not here: {record.source or 'none is recorded'}",
        hint=f"name it: `chainctl intercept {record.release.chain}/CHAINLET chain.py`.",
    )


def _in_file(graph: ChainGraph, chainlet: str) -> ChainletSpec:
    try:
        return graph.chainlet(chainlet)
    except KeyError:
        names = ", ".join(spec.name for spec in graph.chainlets)
        raise UsageError(f"{graph.path} has no chainlet called {chainlet}", hint=f"it has {names}.") from None


def _require_same_interface(record: Record, graph: ChainGraph, chainlet: str) -> None:
    """Callers go on calling as they did: what breaks them is refused before anything is touched."""
    report = interface_changes(
        *(_only(of, chainlet) for of in (record.interfaces, compose_interfaces(graph)))
    )
    broken = [change.text for change in report.changes if change.is_breaking and change.where == FRONT_DOOR]
    if broken:
        raise UsageError(
            f"{chainlet} of {graph.path} can not take the calls of release {record.number}",
            hint="push the chain: its callers are released with it then.",
            details=broken,
        )


def _only(interfaces: Interfaces, chainlet: str) -> Interfaces:
    """Compare one chainlet as if all calls went to it."""
    found = interfaces.of(chainlet)
    return Interfaces(entrypoint=chainlet, chainlets=(found,) if found else ())


def _calls(record: Record, graph: ChainGraph, chainlet: str) -> tuple[Call, ...]:
    known = {service.chainlet: service.name for service in record.release.services}
    callees = sorted({edge.callee for edge in graph.callees(chainlet)})
    unknown = [callee for callee in callees if callee not in known]
    if unknown:
        raise UsageError(
            f"{chainlet} of {graph.path} calls {', '.join(unknown)}, which release {record.number} does not have",
            hint="push the chain first.",
        )
    return tuple(Call(callee, known[callee]) for callee in callees)
