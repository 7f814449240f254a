"""Settings in; the chains of all reachable targets, as text or JSON, out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chainctl.cli.durations import age_text
from chainctl.cli.output import table
from chainctl.cli.settings import Settings
from chainctl.cli.target_tables import AUTO
from chainctl.cli.wiring import open_worlds
from chainctl.cli.worlds import World
from chainctl.deploy.release import Scaling, ServiceSpec
from chainctl.deploy.scale import bounds_text, sleeping
from chainctl.deploy.state import ObservedDoor, ObservedService, ObservedState
from chainctl.errors import EngineError
from chainctl.workflows.history import warm_services


@dataclass(frozen=True, slots=True)
class ListedChain:
    """A chain on a target. `release` is None where its release was recorded elsewhere.

    `warm` has the services that older releases left running, with the number of the last such release;
    `edited` are those that run other code than their images have. `scaling` has the bounds of those that follow
    their load, by name, `asleep` those of which there is nothing now.
    """

    target: str
    observed: ObservedState
    release: int | None
    warm: Mapping[str, int] = field(default_factory=dict)
    edited: frozenset[str] = frozenset()
    scaling: Mapping[str, Scaling] = field(default_factory=dict)
    asleep: tuple[ServiceSpec, ...] = ()


def listed_chains(settings: Settings, only: str | None, notice: Callable[[str], None]) -> list[ListedChain]:
    """Look at every target that the settings allow. One that was asked for must answer; others are told to `notice`."""
    listed = []
    for world in open_worlds(settings, notice):
        for chain in _chains_on(world, settings, notice):
            if only in (None, chain):
                record = world.ledger.latest(chain)
                observed = world.target.observe(chain)
                number = record.number if record else None
                warm = warm_services(world.ledger, observed)
                edited = world.ledger.edited(chain)
                services = record.release.services if record else ()
                bounds = {s.name: s.scaling for s in services if s.scaling}
                found = sleeping(record.release, observed) if record else ()
                asleep = tuple(sorted(found, key=lambda s: s.chainlet))
                listed.append(ListedChain(world.name, observed, number, warm, edited, bounds, asleep))
    return listed


def _chains_on(world: World, settings: Settings, notice: Callable[[str], None]) -> list[str]:
    try:
        return world.target.chains()
    except EngineError as error:
        if settings.target != AUTO:
            raise
        notice(f"{world.name} is not looked at: {error.message}")
        return []


def listing_text(chains: list[ListedChain], now: float) -> str:
    """Render chains as a table, one line a service."""
    rows = []
    for listed in chains:
        observed = listed.observed
        door = observed.front_door
        release = "" if listed.release is None else str(listed.release)
        rows.append(
            [observed.chain, listed.target, "", str(door.status) if door else "", release, "", _url(listed)]
        )
        for service in sorted(observed.services, key=lambda s: (s.chainlet, s.name, s.replica)):
            since = age_text(now - service.since) if service.since else ""
            number = listed.warm.get(service.name)
            status = _status(
                service,
                is_warm=number is not None and not service.intercepted_by,
                is_edited=service.name in listed.edited,
            )
            bounds = listed.scaling.get(service.name)
            status += f", {bounds_text(bounds)}" if bounds and service.replica == 1 else ""
            older = "" if number is None else str(number)
            name = service.own_name + _mark(service, door)
            rows.append(["", "", service.chainlet, status, older, since, name])
        for spec in listed.asleep:
            status = f"asleep, {bounds_text(spec.scaling)}" if spec.scaling else "asleep"
            rows.append(["", "", spec.chainlet, status, "", "", spec.name])
    return table(["CHAIN", "TARGET", "CHAINLET", "STATUS", "RELEASE", "AGE", "ADDRESS"], rows) if rows else ""


def _mark(service: ObservedService, door: ObservedDoor | None) -> str:
    """An arrow for what has the traffic, a broken one for what has a part of it."""
    if door is None:
        return ""
    if service.name == door.route and not service.intercepted_by and 0 < door.replicas < service.replica:
        return ""
    return {door.route: " →", door.canary: " ⇢"}.get(service.name, "")


def _status(service: ObservedService, *, is_warm: bool, is_edited: bool) -> str:
    if service.intercepted_by:
        return f"intercepted by {service.intercepted_by}"
    again = f", {service.restarts} restart{'s' if service.restarts != 1 else ''}" if service.restarts else ""
    return f"{'warm' if is_warm else service.status}{', edited' if is_edited else ''}{again}"


def listing_json(chains: list[ListedChain]) -> list[dict[str, Any]]:
    """Describe chains as JSON values."""
    return [
        {
            "chain": listed.observed.chain,
            "target": listed.target,
            "url": _url(listed),
            "release": listed.release,
            "route": listed.observed.front_door.route if listed.observed.front_door else None,
            "canary": listed.observed.front_door.canary if listed.observed.front_door else None,
            "services": [
                {
                    "name": s.name,
                    "replica": s.replica,
                    "chainlet": s.chainlet,
                    "status": str(s.status),
                    "warm": s.name in listed.warm,
                    "edited": s.name in listed.edited,
                    "intercepted_by": s.intercepted_by or None,
                    "release": listed.warm.get(s.name, listed.release),
                    "image": s.image,
                    "restarts": s.restarts,
                    "since": s.since,
                    "scaling": _bounds(listed.scaling.get(s.name)),
                }
                for s in listed.observed.services
            ],
            "asleep": [
                {"name": s.name, "chainlet": s.chainlet, "image": s.image, "scaling": _bounds(s.scaling)}
                for s in listed.asleep
            ],
        }
        for listed in chains
    ]


def _bounds(scaling: Scaling | None) -> dict[str, int] | None:
    return None if scaling is None else {"least": scaling.least, "most": scaling.most}


def _url(listed: ListedChain) -> str:
    return listed.observed.front_door.url if listed.observed.front_door else ""
