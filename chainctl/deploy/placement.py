"""Wants and the devices of a host in; a place for each want, or the first one that does not fit, out. Pure.

The search is complete: it finds a placement whenever there is one, and never gives a device, or memory of
it, twice. What runs is not moved. Devices that are alike are tried once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chainctl.deploy.devices import Device, Holding, HostDevices, Want

Placement = tuple[tuple[Device, ...], ...]
"""The devices of each want, in the order of the wants."""
_Hands = tuple[tuple[Holding, ...], ...]


@dataclass(frozen=True, slots=True)
class Misfit:
    """The first want that does not fit together with those before it; `host` is how it was found."""

    want: Want
    host: HostDevices


def place(wants: Sequence[Want], host: HostDevices) -> Placement | Misfit:
    """Place all wants, which start in their order and go on together."""
    hands = tuple(
        tuple(h for h in host.holdings if h.device == device.id and h.is_active) for device in host.devices
    )
    for count in range(1, len(wants) + 1):
        found = _Search(wants[:count], host.devices, set()).from_(0, hands)
        if found is None:
            return Misfit(wants[count - 1], _as_held(wants[:count], host))
    return found if wants and found is not None else ()


def has_room(device: Device, hands: Sequence[Holding], memory_bytes: int | None) -> bool:
    """Say whether a device can be given: all of it, or so much of its memory.

    Where nobody knows how much memory a device has, it is not shared.
    """
    if device.memory_bytes is None:
        return not hands
    if memory_bytes is None:
        return not hands
    return (
        all(h.memory_bytes is not None for h in hands) and used(hands) + memory_bytes <= device.memory_bytes
    )


def used(hands: Sequence[Holding]) -> int:
    """Return the memory that is held in parts."""
    return sum(h.memory_bytes or 0 for h in hands)


@dataclass(frozen=True, slots=True)
class _Search:
    """Depth first, one want after the other. `dead` are positions from which nothing was found."""

    wants: Sequence[Want]
    devices: tuple[Device, ...]
    dead: set[tuple[object, ...]]

    def from_(self, step: int, hands: _Hands) -> Placement | None:
        if step == len(self.wants):
            return ()
        want = self.wants[step]
        hands = tuple(tuple(h for h in held if h.holder not in want.after) for held in hands)
        position = (step, *sorted(map(repr, self._kinds(step, hands))))
        if position in self.dead:
            return None
        for places in self._choices(step, hands):
            rest = self.from_(step + 1, _taken(hands, places, self.devices, want))
            if rest is not None:
                return (tuple(self.devices[i] for i in places), *rest)
        self.dead.add(position)
        return None

    def _choices(self, step: int, hands: _Hands) -> Iterator[tuple[int, ...]]:
        """Yield sets of devices, each kind of set once: preferred ones first, then the fullest."""
        want, kinds = self.wants[step], self._kinds(step, hands)
        free = [
            i
            for i, device in enumerate(self.devices)
            if device.is_a(want.model) and has_room(device, hands[i], want.memory_bytes)
        ]
        free.sort(
            key=lambda i: (self.devices[i].id not in want.preferred, _left(self.devices[i], hands[i]), i)
        )
        seen = set()
        for places in itertools.combinations(free, want.count):
            kind = tuple(sorted(repr(kinds[i]) for i in places))
            if kind not in seen:
                seen.add(kind)
                yield tuple(sorted(places))

    def _kinds(self, step: int, hands: _Hands) -> list[tuple[object, ...]]:
        """Say of each device what matters from here on: two of one kind are as good as each other."""
        return [
            (
                device.memory_bytes,
                tuple(device.is_a(want.model) for want in self.wants[step:]),
                tuple(sorted((self._end(step, h), h.memory_bytes or -1) for h in held)),
            )
            for device, held in zip(self.devices, hands, strict=True)
        ]

    def _end(self, step: int, holding: Holding) -> int:
        """Return the want before which a holder ends."""
        later = range(step, len(self.wants))
        return next((i for i in later if holding.holder in self.wants[i].after), len(self.wants))


def _taken(hands: _Hands, places: Sequence[int], devices: Sequence[Device], want: Want) -> _Hands:
    return tuple(
        (*held, Holding(devices[i].id, want.service, want.memory_bytes)) if i in places else held
        for i, held in enumerate(hands)
    )


def _left(device: Device, hands: Sequence[Holding]) -> float:
    return math.inf if device.memory_bytes is None else device.memory_bytes - used(hands)


def _as_held(wants: Sequence[Want], host: HostDevices) -> HostDevices:
    """Return the host as the last want finds it, with those before it where they fit without it."""
    placed = place(wants[:-1], host)
    ended = frozenset[str]().union(*(want.after for want in wants))
    held = [h for h in host.holdings if h.is_active and h.holder not in ended]
    if not isinstance(placed, Misfit):
        held += [
            Holding(device.id, want.service, want.memory_bytes)
            for want, devices in zip(wants[:-1], placed, strict=True)
            for device in devices
        ]
    return HostDevices(host.devices, tuple(held))
