"""The recorded releases of a chain in; what each of them changed, out. Reads only what is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from chainctl.deploy.causes import causes
from chainctl.deploy.release import Release, ServiceSpec
from chainctl.deploy.renewal import rotated_secrets
from chainctl.deploy.state import ObservedState, ServiceStatus
from chainctl.state.ledger import Ledger, Record


@dataclass(frozen=True, slots=True)
class PastRelease:
    """One release. `changes` say what differs from the one before, in words."""

    record: Record
    changes: tuple[str, ...]
    is_latest: bool = False


def history(ledger: Ledger, chain: str) -> list[PastRelease]:
    """Return all releases of a chain, the newest first. Raises ChainctlError for a damaged one."""
    return explained([ledger.load(chain, number) for number in ledger.numbers(chain)])


def explained(records: Sequence[Record]) -> list[PastRelease]:
    """Say of each release, oldest first, what it changed; return the newest first."""
    past = [PastRelease(record, tuple(_changes(record, records[:n]))) for n, record in enumerate(records)]
    if past:
        past[-1] = replace(past[-1], is_latest=True)
    return past[::-1]


def warm_services(ledger: Ledger, observed: ObservedState) -> dict[str, int]:
    """Return the services of older releases that run, each with the last release that had it."""
    last = ledger.latest(observed.chain)
    current = {service.name for service in last.release.services} if last else set()
    running = {s.name for s in observed.services if s.status is ServiceStatus.RUNNING}
    found: dict[str, int] = {}
    numbers = ledger.numbers(observed.chain)[:-1] if running - current else []
    for number in reversed(numbers):
        release = ledger.load(observed.chain, number).release
        for service in release.services:
            if service.name in running - current:
                found.setdefault(service.name, number)
        if len(found) == len(running - current):
            break
    return found


def _scale(old: ServiceSpec, new: ServiceSpec) -> Iterator[str]:
    if old.replicas != new.replicas:
        yield f"{new.chainlet}: {new.replicas} replicas, {old.replicas} before"


def _changes(record: Record, earlier: Sequence[Record]) -> Iterator[str]:
    if not earlier:
        yield "first release"
        return
    same = [one.number for one in earlier if one.release.digest == record.release.digest]
    if same:
        yield f"as release {same[0]}"
        return
    before, after = earlier[-1].release, record.release
    alike = [one.number for one in earlier if one.release.makeup == after.makeup]
    if alike and before.makeup != after.makeup:  # a rollback, which leaves the scale as it is
        yield f"as release {alike[0]}"
        yield from _rescaled(before, after)
        return
    yield from _differences(before, after)


def _rescaled(before: Release, after: Release) -> Iterator[str]:
    old = {service.chainlet: service for service in before.services}
    for service in after.services:
        if service.chainlet in old:
            yield from _scale(old[service.chainlet], service)


def _differences(before: Release, after: Release) -> Iterator[str]:
    """What callers of a changed chainlet share with it is told of that one only."""
    old = {service.chainlet: service for service in before.services}
    new = {service.chainlet: service for service in after.services}
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield f"{name} was removed"
        elif name not in old:
            yield f"{name} is new"
        else:
            mine = replace(new[name].fingerprint, calls=old[name].fingerprint.calls)
            yield from (
                f"{name}: {cause}"
                for cause in causes(replace(new[name], fingerprint=mine), old[name].fingerprint, old[name])
            )
            yield from _scale(old[name], new[name])
            yield from (
                f"{name}: secret {secret} rotated" for secret in rotated_secrets(new[name], old[name])
            )
    if before.front_door != after.front_door:
        yield "the front door changed"
    if [s.published for s in before.services] != [s.published for s in after.services]:
        yield "images were published"
