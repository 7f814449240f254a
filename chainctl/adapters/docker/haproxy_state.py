"""What HAProxy says of itself in; its digest and its slots, with who has the traffic, out. Pure."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from chainctl.adapters.docker.labels import DOOR_ALIAS
from chainctl.adapters.docker.replica_hosts import is_shared_host, replica_at
from chainctl.deploy.door_config import BACKEND, FRONTEND
from chainctl.deploy.release import INTERCEPT_REPLICA
from chainctl.errors import DeployError

QUESTIONS = (
    "show info",
    f"show servers state {BACKEND}",
    f"show stat {BACKEND} 4 -1",
    f"show stat {FRONTEND} 1 -1",
)
"""All that `parse_state` needs, asked at once."""
STATISTICS, SERVERS = "# pxname,", "# be_id "
_DESCRIPTION = re.compile(r"^description: (\S+)$", re.MULTILINE)
_CLOSED = re.compile(rf"^{FRONTEND},FRONTEND,.*,(?:PAUSED|STOP),", re.MULTILINE)
_FORCED_OR_INHERITED_MAINTENANCE = 0x01 | 0x02
_FORCED_OR_INHERITED_DRAIN = 0x08 | 0x10
_SHARERS = 2
_NOT_SERVING = _FORCED_OR_INHERITED_MAINTENANCE | _FORCED_OR_INHERITED_DRAIN


@dataclass(frozen=True, slots=True)
class Slot:
    """One server of the backend.

    `service` is what it leads to, None when it is parked; `replica` which of them, `host` the name that it
    resolves. `address` is `IP:port` as
    resolved, `status` HAProxy's word, `streams` how many requests it has under way. `weight` is 1
    unless the traffic is split.
    """

    name: str
    service: str | None
    address: str
    status: str
    streams: int
    admin: int
    weight: int = 1
    replica: int = 1
    host: str = ""

    @property
    def is_serving(self) -> bool:
        """Say whether it is meant to get traffic, its address known or not."""
        return self.service is not None and not self.admin & _NOT_SERVING

    @property
    def is_intercept(self) -> bool:
        """Say whether it leads to what stands in for the others, and reaches it; one that is gone is none."""
        return self.replica == INTERCEPT_REPLICA and self.status.startswith("UP")

    @property
    def is_free(self) -> bool:
        return bool(self.admin & _FORCED_OR_INHERITED_MAINTENANCE)


@dataclass(frozen=True, slots=True)
class DoorState:
    """A running door. `digest` is that of the settings it runs with; without `is_open` it takes no requests."""

    digest: str
    slots: tuple[Slot, ...]
    is_open: bool = True

    @property
    def route(self) -> str | None:
        """Return the service with the traffic; None when there is none, or not only one service."""
        serving = {slot.service for slot in self.slots if slot.is_serving}
        return serving.pop() if len(serving) == 1 else None

    @property
    def replicas(self) -> int:
        """Return over how many replicas of the route the traffic is spread."""
        return self.serving.get(self.route or "", 0)

    def leads_to(self, service: str | None, replicas: int) -> bool:
        """Say whether all traffic goes to just the first replicas of a service."""
        serving = sorted(slot.replica for slot in self.slots if slot.is_serving and not slot.is_intercept)
        return self.route == service and serving == list(range(1, replicas + 1))

    @property
    def serving(self) -> dict[str, int]:
        """Return how many replicas of each service have traffic."""
        here = (slot for slot in self.slots if slot.is_serving and not slot.is_intercept)
        return Counter(slot.service for slot in here if slot.service)

    @property
    def split(self) -> tuple[str, ...]:
        """Return the services that share the traffic by weight, () when it is not split."""
        serving = [slot for slot in self.slots if slot.is_serving]
        if len(self.serving) < _SHARERS or all(slot.weight == 1 for slot in serving):
            return ()
        return tuple(self.serving)

    def slot_of(self, service: str, replica: int = 1) -> Slot | None:
        return next((s for s in self.slots if (s.service, s.replica) == (service, replica)), None)


def parse_state(text: str) -> DoorState | None:
    """Read the answers to QUESTIONS; None when they are not HAProxy's."""
    description = _DESCRIPTION.search(text)
    if description is None:
        return None
    statistics = {row["svname"]: row for row in table(text, STATISTICS, ",")}
    slots = (_slot(row, statistics.get(row["srv_name"], {})) for row in table(text, SERVERS, " "))
    return DoorState(description[1], _numbered(slots), is_open=_CLOSED.search(text) is None)


def _numbered(slots: Iterable[Slot]) -> tuple[Slot, ...]:
    """Number the slots of a service whose replicas share a name: those with traffic are the first ones."""
    every, count = list(slots), Counter[str]()
    for place in sorted(range(len(every)), key=lambda n: not every[n].is_serving):
        if is_shared_host(host := every[place].host):
            count[host] += 1
            every[place] = replace(every[place], replica=count[host])
    return tuple(every)


def choose_slot(state: DoorState, service: str, replica: int = 1, taken: Collection[str] = ()) -> Slot:
    """Return the slot that has the replica already, or a free one that is not taken. Raises DeployError."""
    mine = state.slot_of(service, replica)
    free = next((slot for slot in state.slots if slot.is_free and slot.name not in taken), None)
    chosen = mine or free
    if chosen is None:
        raise DeployError(
            f"All {len(state.slots)} slots of the front door still have requests of older releases",
            hint="wait until they finish, then push again",
        )
    return chosen


def _slot(row: Mapping[str, str], statistics: Mapping[str, str]) -> Slot:
    host = row["srv_fqdn"]
    is_parked = host in ("-", DOOR_ALIAS)
    service, replica = replica_at(host)
    return Slot(
        name=row["srv_name"],
        service=None if is_parked else service,
        address=statistics.get("addr", ""),
        status=statistics.get("status", ""),
        streams=int(statistics.get("scur") or 0),
        admin=int(row["srv_admin_state"]),
        weight=int(row.get("srv_uweight") or 1),
        replica=replica,
        host="" if is_parked else host,
    )


def table(text: str, head: str, separator: str) -> Iterator[dict[str, str]]:
    """Yield the rows of the table whose first line begins like that; an empty line ends it."""
    _, found, rest = text.partition(head)
    lines = (found + rest).removeprefix("# ").partition("\n\n")[0].splitlines()
    yield from csv.DictReader(lines, delimiter=separator)
